//! Emulated hardware under the agent's own code, and its daemon over the machine's network.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use agent::seam::{Blob, Daemon, DaemonError, Disk, Future, Host, HostError};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use rack::agent::{AgentState, FoundDisk, FoundHardware, FoundNic, Order, WipeMethod};
use rack::node::DriveBus;

use crate::disks::Drive;
use crate::emulated::Emulated;
use crate::faults::Action;

/// Seconds that a drive takes to sanitize itself.
const SANITIZE: f64 = 20.0;
/// Largest answer to a poll: an order is under a KiB.
const ORDER_LIMIT: usize = 64 << 10;

/// One boot of a server, as the agent sees its machine.
pub(crate) struct EmulatedHost {
    pub(crate) rack: Arc<Emulated>,
    pub(crate) server: usize,
    pub(crate) boot_id: String,
}

struct OpenDisk {
    rack: Arc<Emulated>,
    server: usize,
    name: String,
    drive: Drive,
}

fn failed(attempt: String, on: &str, source: std::io::Error) -> HostError {
    HostError {
        attempt,
        on: on.to_string(),
        source,
    }
}

impl EmulatedHost {
    fn drive(&self, disk: &FoundDisk) -> Result<(Drive, bool), HostError> {
        let server = &self.rack.servers[self.server];
        let at = server.spec.drives.iter().position(|d| d.name == disk.name);
        match at {
            Some(i) => Ok((server.drives[i].clone(), server.spec.drives[i].nvme)),
            None => Err(failed("open".into(), &disk.name, std::io::ErrorKind::NotFound.into())),
        }
    }
}

impl Host for EmulatedHost {
    fn boot_id(&self) -> String {
        self.boot_id.clone()
    }

    fn found(&self) -> Future<'_, Result<FoundHardware, HostError>> {
        let spec = &self.rack.servers[self.server].spec;
        let disks = spec.drives.iter().map(|d| FoundDisk {
            name: d.name.to_string(),
            size: rack::Bytes(d.size),
            bus: if d.nvme { DriveBus::Nvme } else { DriveBus::Sata },
            model: Some(if d.nvme { "Emulated NVMe" } else { "Emulated SATA" }.to_string()),
            serial: Some(d.serial.clone()),
            rotational: false,
        });
        let nics = spec.macs.iter().enumerate().map(|(n, mac)| FoundNic {
            name: format!("eth{n}"),
            mac: *mac,
            link: n == 0,
        });
        let found = FoundHardware {
            uuid: Some(spec.uuid.to_string()),
            serial: Some(spec.serial.clone()),
            maker: Some("Busbar".to_string()),
            model: Some(spec.model()),
            threads: spec.build.processors(),
            memory: rack::Bytes::gib(spec.memory_gib()),
            disks: disks.collect(),
            nics: nics.collect(),
            // class 0x0302: 3D controller
            pci: (0..spec.gpus).map(|_| "10de:2330 0302".to_string()).collect(),
            firmware: "uefi".to_string(),
        };
        Box::pin(async move { Ok(found) })
    }

    fn open<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Box<dyn Disk>, HostError>> {
        Box::pin(async move {
            let (drive, _) = self.drive(disk)?;
            let name = disk.name.clone();
            self.rack.say(self.server, format!("agent: opens {name}"));
            Ok(Box::new(OpenDisk {
                rack: self.rack.clone(),
                server: self.server,
                name,
                drive,
            }) as Box<dyn Disk>)
        })
    }

    fn erase<'a>(&'a self, disk: &'a FoundDisk) -> Future<'a, Result<Option<WipeMethod>, HostError>> {
        Box::pin(async move {
            let (drive, nvme) = self.drive(disk)?;
            let method = if nvme {
                WipeMethod::NvmeSanitize
            } else {
                WipeMethod::AtaSecureErase
            };
            self.rack.pause(SANITIZE).await;
            drive.erase().map_err(|e| failed("erase".into(), &disk.name, e))?;
            self.rack
                .say(self.server, format!("{}: erased by {method:?}", disk.name));
            Ok(Some(method))
        })
    }

    fn settle<'a>(&'a self, _disk: &'a FoundDisk) -> Future<'a, Result<(), HostError>> {
        Box::pin(async { Ok(()) })
    }

    fn power_off(&self) -> Future<'_, ()> {
        Box::pin(async {
            for drive in &self.rack.servers[self.server].drives {
                if let Err(e) = drive.sync() {
                    self.rack.say(self.server, format!("sync before power off: {e}"));
                }
            }
        })
    }
}

impl Disk for OpenDisk {
    fn size(&self) -> u64 {
        self.drive.size()
    }

    fn write(&mut self, offset: u64, data: Bytes) -> Future<'_, Result<(), HostError>> {
        Box::pin(async move {
            let place = &self.rack.servers[self.server].spec.place;
            if let Some(Action::SlowDisk { millis }) =
                self.rack.faults.inside(place, |a| matches!(a, Action::SlowDisk { .. }))
            {
                self.rack.pause(millis as f64 / 1000.0).await;
            }
            let attempt = || format!("write {} bytes at {offset}", data.len());
            if self.rack.faults.inside(place, |a| *a == Action::DiskError).is_some() {
                return Err(failed(
                    attempt(),
                    &self.name,
                    std::io::Error::other("emulated medium error"),
                ));
            }
            self.drive
                .write(offset, &data)
                .map_err(|e| failed(attempt(), &self.name, e))
        })
    }

    fn read(&mut self, offset: u64, length: usize) -> Future<'_, Result<Bytes, HostError>> {
        Box::pin(async move {
            let read = self.drive.read(offset, length);
            read.map(Bytes::from)
                .map_err(|e| failed(format!("read {length} bytes at {offset}"), &self.name, e))
        })
    }

    fn discard(&mut self, _offset: u64, _length: u64) -> Future<'_, Result<bool, HostError>> {
        Box::pin(async { Ok(false) })
    }

    fn sync(&mut self) -> Future<'_, Result<(), HostError>> {
        Box::pin(async {
            self.rack
                .say(self.server, format!("{}: written, waits for the medium", self.name));
            let synced = if self.drive.waits() {
                // fsync of a full page cache takes seconds, in which every other machine would stand still
                let drive = self.drive.clone();
                tokio::task::spawn_blocking(move || drive.sync())
                    .await
                    .unwrap_or_else(|e| Err(std::io::Error::other(e)))
            } else {
                self.drive.sync()
            };
            synced.map_err(|e| failed("sync".into(), &self.name, e))
        })
    }
}

/// The daemon at the URL of the kernel command line, asked from the machine's own address.
pub(crate) struct NetDaemon {
    pub(crate) rack: Arc<Emulated>,
    pub(crate) from: Ipv4Addr,
    pub(crate) url: String,
    pub(crate) token: String,
}

impl NetDaemon {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        range: Option<u64>,
    ) -> Result<http::Response<axum::body::Body>, DaemonError> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(offset) = range {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
        }
        let request = request
            .body(body)
            .map_err(|e| DaemonError::Unreachable(e.to_string()))?;
        let answer = self.rack.config.net.http(self.from, request).await;
        let answer = answer.map_err(|e| DaemonError::Unreachable(e.to_string()))?;
        match answer.status() {
            StatusCode::OK if range.is_none() => Ok(answer),
            StatusCode::PARTIAL_CONTENT if range.is_some() => Ok(answer),
            s @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::GONE) => {
                Err(DaemonError::Refused(s.to_string()))
            }
            s => Err(DaemonError::Unreachable(format!("it answered {s}"))),
        }
    }
}

impl Daemon for NetDaemon {
    fn poll<'a>(&'a self, state: &'a AgentState, wait: Duration) -> Future<'a, Result<Order, DaemonError>> {
        Box::pin(async move {
            let body = serde_json::to_vec(state).map_err(|e| DaemonError::Unreachable(e.to_string()))?;
            let path = format!("/agent/v1/poll?wait={}", wait.as_secs());
            let answer = self.ask(Method::POST, &path, body.into(), None).await?;
            let body = http_body_util::Limited::new(answer.into_body(), ORDER_LIMIT)
                .collect()
                .await;
            let body = body.map_err(|e| DaemonError::Unreachable(e.to_string()))?.to_bytes();
            serde_json::from_slice(&body)
                .map_err(|e| DaemonError::Unreachable(format!("its answer is not an order: {e}")))
        })
    }

    fn blob<'a>(&'a self, path: &'a str, offset: u64) -> Future<'a, Result<Blob, DaemonError>> {
        Box::pin(async move {
            let answer = self
                .ask(Method::GET, path, Bytes::new(), (offset > 0).then_some(offset))
                .await?;
            let stream = answer.into_body().into_data_stream();
            let stream = stream.map(|chunk| chunk.map_err(|e| DaemonError::Unreachable(e.to_string())));
            Ok(Box::pin(stream) as Blob)
        })
    }
}
