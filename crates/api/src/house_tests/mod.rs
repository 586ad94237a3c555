//! Requests to a whole router over a house of its own, in which no hardware answers and time stands until it is moved.

mod lab;
mod pages;
mod sessions;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use control::env::{Clock, Dial, Future, Probe, Random};
use control::record::StoredToken;
use control::secrets::{Secrets, fingerprint};
use control::{Config, Env, House, keys};
use hardware::{Credential, Driver, Mode};
use rack::intent::{BoxKind, IntendedBox, Intent};
use rack::request::{DeviceView, OutletView, Role};
use rack::{Health, Time};
use serde_json::Value;
use store::{Memory, Store, Txn};
use tower::ServiceExt as _;

/// Noon of some day.
const NOON: i64 = 1_764_072_000_000;
const HOST: &str = "rack.example:7400";
const PORT: u16 = 7400;
const HOSTILE: &str = "\"><script>alert(1)</script>&\u{202e}\u{1b}";

struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Time {
        Time::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

struct Nobody;

impl Dial for Nobody {
    fn driver(&self, _: &str, _: Option<&str>, _: Credential, _: Mode) -> Result<Arc<dyn Driver>, String> {
        Err("there is no hardware".into())
    }

    fn certificate<'a>(&'a self, _: &'a str) -> Future<'a, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }
}

impl Probe for Nobody {
    fn login(&self, _: IpAddr) -> Future<'_, bool> {
        Box::pin(async { false })
    }
}

struct Desk {
    house: House,
    clock: Arc<Standing>,
    app: Router,
    lab: crate::lab::Lab,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// What a browser would send back.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

/// A house with the tokens `admin` and `reader`, and a rack in which a hostile PDU and panel stand.
async fn desk() -> Desk {
    let store = Memory::new();
    let mut txn = Txn::new();
    for (name, role) in [("admin", Role::Admin), ("other", Role::Admin), ("reader", Role::Reader)] {
        let token = StoredToken {
            name: name.parse().unwrap(),
            role,
            created: Time::from_millis(0),
            fingerprint: fingerprint(name),
        };
        txn = txn.put(keys::token(&token.name), &token).unwrap();
    }
    let device = DeviceView {
        place: "r1/pdu-a".parse().unwrap(),
        kind: "pdu".into(),
        maker: Some(HOSTILE.into()),
        model: Some(HOSTILE.into()),
        serial: None,
        firmware: Some(HOSTILE.into()),
        url: "https://127.0.0.1:1".into(),
        path: HOSTILE.into(),
        mains: Vec::new(),
        health: Health::Ok,
        readings: Vec::new(),
        outlets: vec![OutletView {
            id: HOSTILE.into(),
            label: Some(HOSTILE.into()),
            power: None,
            watts: None,
            amps: None,
            switched: false,
        }],
    };
    let intent = Intent {
        boxes: vec![IntendedBox {
            unit: Some(3.0),
            kind: BoxKind::Other,
            name: Some(HOSTILE.into()),
            model: Some(HOSTILE.into()),
            ..IntendedBox::at("panel".parse().unwrap())
        }],
        ..Intent::of("r1".parse().unwrap())
    };
    txn = txn.put(keys::device(&device.place), &device).unwrap();
    txn = txn.put(keys::intent(&intent.rack), &intent).unwrap();
    store.commit(txn).await.unwrap();
    let clock = Arc::new(Standing(AtomicI64::new(NOON)));
    let house = House::open(Env {
        store: Arc::new(store),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        random: Arc::new(Counting(AtomicU8::new(1))),
        dial: Arc::new(Nobody),
        probe: Arc::new(Nobody),
        secrets: Arc::new(Secrets::from_master(&[7; 32])),
        images: None,
        config: Arc::new(Config::default()),
    })
    .await
    .unwrap();
    let lab = crate::lab::Lab::default();
    let app = crate::router(house.clone(), PORT, lab.clone()).await;
    Desk { house, clock, app, lab }
}

impl Desk {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec(),
        }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(Method::GET, path, headers).await
    }

    async fn login(&self, token: &str) -> String {
        let answer = self.get(&format!("/login?token={token}"), &[]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
        answer.cookie()
    }
}
