//! A small, healthy tree, and a service over real sockets that serves it with something wrong in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Documents by path.
pub type Tree = BTreeMap<String, Value>;

pub const SYSTEM: &str = "/redfish/v1/Systems/1";
pub const CHASSIS: &str = "/redfish/v1/Chassis/1";
/// Parts of the healthy system.
pub const PARTS: usize = 2 + 4 + 2 + 2 + 2 + 3;

fn link(path: impl Into<String>) -> Value {
    json!({"@odata.id": path.into()})
}

fn collect(tree: &mut Tree, path: &str, members: Vec<(&str, Value)>) {
    let links: Vec<Value> = members.iter().map(|(id, _)| link(format!("{path}/{id}"))).collect();
    tree.insert(
        path.into(),
        json!({"@odata.id": path, "Name": "Collection", "Members@odata.count": links.len(), "Members": links}),
    );
    for (id, mut doc) in members {
        doc["@odata.id"] = format!("{path}/{id}").into();
        doc["Id"] = id.into();
        doc["Status"] = json!({"State": "Enabled", "Health": "OK"});
        tree.insert(format!("{path}/{id}"), doc);
    }
}

/// A server with two processors, four modules, two ports, two drives, two supplies and three fans, 412 W; and a PDU.
pub fn healthy() -> Tree {
    let mut t = Tree::new();
    t.insert(
        "/redfish/v1".into(),
        json!({"@odata.id": "/redfish/v1/", "Name": "Root", "RedfishVersion": "1.15.0",
            "Systems": link("/redfish/v1/Systems"), "Chassis": link("/redfish/v1/Chassis"), "Managers": link("/redfish/v1/Managers"),
            "UpdateService": link("/redfish/v1/UpdateService"), "EventService": link("/redfish/v1/EventService"),
            "PowerEquipment": link("/redfish/v1/PowerEquipment")}),
    );
    let system = json!({"Manufacturer": "Contoso", "Model": "S1", "SerialNumber": "SN1", "UUID": "11112222-3333-4444-5555-666677778888",
        "PowerState": "On", "BiosVersion": "1.0", "SystemType": "Physical",
        "Processors": link(format!("{SYSTEM}/Processors")), "Memory": link(format!("{SYSTEM}/Memory")),
        "EthernetInterfaces": link(format!("{SYSTEM}/EthernetInterfaces")), "Storage": link(format!("{SYSTEM}/Storage")),
        "LogServices": link(format!("{SYSTEM}/LogServices")),
        "Boot": {"BootSourceOverrideTarget": "None", "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"]},
        "Actions": {"#ComputerSystem.Reset": {"target": format!("{SYSTEM}/Actions/ComputerSystem.Reset"),
            "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"]}},
        "Links": {"Chassis": [link(CHASSIS)], "ManagedBy": [link("/redfish/v1/Managers/bmc")]}});
    collect(&mut t, "/redfish/v1/Systems", vec![("1", system)]);
    let processor = || json!({"ProcessorType": "CPU", "Model": "P", "TotalCores": 32, "TotalThreads": 64});
    collect(
        &mut t,
        &format!("{SYSTEM}/Processors"),
        vec![("cpu1", processor()), ("cpu2", processor())],
    );
    let dimm = || json!({"CapacityMiB": 32768, "MemoryDeviceType": "DDR5"});
    let dimms = ["dimm1", "dimm2", "dimm3", "dimm4"].map(|id| (id, dimm()));
    collect(&mut t, &format!("{SYSTEM}/Memory"), dimms.into());
    let nic = |n: u8| json!({"MACAddress": format!("02:00:00:00:00:0{n}"), "SpeedMbps": 25000, "LinkStatus": "LinkUp"});
    collect(
        &mut t,
        &format!("{SYSTEM}/EthernetInterfaces"),
        vec![("nic1", nic(1)), ("nic2", nic(2))],
    );
    let drive = |n: u8| json!({"CapacityBytes": 960_197_124_096u64, "Protocol": "NVMe", "MediaType": "SSD", "SerialNumber": format!("D{n}")});
    let drives = format!("{SYSTEM}/Storage/s/Drives");
    let store = json!({"Drives": [link(format!("{drives}/d1")), link(format!("{drives}/d2"))]});
    collect(&mut t, &format!("{SYSTEM}/Storage"), vec![("s", store)]);
    collect(&mut t, &drives, vec![("d1", drive(1)), ("d2", drive(2))]);
    let chassis = json!({"ChassisType": "RackMount", "Manufacturer": "Contoso", "Model": "S1", "SerialNumber": "SN1",
        "Power": link(format!("{CHASSIS}/Power")), "Thermal": link(format!("{CHASSIS}/Thermal")),
        "Sensors": link(format!("{CHASSIS}/Sensors")), "Links": {"ComputerSystems": [link(SYSTEM)]}});
    collect(&mut t, "/redfish/v1/Chassis", vec![("1", chassis)]);
    let supply = |n: u8| json!({"MemberId": n.to_string(), "Model": "PSU", "PowerInputWatts": 206, "PowerCapacityWatts": 800, "Status": {"State": "Enabled", "Health": "OK"}});
    t.insert(
        format!("{CHASSIS}/Power"),
        json!({"PowerControl": [{"Name": "System", "PowerConsumedWatts": 412, "PowerLimit": {"LimitInWatts": null}}],
            "PowerSupplies": [supply(0), supply(1)]}),
    );
    let fan = |n: u8| json!({"MemberId": n.to_string(), "Name": format!("Fan {n}"), "Reading": 5000, "ReadingUnits": "RPM", "Status": {"State": "Enabled", "Health": "OK"}});
    t.insert(
        format!("{CHASSIS}/Thermal"),
        json!({"Fans": [fan(0), fan(1), fan(2)], "Temperatures": [{"MemberId": "0", "Name": "Inlet", "PhysicalContext": "Intake", "ReadingCelsius": 22.5,
            "Status": {"State": "Enabled", "Health": "OK"}}]}),
    );
    let sensor = json!({"Name": "Total Power", "ReadingType": "Power", "ReadingUnits": "W", "Reading": 412});
    collect(&mut t, &format!("{CHASSIS}/Sensors"), vec![("total", sensor)]);
    collect(
        &mut t,
        "/redfish/v1/Managers",
        vec![("bmc", json!({"ManagerType": "BMC", "FirmwareVersion": "2.3"}))],
    );
    t.insert(
        "/redfish/v1/UpdateService".into(),
        json!({"FirmwareInventory": link("/redfish/v1/UpdateService/FirmwareInventory")}),
    );
    let firmware = |v: &str| json!({"Name": "Firmware", "Version": v});
    let inventory = vec![("BMC", firmware("2.3")), ("BIOS", firmware("1.0"))];
    collect(&mut t, "/redfish/v1/UpdateService/FirmwareInventory", inventory);
    t.insert(
        "/redfish/v1/EventService".into(),
        json!({"ServerSentEventUri": "/redfish/v1/EventService/SSE"}),
    );
    let logs = format!("{SYSTEM}/LogServices");
    collect(
        &mut t,
        &logs,
        vec![(
            "SEL",
            json!({"LogEntryType": "SEL", "Entries": link(format!("{logs}/SEL/Entries"))}),
        )],
    );
    let entry = |at: &str| json!({"Created": at, "Message": "Something", "Severity": "OK"});
    collect(
        &mut t,
        &format!("{logs}/SEL/Entries"),
        vec![
            ("1", entry("2024-05-01T10:00:00Z")),
            ("2", entry("2025-05-01T10:00:00Z")),
        ],
    );
    t.insert(
        "/redfish/v1/PowerEquipment".into(),
        json!({"RackPDUs": link("/redfish/v1/PowerEquipment/RackPDUs")}),
    );
    let pdu = json!({"Name": "PDU", "SerialNumber": "PDU1", "Outlets": link("/redfish/v1/PowerEquipment/RackPDUs/1/Outlets"),
        "Metrics": link("/redfish/v1/PowerEquipment/RackPDUs/1/Metrics")});
    collect(&mut t, "/redfish/v1/PowerEquipment/RackPDUs", vec![("1", pdu)]);
    t.insert(
        "/redfish/v1/PowerEquipment/RackPDUs/1/Metrics".into(),
        json!({"PowerWatts": {"Reading": 1200}}),
    );
    let outlet = json!({"PowerState": "On", "PowerWatts": {"Reading": 206}});
    collect(
        &mut t,
        "/redfish/v1/PowerEquipment/RackPDUs/1/Outlets",
        vec![("A1", outlet.clone()), ("A2", outlet)],
    );
    t
}

/// What one path answers instead of its document.
#[derive(Clone)]
pub enum Wrong {
    /// Status line and headers, and the body.
    Answer(&'static str, Vec<u8>),
    /// Status line and headers, then this chunk again and again.
    Endless(&'static str, Vec<u8>),
    /// Nothing but these bytes; then the connection is cut.
    Cut(&'static [u8]),
}

/// When a service asks who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Never.
    Open,
    /// Sessions that end after so many requests.
    Sessions(usize),
    /// No session is left.
    Full,
    /// The password was changed.
    Closed,
}

/// A service, and what it was asked: method, path with query, and how the client showed who it is.
pub struct Service {
    pub tree: Tree,
    pub wrong: HashMap<String, Wrong>,
    pub door: Mutex<Door>,
    /// Headers of every answer.
    pub headers: &'static str,
    pub asked: Mutex<Vec<(String, String, &'static str)>>,
    tokens: Mutex<(usize, usize)>,
}

impl Service {
    pub fn new(tree: Tree) -> Service {
        Service {
            tree,
            wrong: HashMap::new(),
            door: Mutex::new(Door::Open),
            headers: "",
            asked: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    pub fn with(mut self, path: &str, wrong: Wrong) -> Service {
        self.wrong.insert(path.into(), wrong);
        self
    }

    /// How often `path` was asked for.
    pub fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| a.1 == path).count()
    }

    /// The address of it; it serves until the test ends.
    pub async fn serve(self) -> (String, Arc<Service>) {
        let service = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = service.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = shared.clone();
                tokio::spawn(async move { service.converse(socket).await });
            }
        });
        (url, service)
    }

    async fn converse(&self, mut socket: TcpStream) -> std::io::Result<()> {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await?);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let header = |name: &str| {
                let line = text.lines().find(|l| l.to_ascii_lowercase().starts_with(name));
                line.and_then(|l| l.split_once(": ")).map(|l| l.1.to_owned())
            };
            let length = header("content-length:").and_then(|l| l.parse().ok()).unwrap_or(0usize);
            socket.read_exact(&mut vec![0; length]).await?;
            let mut words = text.split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let token = header("x-auth-token:");
            let who = match (&token, header("authorization:")) {
                (Some(_), _) => "session",
                (_, Some(_)) => "password",
                _ => "nobody",
            };
            self.asked
                .lock()
                .unwrap()
                .push((method.into(), target.trim_end_matches('/').into(), who));
            let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
            let (status, body) = match (
                self.refuses(method, path, token.as_deref()),
                self.wrong.get(target.trim_end_matches('/')),
            ) {
                (Some(refusal), _) => refusal,
                (_, Some(Wrong::Answer(status, body))) => ((*status).to_owned(), body.clone()),
                (_, Some(Wrong::Cut(bytes))) => return socket.write_all(bytes).await,
                (_, Some(Wrong::Endless(status, chunk))) => {
                    let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
                    socket.write_all(head.as_bytes()).await?;
                    let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
                    loop {
                        socket.write_all(&chunk).await?;
                        tokio::time::sleep(Duration::ZERO).await;
                    }
                }
                (_, None) => match self.tree.get(path) {
                    Some(doc) => ("200 OK".into(), doc.to_string().into_bytes()),
                    None => ("404 Not Found".into(), b"{}".to_vec()),
                },
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{}\r\n",
                body.len(),
                self.headers
            );
            socket.write_all(head.as_bytes()).await?;
            socket.write_all(&body).await?;
        }
    }

    fn refuses(&self, method: &str, path: &str, token: Option<&str>) -> Option<(String, Vec<u8>)> {
        let login = method == "POST" && path.ends_with("/SessionService/Sessions");
        let door = *self.door.lock().unwrap();
        let no = || Some(("401 Unauthorized".to_owned(), b"{}".to_vec()));
        match door {
            Door::Open => None,
            Door::Full if login => Some(("503 Service Unavailable".into(), b"{}".to_vec())),
            Door::Full => None,
            Door::Closed if path == "/redfish/v1" => None,
            Door::Closed => no(),
            Door::Sessions(uses) => {
                let mut tokens = self.tokens.lock().unwrap();
                if login {
                    *tokens = (tokens.0 + 1, uses);
                    let head = format!(
                        "201 Created\r\nX-Auth-Token: t{}\r\nLocation: {path}/{}",
                        tokens.0, tokens.0
                    );
                    return Some((head, b"{}".to_vec()));
                }
                let token = token?;
                if tokens.1 == 0 || *token != format!("t{}", tokens.0) {
                    return no();
                }
                tokens.1 -= 1;
                None
            }
        }
    }
}

/// The same without sockets, so that time can stand still: texts by path; some are never answered.
#[derive(Default)]
pub struct Canned {
    pub texts: HashMap<String, Vec<u8>>,
    pub hanging: std::collections::HashSet<String>,
    pub asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl Canned {
    pub fn of(tree: &Tree) -> Canned {
        Canned {
            texts: tree
                .iter()
                .map(|(path, doc)| (path.clone(), doc.to_string().into_bytes()))
                .collect(),
            ..Canned::default()
        }
    }
}

impl hardware::transport::Transport for Canned {
    fn send(
        &self,
        request: http::Request<bytes::Bytes>,
        limits: hardware::transport::Limits,
    ) -> hardware::transport::Future<'_, Result<http::Response<bytes::Bytes>, hardware::TransportError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(request.method(), http::Method::GET, "observing sends GET only");
            let path = request.uri().path().trim_end_matches('/');
            if self.hanging.contains(path) {
                return std::future::pending().await;
            }
            let (status, body) = match self.texts.get(path) {
                Some(text) if text.len() > limits.body => return Err(hardware::TransportError::TooLarge(limits.body)),
                Some(text) => (200, text.clone()),
                None => (404, Vec::new()),
            };
            let answer = http::Response::builder().status(status).body(body.into());
            Ok(answer.unwrap())
        })
    }
}
