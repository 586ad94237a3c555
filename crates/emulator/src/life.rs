//! What a server does from power-on on: self test, boot, agent or system. One task for each server; aborting it is
//! what pulling the plug is.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;

use crate::emulated::{Boot, Emulated, POWER_ON};
use crate::faults::Action;
use crate::firmware::{self, Client, Wanted};
use crate::host::{EmulatedHost, NetDaemon};
use crate::model::{Activity, Power};

/// Seconds of the self test.
pub const POST: f64 = 30.0;
/// Seconds from loader to first process.
const KERNEL: f64 = 6.0;
/// Seconds from loader to login of an installed system.
const SYSTEM: f64 = 20.0;
/// DHCP questions before firmware gives up, as UEFI does.
const DHCP_TRIES: u32 = 4;
/// Scripts that lead to another one.
const CHAINS: usize = 8;
/// Largest script.
const SCRIPT: usize = 64 << 10;
/// Times that a system asks for its metadata, and seconds between.
const METADATA_TRIES: u32 = 30;
const METADATA_PAUSE: f64 = 2.0;

/// Where a life begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Switched on.
    Off,
    /// Restarted.
    Post,
    /// The emulator started again under a system that was running.
    Os,
}

/// Lives until it is aborted or the machine is off.
pub(crate) async fn run(rack: Arc<Emulated>, i: usize, from: From) {
    if let Some(machines) = rack.config.machines.clone() {
        return crate::vm::live(rack, i, machines, from).await;
    }
    if from == From::Os {
        let off = Machine { rack: rack.clone(), i }.system(false).await;
        return ended(&rack, i, off);
    }
    self_test(&rack, i, from).await;
    rack.say(i, "Busbar emulated firmware: self test");
    rack.pause(POST).await;
    let off = Machine { rack: rack.clone(), i }.boot().await;
    ended(&rack, i, off);
}

fn ended(rack: &Arc<Emulated>, i: usize, off: bool) {
    if off {
        rack.off(i, false);
    } else {
        rack.say(i, "no bootable device; staying in firmware");
        rack.set_activity(i, Activity::Stays);
    }
}

/// Power comes up, and the self test begins.
pub(crate) async fn self_test(rack: &Arc<Emulated>, i: usize, from: From) {
    if from == From::Off {
        rack.pause(POWER_ON).await;
    }
    rack.set_activity(i, Activity::Post);
    if from == From::Off {
        rack.set_power(i, Power::On);
    }
    let core = &rack.servers[i].core;
    crate::redfish::booted(core);
    let (now, origin) = ((rack.config.clock)(), "/redfish/v1/Systems/1");
    core.emit(
        now,
        "ResourceEvent.1.3.ResourceStateChanged",
        "The server boots.",
        origin,
    );
    let place = &rack.servers[i].spec.place;
    if rack.faults.inside(place, |a| *a == Action::StuckPost).is_some() {
        rack.say(i, "self test: memory training does not end");
        let text = "The self test does not end.";
        let kind = "ResourceEvent.1.3.ResourceStatusChangedCritical";
        core.tell((rack.config.clock)(), "Critical", kind, text, origin);
        std::future::pending::<()>().await;
    }
}

/// What is to be booted now. An override for once is used up, and firmware settings that waited for a start hold.
pub(crate) fn take_boot(rack: &Emulated, i: usize) -> Boot {
    let boot = {
        let mut state = rack.state(i);
        let [_, pending] = state.turbo;
        state.turbo = [pending; 2];
        let boot = state.boot.clone();
        if boot.enabled == "Once" {
            state.boot.enabled = "Disabled".to_string();
            state.boot.target = "None".to_string();
            state.boot.uri.clear();
        }
        boot
    };
    rack.save();
    boot
}

struct Machine {
    rack: Arc<Emulated>,
    i: usize,
}

struct Lease {
    address: Ipv4Addr,
    file: Option<String>,
}

impl Machine {
    fn say(&self, line: impl Into<String>) {
        self.rack.say(self.i, line);
    }

    /// Boots by the override, else the disk, else the network; a server without a BMC the network first. True when the machine went off by itself.
    async fn boot(&self) -> bool {
        self.rack.set_activity(self.i, Activity::Firmware);
        let boot = take_boot(&self.rack, self.i);
        let target = if boot.enabled == "Disabled" {
            "None"
        } else {
            boot.target.as_str()
        };
        self.say(format!("boot override: {target}"));
        match target {
            "BiosSetup" => false,
            "Pxe" => self.network(Client::Ipxe, None).await,
            "UefiHttp" => {
                self.network(Client::UefiHttp, Some(boot.uri).filter(|u| !u.is_empty()))
                    .await
            }
            "Cd" => {
                // nothing emulated runs from a medium, so that it is as a blank one
                self.say("virtual CD: no system on it");
                false
            }
            "Hdd" => self.disk().await,
            _ if self.rack.servers[self.i].spec.bmc.is_none() => {
                self.network(Client::Ipxe, None).await || self.disk().await
            }
            _ if self.bootable() => self.disk().await,
            _ => self.network(Client::UefiHttp, None).await,
        }
    }

    fn bootable(&self) -> bool {
        self.rack.servers[self.i].drives.iter().any(|d| d.bootable())
    }

    async fn disk(&self) -> bool {
        if !self.bootable() {
            return false;
        }
        self.system(true).await
    }

    async fn dhcp(&self, client: Client) -> Option<Lease> {
        let spec = &self.rack.servers[self.i].spec;
        let relay = self.rack.config.relay;
        let mut offer = None;
        for attempt in 0..DHCP_TRIES * 2 {
            // unlike for each question of each machine, and the same in every run
            let mac = spec.macs[0].0;
            let boots = self.rack.state(self.i).boots as u32;
            let xid = u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]]).wrapping_add(boots << 16) ^ (attempt << 8);
            let question = firmware::dhcp(client, spec.macs[0], spec.uuid, xid, relay, offer);
            let mut answer = self.rack.config.net.dhcp(relay, question).await;
            if answer.is_some()
                && self
                    .rack
                    .faults
                    .inside(&spec.place, |a| *a == Action::DropDhcp)
                    .is_some()
            {
                answer = None;
            }
            match answer.as_deref().and_then(|a| firmware::reply(a, xid)) {
                Some(r) if r.kind == 2 && offer.is_none() => offer = Some((r.address, r.server.unwrap_or(relay))),
                Some(r) if r.kind == 5 => {
                    self.say(format!("net0: {} by DHCP", r.address));
                    self.rack.state(self.i).address = Some(r.address);
                    return Some(Lease {
                        address: r.address,
                        file: r.file,
                    });
                }
                _ => {
                    offer = None;
                    self.rack.pause(f64::from(1 << attempt.min(4))).await;
                }
            }
        }
        self.say("net0: no DHCP answer");
        None
    }

    async fn get(&self, from: Ipv4Addr, url: &str) -> Option<Response<Body>> {
        let request = Request::get(url).body(Bytes::new()).ok()?;
        match self.rack.config.net.http(from, request).await {
            Ok(answer) if answer.status().is_success() => Some(answer),
            Ok(answer) => {
                self.say(format!("HTTP boot: the server answered {}", answer.status()));
                None
            }
            Err(e) => {
                self.say(format!("HTTP boot: {e}"));
                None
            }
        }
    }

    /// Takes a body and drops it, as loading into memory would; says how long it was.
    async fn load(&self, from: Ipv4Addr, url: &str) -> Option<u64> {
        let mut body = self.get(from, url).await?.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.ok()?.data_ref().map_or(0, |d| d.len() as u64);
        }
        Some(length)
    }

    /// Network boot: by UEFI HTTP to iPXE, or by iPXE in the port's ROM at once; then what the script says.
    async fn network(&self, first: Client, uri: Option<String>) -> bool {
        let Some(mut lease) = self.dhcp(first).await else {
            return false;
        };
        if first == Client::UefiHttp {
            let Some(url) = uri.or(lease.file.take()) else {
                self.say("HTTP boot: the DHCP answer names no file");
                return false;
            };
            let Some(length) = self.load(lease.address, &url).await else {
                return false;
            };
            self.say(format!("HTTP boot: {length} bytes loaded"));
            match self.dhcp(Client::Ipxe).await {
                Some(again) => lease = again,
                None => return false,
            }
        }
        let Some(mut url) = lease.file.clone() else {
            self.say("iPXE: the DHCP answer names no script");
            return false;
        };
        let spec = &self.rack.servers[self.i].spec;
        let settings = [
            ("net0/mac", spec.macs[0].to_string()),
            ("uuid", spec.uuid.to_string()),
            ("serial", spec.serial.clone()),
            ("net0/ip", lease.address.to_string()),
            ("platform", "efi".to_string()),
            ("buildarch", "x86_64".to_string()),
        ];
        for _ in 0..CHAINS {
            url = url
                .replace("${net0/mac}", &settings[0].1)
                .replace("${uuid}", &settings[1].1);
            url = url.replace("${serial}", &settings[2].1);
            let Some(answer) = self.get(lease.address, &url).await else {
                return false;
            };
            let body = http_body_util::Limited::new(answer.into_body(), SCRIPT).collect().await;
            let Ok(text) = body.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()) else {
                return false;
            };
            match firmware::script(&text, &settings) {
                Err(e) => {
                    self.say(format!("iPXE: the script can't be run: {e}"));
                    return false;
                }
                Ok(Wanted::Chain(next)) => url = absolute(&url, &next),
                Ok(Wanted::Disk | Wanted::Exit) => {
                    self.say("iPXE: on to the disk");
                    return self.disk().await;
                }
                Ok(Wanted::Kernel { kernel, line, initrds }) => {
                    for file in std::iter::once(&kernel).chain(&initrds) {
                        let Some(length) = self.load(lease.address, &absolute(&url, file)).await else {
                            return false;
                        };
                        self.say(format!(
                            "iPXE: {} {length} bytes ok",
                            file.rsplit('/').next().unwrap_or_default()
                        ));
                    }
                    return self.agent(lease.address, &line).await;
                }
            }
        }
        self.say("iPXE: too many scripts one after another");
        false
    }

    /// The agent, from the kernel command line.
    async fn agent(&self, from: Ipv4Addr, line: &str) -> bool {
        let word = |key: &str| {
            line.split_whitespace()
                .find_map(|w| w.strip_prefix(key))
                .map(str::to_string)
        };
        let (Some(url), Some(token)) = (word("busbar.url="), word("busbar.token=")) else {
            self.say("kernel: no busbar.url= and busbar.token=: nothing to do");
            return false;
        };
        self.rack.pause(KERNEL).await;
        self.rack.set_activity(self.i, Activity::Agent);
        self.say("agent: started");
        let boots = self.rack.state(self.i).boots;
        let now = (self.rack.config.clock)().as_millis();
        let uuid = self.rack.servers[self.i].spec.uuid;
        let boot_id = uuid::Uuid::new_v5(&uuid, format!("{boots} {now}").as_bytes()).to_string();
        let host = EmulatedHost {
            rack: self.rack.clone(),
            server: self.i,
            boot_id,
        };
        let daemon = NetDaemon {
            rack: self.rack.clone(),
            from,
            url,
            token,
        };
        agent::run(&host, &daemon).await;
        self.say("agent: powering off");
        true
    }

    /// The installed system: address, metadata, login. Runs until it is stopped.
    async fn system(&self, fresh: bool) -> bool {
        if fresh {
            self.rack.set_activity(self.i, Activity::Booting);
            self.say("GRUB loading; Linux starting");
            self.rack.pause(SYSTEM).await;
        }
        let kept = self.rack.state(self.i).address.filter(|_| !fresh);
        let address = match kept {
            Some(address) => address,
            None => match self.dhcp(Client::System).await {
                Some(lease) => lease.address,
                None => {
                    self.say("cloud-init: no network");
                    self.rack.set_activity(self.i, Activity::Os);
                    return std::future::pending().await;
                }
            },
        };
        if fresh {
            for _ in 0..METADATA_TRIES {
                if let Some(name) = self.metadata(address).await {
                    self.say(format!("cloud-init: host name {name}"));
                    self.rack.state(self.i).host_name = name;
                    break;
                }
                self.rack.pause(METADATA_PAUSE).await;
            }
        }
        let _login = match self.rack.config.net.login(address).await {
            Ok(guard) => Some(guard),
            Err(e) => {
                self.say(format!("sshd: {e}"));
                None
            }
        };
        self.rack.set_activity(self.i, Activity::Os);
        let host = self.rack.state(self.i).host_name.clone();
        self.rack.servers[self.i].serial.prompt(&host);
        std::future::pending().await
    }

    /// As cloud-init asks: NoCloud's files, then IMDSv2 with its token. The host name.
    async fn metadata(&self, from: Ipv4Addr) -> Option<String> {
        self.ask(from, Method::GET, "/nocloud/meta-data", None).await?;
        self.ask(from, Method::GET, "/nocloud/user-data", None).await;
        let token = self.ask(from, Method::PUT, "/latest/api/token", None).await?;
        self.ask(from, Method::GET, "/latest/meta-data/instance-id", Some(&token))
            .await?;
        self.ask(from, Method::GET, "/latest/meta-data/local-hostname", Some(&token))
            .await
    }

    async fn ask(&self, from: Ipv4Addr, method: Method, path: &str, token: Option<&str>) -> Option<String> {
        let url = format!("{}{path}", self.rack.config.metadata.trim_end_matches('/'));
        let mut request = Request::builder()
            .method(&method)
            .uri(url)
            .header("host", "169.254.169.254");
        if method == Method::PUT {
            request = request.header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        }
        if let Some(token) = token {
            request = request.header("x-aws-ec2-metadata-token", token);
        }
        match self.rack.config.net.http(from, request.body(Bytes::new()).ok()?).await {
            Ok(answer) if answer.status().is_success() => {
                let body = http_body_util::Limited::new(answer.into_body(), SCRIPT)
                    .collect()
                    .await
                    .ok()?;
                Some(String::from_utf8_lossy(&body.to_bytes()).into_owned())
            }
            Ok(answer) => {
                self.say(format!("cloud-init: {path}: {}", answer.status()));
                None
            }
            Err(e) => {
                self.say(format!("cloud-init: {e}"));
                None
            }
        }
    }
}

/// A reference against the URL that it stands in.
fn absolute(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_string();
    }
    let root = base.find("://").map_or(0, |i| i + 3);
    let host_end = base[root..].find('/').map_or(base.len(), |i| root + i);
    if reference.starts_with('/') {
        return format!("{}{reference}", &base[..host_end]);
    }
    let path = base.split(['?', '#']).next().unwrap_or(base);
    match path.rfind('/').filter(|i| *i >= host_end) {
        Some(i) => format!("{}/{reference}", &path[..i]),
        None => format!("{path}/{reference}"),
    }
}
