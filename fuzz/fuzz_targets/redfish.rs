//! Any documents of a service: the whole discovery, readings, limits, log and events, in-process and with time standing
//! still. The input is cut at zero bytes into documents; which of them a path answers is decided by the path.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use hardware::transport::{ByteStream, Future, Limits, Transport, TransportError};
use hardware::{Credential, Mode, Redfish};
use libfuzzer_sys::fuzz_target;
use rack::node::BmcAddress;
use rack::{Time, Unit};

const ROOT: &str = r#"{"Systems": {"@odata.id": "/redfish/v1/Systems"}, "Chassis": {"@odata.id": "/redfish/v1/Chassis"},
    "Managers": {"@odata.id": "/redfish/v1/Managers"}, "UpdateService": {"@odata.id": "/redfish/v1/UpdateService"},
    "PowerEquipment": {"@odata.id": "/redfish/v1/PowerEquipment"}, "ThermalEquipment": {"@odata.id": "/redfish/v1/ThermalEquipment"}}"#;
/// Collections of two, so that an input of one document has systems to be of.
const MEMBERS: [&str; 3] = ["Systems", "Chassis", "Managers"];

struct Service {
    documents: Vec<Bytes>,
    asked: Arc<AtomicUsize>,
}

impl Service {
    fn body(&self, path: &str) -> Bytes {
        let path = path.trim_end_matches('/');
        if path == "/redfish/v1" {
            return Bytes::from_static(ROOT.as_bytes());
        }
        if let Some(name) = path.strip_prefix("/redfish/v1/").filter(|n| MEMBERS.contains(n)) {
            let links = r#"{"Members": [{"@odata.id": "PATH/1"}, {"@odata.id": "PATH/2"}]}"#;
            return links.replace("PATH", &format!("/redfish/v1/{name}")).into();
        }
        let hash = path.bytes().fold(7usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        self.documents[hash % self.documents.len()].clone()
    }
}

impl Transport for Service {
    fn send(&self, request: http::Request<Bytes>, _: Limits) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        assert_eq!(request.method(), http::Method::GET);
        assert_eq!(request.uri().host(), Some("bmc.test"));
        self.asked.fetch_add(1, Ordering::Relaxed);
        let body = self.body(request.uri().path());
        Box::pin(async move { Ok(http::Response::new(body)) })
    }

    fn stream(&self, _: http::Request<Bytes>, _: Limits) -> Future<'_, Result<http::Response<ByteStream>, TransportError>> {
        let chunks: Vec<_> = self.documents.iter().cloned().map(Ok).collect();
        let body: ByteStream = Box::pin(futures_util::stream::iter(chunks));
        Box::pin(async move { Ok(http::Response::new(body)) })
    }
}

fuzz_target!(|input: &[u8]| {
    let documents: Vec<Bytes> = input.split(|b| *b == 0).take(32).map(Bytes::copy_from_slice).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let service = Service {
        documents,
        asked: asked.clone(),
    };
    let credential = Credential {
        user: "a".into(),
        password: "b".into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let bmc = Redfish::new("https://bmc.test", Arc::new(service), credential, Mode::Observe);
        if let Ok(mut events) = bmc.events(None).await {
            while let Some(event) = events.next().await {
                assert!(event.message.is_none_or(|m| m.chars().count() <= 256));
            }
        }
        let Ok(found) = bmc.discover().await else { return };
        assert!(asked.load(Ordering::Relaxed) < 10_000);
        for device in &found.devices {
            assert!(device.watts.is_none_or(|w| w > 0.0 && w < 1e7));
            assert!(device.readings.iter().all(|r| r.1.is_none_or(f64::is_finite)));
        }
        for system in found.systems.iter().take(2) {
            let mut ids: Vec<&str> = system.parts.iter().map(|p| p.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), system.parts.len());
            serde_json::to_string(&(&system.parts, &system.identity, &system.abilities)).expect("it can be kept");
            let at = BmcAddress {
                url: "https://bmc.test".into(),
                system: system.system.clone(),
                manager: system.manager.clone(),
                chassis: system.chassis.clone(),
                credential: "lab".parse().expect("a name"),
                certificate: None,
            };
            let _ = (bmc.glance(&at).await, bmc.caps(&at).await, bmc.log_entries(&at, 20).await);
            for r in bmc.readings(&at, Time::from_millis(0)).await.unwrap_or_default() {
                assert!(r.value.is_none_or(f64::is_finite));
                assert!(r.unit != Unit::Watts || r.value.is_none_or(|w| w > 0.0 && w < 1e6));
            }
        }
    });
});
