//! Shapes of trees that no captured box has: each is a small service made of documents, with the source of what it shows.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use common::{address, answer_time, bmc};
use hardware::transport::{Future, Limits, Transport, TransportError};
use hardware::{DeviceKind, Found, FoundSystem, Mode, Redfish};
use rack::node::DriveBus;
use rack::{Health, Part, PartKind, Time};
use serde_json::{Value, json};

/// Serves documents by their path; everything else is 404.
#[derive(Clone, Default)]
struct Tree {
    documents: Arc<BTreeMap<String, Value>>,
    /// Of how many paths one answers at its slowest, and which; at once when not told.
    slow: Option<(u32, u32)>,
}

/// A service of these documents, whose root links to `Systems` and `Chassis`.
fn tree(documents: Value) -> Tree {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let mut root =
        json!({"Systems": {"@odata.id": "/redfish/v1/Systems"}, "Chassis": {"@odata.id": "/redfish/v1/Chassis"}});
    for (path, doc) in documents.as_object().unwrap() {
        if path.is_empty() {
            root.as_object_mut().unwrap().extend(doc.as_object().unwrap().clone());
            continue;
        }
        all.insert(format!("/redfish/v1/{path}"), doc.clone());
    }
    all.insert("/redfish/v1".into(), root);
    Tree {
        documents: Arc::new(all),
        slow: None,
    }
}

impl Transport for Tree {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _limits: Limits,
    ) -> Future<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let path = request.uri().path().trim_end_matches('/').to_owned();
            if let Some((of, salt)) = self.slow {
                tokio::time::sleep(answer_time(&path, of, salt)).await;
            }
            let query = request.uri().query().map(|q| format!("{path}?{q}"));
            let found = query.and_then(|q| self.documents.get(&q)).or(self.documents.get(&path));
            let (status, body) = match found {
                Some(doc) => (200, serde_json::to_vec(doc).unwrap()),
                None => (404, b"{}".to_vec()),
            };
            Ok(http::Response::builder()
                .status(status)
                .body(Bytes::from(body))
                .unwrap())
        })
    }
}

/// Links to these paths, below the root.
fn to(paths: &[&str]) -> Value {
    paths
        .iter()
        .map(|p| json!({"@odata.id": format!("/redfish/v1/{p}")}))
        .collect()
}

/// A collection of these paths.
fn all(paths: &[&str]) -> Value {
    json!({ "Members": to(paths) })
}

fn at(path: &str) -> Value {
    json!({"@odata.id": format!("/redfish/v1/{path}")})
}

fn reset() -> Value {
    json!({"#ComputerSystem.Reset": {"target": "/redfish/v1/Systems/x/Reset", "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}})
}

fn service(tree: &Tree) -> Redfish {
    bmc("https://bmc.test", tree.clone(), Mode::Observe)
}

async fn found(tree: &Tree) -> Found {
    service(tree).discover().await.unwrap()
}

async fn machine(tree: &Tree) -> FoundSystem {
    let mut machines: Vec<FoundSystem> = found(tree).await.systems.into_iter().filter(|s| s.is_machine).collect();
    assert_eq!(machines.len(), 1, "{machines:#?}");
    machines.remove(0)
}

async fn watts(tree: &Tree, system: &FoundSystem) -> Option<f64> {
    let bmc = service(tree);
    let at = address("https://bmc.test", system);
    let first = bmc.readings(&at, Time::from_millis(0)).await.unwrap();
    let again = bmc.readings(&at, Time::from_millis(0)).await.unwrap();
    assert_eq!(first, again, "a poll tells what the first look told");
    first[0].value
}

fn count(parts: &[Part], kind: fn(&PartKind) -> bool) -> usize {
    parts.iter().filter(|p| kind(&p.kind)).count()
}

fn macs(system: &FoundSystem) -> Vec<String> {
    let mac = |p: &Part| match p.kind {
        PartKind::Nic { mac, .. } => mac.map(|m| m.to_string()),
        _ => None,
    };
    system.parts.iter().filter_map(mac).collect()
}

/// iLO 4 2.30 and later: Redfish 1.0 beside the older REST API in the same documents: `links` with `href`, a maker's own
/// memory, adapters and drives (iLO 4 REST API reference).
#[tokio::test(start_paused = true)]
async fn a_service_from_before_the_standard_shows_its_parts() {
    let v = "Systems/1";
    let tree = tree(json!({
        "Systems": {"Type": "Collection.1.0.0", "links": {"Member": [{"href": "/redfish/v1/Systems/1"}]}, "Members": to(&[v]), "Members@odata.count": 1},
        "Systems/1": {
            "Type": "ComputerSystem.1.0.1", "Manufacturer": "HP", "Model": "ProLiant DL360 Gen9", "SerialNumber": "CZ3999X000",
            "UUID": "30373237-3132-4d32-3235-303230354d57", "PowerState": "On", "Actions": reset(), "Processors": {"Count": 2, "ProcessorFamily": "Xeon"},
            "ProcessorSummary": {"Count": 2, "Model": "Xeon E5-2640"}, "Memory": {"TotalSystemMemoryGB": 32},
            "links": {"Chassis": [{"href": "/redfish/v1/Chassis/1"}], "ManagedBy": [{"href": "/redfish/v1/Managers/1"}]},
            "Oem": {"Hp": {"links": {"Memory": {"href": "/redfish/v1/Systems/1/Memory"},
                "NetworkAdapters": {"href": "/redfish/v1/Systems/1/NetworkAdapters"},
                "SmartStorage": {"href": "/redfish/v1/Systems/1/SmartStorage"}}}},
        },
        "Systems/1/Memory": all(&["Systems/1/Memory/proc1dimm1", "Systems/1/Memory/proc1dimm2"]),
        "Systems/1/Memory/proc1dimm1": {"SizeMB": 16384, "DIMMStatus": "GoodInUse", "DIMMType": "DDR4", "Manufacturer": "HP"},
        "Systems/1/Memory/proc1dimm2": {"SizeMB": 0, "DIMMStatus": "NotPresent"},
        "Systems/1/NetworkAdapters": all(&["Systems/1/NetworkAdapters/1"]),
        "Systems/1/NetworkAdapters/1": {"Name": "331i", "SerialNumber": "N1", "Firmware": {"Current": {"VersionString": "17.4.41"}},
            "PhysicalPorts": [{"MacAddress": "3c:a8:2a:00:00:01", "Status": {"Health": "OK"}}, {"MacAddress": "3C-A8-2A-00-00-02"}, {"MacAddress": null}]},
        "Systems/1/SmartStorage": {"links": {"ArrayControllers": {"href": "/redfish/v1/Systems/1/SmartStorage/ArrayControllers"}}},
        "Systems/1/SmartStorage/ArrayControllers": all(&["Systems/1/SmartStorage/ArrayControllers/0"]),
        "Systems/1/SmartStorage/ArrayControllers/0": {"links": {"PhysicalDrives": {"href": "/redfish/v1/Systems/1/SmartStorage/ArrayControllers/0/DiskDrives"}}},
        "Systems/1/SmartStorage/ArrayControllers/0/DiskDrives": all(&["Systems/1/SmartStorage/ArrayControllers/0/DiskDrives/0"]),
        "Systems/1/SmartStorage/ArrayControllers/0/DiskDrives/0": {"CapacityMiB": 286102, "InterfaceType": "SAS", "Model": "EH0300", "SerialNumber": "D1",
            "FirmwareVersion": {"Current": {"VersionString": "HPD4"}}, "Status": {"State": "Enabled", "Health": "OK"}},
        "Chassis": all(&["Chassis/1"]),
        "Chassis/1": {"Manufacturer": "HP", "ChassisType": "RackMount", "Power": at("Chassis/1/Power"), "Thermal": at("Chassis/1/Thermal")},
        "Chassis/1/Power": {"PowerConsumedWatts": 118, "PowerControl": [{"PowerConsumedWatts": 118}], "PowerSupplies": [{"PowerCapacityWatts": 500, "Status": {"Health": "OK"}}]},
        "Chassis/1/Thermal": {"Temperatures": [{"Name": "01-Inlet Ambient", "PhysicalContext": "Intake", "CurrentReading": 21}],
            "Fans": [{"FanName": "Fan 1", "CurrentReading": 13, "Units": "Percent", "Status": {"Health": "OK"}}]},
        "Managers/1": {"ManagerType": "BMC", "FirmwareVersion": "iLO 4 v2.82"},
    }));
    let system = machine(&tree).await;
    assert_eq!(system.identity.bmc_firmware.as_deref(), Some("iLO 4 v2.82"));
    assert_eq!(count(&system.parts, |k| matches!(k, PartKind::Processor { .. })), 2);
    assert_eq!(
        count(
            &system.parts,
            |k| matches!(k, PartKind::Memory { size } if size.0 == 16 << 30)
        ),
        1
    );
    assert_eq!(
        count(&system.parts, |k| matches!(
            k,
            PartKind::Drive { bus: DriveBus::Sas, .. }
        )),
        1
    );
    assert_eq!(macs(&system), ["3c:a8:2a:00:00:01", "3c:a8:2a:00:00:02"]);
    assert_eq!(count(&system.parts, |k| matches!(k, PartKind::Supply { .. })), 1);
    assert_eq!(watts(&tree, &system).await, Some(118.0));
    let readings = service(&tree)
        .readings(&address("https://bmc.test", &system), Time::from_millis(0))
        .await
        .unwrap();
    let shown: Vec<(&str, Option<f64>)> = readings.iter().map(|r| (r.name.as_str(), r.value)).collect();
    assert_eq!(
        shown,
        [("watts", Some(118.0)), ("inlet", Some(21.0)), ("fan1", Some(13.0))]
    );
}

/// Four nodes in two units with one pair of supplies: a node has the watts of its own entry, or none (DSP0268 Power,
/// `RelatedItem`), and never those of its neighbours.
#[tokio::test(start_paused = true)]
async fn of_four_nodes_in_one_chassis_none_gets_the_watts_of_all() {
    let node = |n: u32| json!({"SerialNumber": format!("N{n}0"), "Manufacturer": "Contoso", "Actions": reset(), "Links": {"Chassis": to(&["Chassis/1"])}});
    let nodes = ["Systems/1", "Systems/2", "Systems/3", "Systems/4"];
    let mut documents = json!({
        "Systems": all(&nodes), "Systems/1": node(1), "Systems/2": node(2), "Systems/3": node(3), "Systems/4": node(4),
        "Chassis": all(&["Chassis/1"]),
        "Chassis/1": {"ChassisType": "RackMount", "SerialNumber": "C1", "Power": at("Chassis/1/Power"), "Links": {"ComputerSystems": to(&nodes)}},
        "Chassis/1/Power": {"PowerControl": [{"PowerConsumedWatts": 1600}], "PowerSupplies": [{"PowerInputWatts": 800}, {"PowerInputWatts": 800}]},
    });
    let all_of_it = tree(documents.clone());
    let systems = found(&all_of_it).await.systems;
    assert_eq!(systems.len(), 4);
    for system in &systems {
        assert_eq!(
            count(&system.parts, |k| matches!(k, PartKind::Supply { .. })),
            0,
            "the supplies are nobody's"
        );
        assert_ne!(system.identity.serial.as_deref(), Some("C1"));
        assert_eq!(watts(&all_of_it, system).await, None);
    }
    documents["Chassis/1/Power"] = json!({"PowerControl": [
        {"Name": "Chassis", "PowerConsumedWatts": 1600},
        {"Name": "Node 2", "PowerConsumedWatts": 390, "RelatedItem": to(&["Systems/2"])},
    ]});
    let by_node = tree(documents);
    assert_eq!(watts(&by_node, &systems[1]).await, Some(390.0));
    assert_eq!(watts(&by_node, &systems[0]).await, None);
}

/// An HGX baseboard is a system beside its host: no reset, no boot, and the accelerators that the host lacks (DGX H100).
#[tokio::test(start_paused = true)]
async fn a_pdu_is_as_well_as_the_worst_of_its_breakers() {
    let pdu = "PowerEquipment/RackPDUs/1";
    let branch = format!("{pdu}/Branches/A");
    let health = async |mains: Value, breaker: Value| {
        let circuits = |name: &str| at(&format!("{pdu}/{name}"));
        let tree = tree(json!({
            "": {"PowerEquipment": at("PowerEquipment")}, "Systems": all(&[]), "Chassis": all(&[]),
            "PowerEquipment": {"RackPDUs": at("PowerEquipment/RackPDUs")},
            "PowerEquipment/RackPDUs": all(&[pdu]),
            pdu: {"Name": "PDU", "Status": {"State": "Enabled", "Health": "OK"}, "Mains": circuits("Mains"), "Branches": circuits("Branches")},
            format!("{pdu}/Mains"): all(&[&format!("{pdu}/Mains/1")]), format!("{pdu}/Mains/1"): mains,
            format!("{pdu}/Branches"): all(&[&branch]), branch.as_str(): breaker,
        }));
        let found = found(&tree).await;
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        found.devices[0].health
    };
    let is = |health: &str| json!({"Status": {"State": "Enabled", "Health": health}});
    let tripped = json!({"BreakerState": "Tripped", "Status": {"State": "Enabled", "Health": "OK"}});
    let absent = json!({"BreakerState": "Tripped", "Status": {"State": "Absent"}});
    assert_eq!(health(is("OK"), is("OK")).await, Health::Ok);
    assert_eq!(health(is("OK"), is("Warning")).await, Health::Warning);
    assert_eq!(health(is("Critical"), is("OK")).await, Health::Critical);
    assert_eq!(health(is("OK"), tripped.clone()).await, Health::Critical);
    assert_eq!(health(tripped, is("OK")).await, Health::Critical);
    assert_eq!(health(is("OK"), absent).await, Health::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_baseboard_of_accelerators_is_a_part_of_its_host() {
    let found = found(&dgx()).await;
    let hosts: Vec<&FoundSystem> = found.systems.iter().filter(|s| s.is_machine).collect();
    let [host] = hosts.as_slice() else { panic!("{hosts:?}") };
    assert_eq!(
        count(&host.parts, |k| matches!(k, PartKind::Gpu { memory: Some(_) })),
        8
    );
    assert_eq!(count(&host.parts, |k| matches!(k, PartKind::Processor { .. })), 2);
    assert_eq!(count(&host.parts, |k| matches!(k, PartKind::Memory { .. })), 32);
    assert_eq!(macs(host).len(), 12);
    assert_eq!(host.chassis.as_deref(), Some("/redfish/v1/Chassis/DGX"));
    assert_eq!(watts(&dgx(), host).await, Some(4210.0));
}

/// A box of a DGX's size that does not expand: 42 chassis, 32 modules, 12 adapters, 40 firmwares, each one request.
fn dgx() -> Tree {
    let mut docs = serde_json::Map::new();
    let mut chassis = vec!["Chassis/DGX".to_owned(), "Chassis/HGX_Chassis_0".to_owned()];
    let path = |names: &[String]| names.iter().map(|p| at(p)).collect::<Vec<Value>>();
    for n in 0..40 {
        chassis.push(format!("Chassis/Board_{n}"));
        docs.insert(
            format!("Chassis/Board_{n}"),
            json!({"ChassisType": "Component", "Links": {"ComputerSystems": to(&["Systems/DGX"])}}),
        );
    }
    docs.insert("Chassis".into(), json!({"Members": path(&chassis)}));
    docs.insert("Chassis/HGX_Chassis_0".into(), json!({"ChassisType": "Module"}));
    docs.insert("Chassis/DGX".into(), json!({"ChassisType": "RackMount", "Manufacturer": "NVIDIA", "Model": "DGXH100", "SerialNumber": "1660224000000",
        "EnvironmentMetrics": at("Chassis/DGX/EnvironmentMetrics"), "NetworkAdapters": at("Chassis/DGX/NetworkAdapters")}));
    docs.insert(
        "Chassis/DGX/EnvironmentMetrics".into(),
        json!({"PowerWatts": {"Reading": 4210}}),
    );
    docs.insert("Systems".into(), all(&["Systems/DGX", "Systems/HGX_Baseboard_0"]));
    docs.insert(
        "Systems/DGX".into(),
        json!({"Actions": reset(), "UUID": "9f6b0000-0000-0000-0000-00000000d6c1", "PowerState": "On",
        "Links": {"Chassis": to(&["Chassis/DGX"]), "ManagedBy": to(&["Managers/BMC"])},
        "Processors": at("Systems/DGX/Processors"), "Memory": at("Systems/DGX/Memory")}),
    );
    docs.insert("Systems/HGX_Baseboard_0".into(), json!({"Links": {"Chassis": to(&["Chassis/HGX_Chassis_0"])}, "Processors": at("Systems/HGX_Baseboard_0/Processors")}));
    let mut collection = |at: &str, n: usize, doc: &dyn Fn(usize) -> Value| {
        let names: Vec<String> = (0..n).map(|i| format!("{at}/{i}")).collect();
        docs.insert(at.to_owned(), json!({"Members": path(&names)}));
        for (i, name) in names.into_iter().enumerate() {
            docs.insert(name, doc(i));
        }
    };
    collection(
        "Systems/DGX/Processors",
        2,
        &|_| json!({"ProcessorType": "CPU", "TotalCores": 56}),
    );
    collection("Systems/DGX/Memory", 32, &|_| json!({"CapacityMiB": 65536}));
    collection(
        "Systems/HGX_Baseboard_0/Processors",
        8,
        &|i| json!({"ProcessorType": "GPU", "SerialNumber": format!("G{i}7"), "MemorySummary": {"TotalMemorySizeMiB": 81_559}}),
    );
    collection(
        "Chassis/DGX/NetworkAdapters",
        12,
        &|i| json!({"Model": "CX7", "SerialNumber": format!("A{i}7"), "Ports": at(&format!("Chassis/DGX/NetworkAdapters/{i}/Ports"))}),
    );
    for i in 0..12 {
        collection(
            &format!("Chassis/DGX/NetworkAdapters/{i}/Ports"),
            1,
            &|_| json!({"Ethernet": {"AssociatedMACAddresses": [format!("94:6d:ae:00:00:{i:02x}")]}}),
        );
    }
    collection(
        "UpdateService/FirmwareInventory",
        40,
        &|i| json!({"Version": format!("{i}.1")}),
    );
    docs.insert("Managers/BMC".into(), json!({"ManagerType": "BMC"}));
    docs.insert(
        "UpdateService".into(),
        json!({"FirmwareInventory": at("UpdateService/FirmwareInventory")}),
    );
    docs.insert(String::new(), json!({"UpdateService": at("UpdateService")}));
    tree(Value::Object(docs))
}

/// The promise for the largest box, with one path in three hundred and one in a hundred at its slowest (21 s).
#[tokio::test(start_paused = true)]
async fn a_box_that_does_not_expand_is_read_within_a_minute() {
    for of in [300, 100] {
        let (mut worst, mut requests) = (0.0f64, 0);
        for salt in 0..10 {
            let tree = Tree {
                slow: Some((of, salt)),
                ..dgx()
            };
            let start = tokio::time::Instant::now();
            requests = found(&tree).await.requests;
            worst = worst.max(start.elapsed().as_secs_f64());
        }
        println!("a DGX's size without $expand: {requests} requests, {worst:.1} s with one path in {of} at 21 s");
        assert!(worst <= 60.0, "{worst} s");
    }
}

/// Pages, members in place of links, an expansion that comes back hollow, and a member that is broken.
#[tokio::test(start_paused = true)]
async fn collections_in_every_dress_give_all_their_members() {
    let dimm =
        |n: u32| json!({"@odata.id": format!("/redfish/v1/Systems/1/Memory/{n}"), "Id": n, "CapacityMiB": 32768});
    let tree = tree(json!({
        "": {"ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": true, "Levels": true}}},
        "Systems": all(&["Systems/1"]),
        "Systems/1": {"Actions": reset(), "SerialNumber": "S12", "Memory": at("Systems/1/Memory"), "Processors": at("Systems/1/Processors"), "EthernetInterfaces": at("Systems/1/EthernetInterfaces")},
        "Systems/1/Memory": {"Members": [dimm(1), dimm(2)], "Members@odata.nextLink": "/redfish/v1/Systems/1/Memory?$skip=2"},
        "Systems/1/Memory?$skip=2": {"Members": [dimm(3)], "Members@odata.nextLink": "/redfish/v1/Systems/1/Memory"},
        "Systems/1/Processors": {"Members": to(&["Systems/1/Processors/1", "Systems/1/Processors/2"]), "Members@odata.count": 2},
        "Systems/1/Processors?$expand=.($levels=1)": {"Members": [], "Members@odata.count": 2},
        "Systems/1/Processors/1": {"ProcessorType": "CPU", "TotalCores": 8},
        "Systems/1/EthernetInterfaces": {"Name": "no members at all"},
        "Chassis": {"Members": []},
    }));
    let system = machine(&tree).await;
    assert_eq!(count(&system.parts, |k| matches!(k, PartKind::Memory { .. })), 3);
    assert_eq!(
        count(&system.parts, |k| matches!(k, PartKind::Processor { .. })),
        1,
        "the other one answers 404"
    );
}

/// Blades in a loop of chassis: each links to the enclosure, which links back; an empty slot is no blade.
#[tokio::test(start_paused = true)]
async fn a_loop_of_chassis_ends_and_an_empty_slot_is_no_blade() {
    let tree = tree(json!({
        "Systems": all(&["Systems/B1", "Systems/B2", "Systems/B3"]),
        "Systems/B1": {"Actions": reset(), "SerialNumber": "B12", "Links": {"Chassis": to(&["Chassis/Board1"])}},
        "Systems/B2": {"Actions": reset(), "SerialNumber": "B23"},
        "Systems/B3": {"Actions": reset(), "Status": {"State": "Absent"}},
        "Chassis": all(&["Chassis/Board1", "Chassis/E", "Chassis/B2"]),
        "Chassis/Board1": {"ChassisType": "Card", "Links": {"ContainedBy": at("Chassis/E"), "ComputerSystems": to(&["Systems/B1"])}},
        "Chassis/E": {"ChassisType": "Enclosure", "Links": {"ContainedBy": at("Chassis/Board1"), "ComputerSystems": to(&["Systems/B1", "Systems/B2"])}},
        "Chassis/B2": {"ChassisType": "Blade", "EnvironmentMetrics": at("Chassis/B2/EnvironmentMetrics")},
        "Chassis/B2/EnvironmentMetrics": {"PowerWatts": {"Reading": 255.5}},
    }));
    let systems = found(&tree).await.systems;
    assert_eq!(systems.len(), 2);
    assert_eq!(watts(&tree, &systems[0]).await, None);
    let named_alike = FoundSystem {
        chassis: Some("/redfish/v1/Chassis/B2".into()),
        ..systems[1].clone()
    };
    assert_eq!(watts(&tree, &named_alike).await, Some(255.5));
}

/// What firmware leaves in registers and forms that nobody filled.
#[tokio::test(start_paused = true)]
async fn what_nobody_filled_in_is_no_reading_and_no_name() {
    for odd in [json!(0), json!(-1), json!(65535), json!(null), json!("N/A")] {
        let tree = tree(json!({
            "Systems": all(&["Systems/1"]),
            "Systems/1": {"Actions": reset(), "SerialNumber": "To be filled by O.E.M.", "UUID": "03000200-0400-0500-0006-000700080009", "Manufacturer": "Default string",
                "EthernetInterfaces": at("Systems/1/EthernetInterfaces"), "Links": {"Chassis": to(&["Chassis/1"])}},
            "Systems/1/EthernetInterfaces": all(&["Systems/1/EthernetInterfaces/1", "Systems/1/EthernetInterfaces/2", "Systems/1/EthernetInterfaces/3"]),
            "Systems/1/EthernetInterfaces/1": {"MACAddress": "00:00:00:00:00:00"},
            "Systems/1/EthernetInterfaces/2": {"MACAddress": "AC1F6B0A0B0C"},
            "Systems/1/EthernetInterfaces/3": {"MACAddress": "ac:1f:6b:0a:0b:0d", "VLAN": {"VLANEnable": true, "VLANId": 7}},
            "Chassis": all(&["Chassis/1"]),
            "Chassis/1": {"ChassisType": "RackMount", "SerialNumber": "C123", "Power": at("Chassis/1/Power")},
            "Chassis/1/Power": {"PowerControl": [{"PowerConsumedWatts": odd}]},
        }));
        let system = machine(&tree).await;
        assert_eq!(
            (
                system.identity.uuid.as_ref(),
                system.identity.serial.as_ref(),
                system.identity.maker.as_ref()
            ),
            (None, None, None)
        );
        assert_eq!(macs(&system), ["ac:1f:6b:0a:0b:0c", "ac:1f:6b:0a:0b:0d"]);
        assert_eq!(watts(&tree, &system).await, None, "{odd}");
    }
}

/// `Storages` instead of `Storage` (Redfish 1.0.2 of iBMC), drives of the chassis only, and a controller that is worse
/// than its drives.
#[tokio::test(start_paused = true)]
async fn drives_are_found_wherever_a_service_keeps_them() {
    let drive = json!({"CapacityBytes": 480_000_000_000u64, "Protocol": "SATA", "SerialNumber": "D12", "Status": {"State": "Enabled", "Health": "OK"}});
    let base = |system: Value, more: Value| {
        let mut docs = json!({"Systems": all(&["Systems/1"]), "Chassis": all(&["Chassis/1"]),
            "Chassis/1": {"ChassisType": "RackMount", "Drives": at("Chassis/1/Drives")},
            "Chassis/1/Drives": all(&["Chassis/1/Drives/0"]), "Chassis/1/Drives/0": drive});
        let mut doc = json!({"Actions": reset(), "SerialNumber": "S12"});
        doc.as_object_mut().unwrap().extend(system.as_object().unwrap().clone());
        docs["Systems/1"] = doc;
        docs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tree(docs)
    };
    let in_chassis = machine(&base(json!({}), json!({}))).await;
    assert_eq!(count(&in_chassis.parts, |k| matches!(k, PartKind::Drive { .. })), 1);
    let stores = json!({"Systems/1/Storages": all(&["Systems/1/Storages/0"]), "Systems/1/Storages/0": {
        "Drives": to(&["Chassis/1/Drives/0"]), "StorageControllers": [{"Status": {"State": "Enabled", "Health": "Critical"}}]}});
    let storages = machine(&base(json!({"Storages": at("Systems/1/Storages")}), stores)).await;
    assert_eq!(count(&storages.parts, |k| matches!(k, PartKind::Drive { .. })), 1);
    assert_eq!(storages.health, Health::Critical);
}

/// Ports by way of `NetworkInterfaces`, adapter and function only; the function's port says what it is plugged into.
#[tokio::test(start_paused = true)]
async fn ports_are_found_by_functions_and_know_their_cable() {
    let tree = tree(json!({
        "Systems": all(&["Systems/1"]),
        "Systems/1": {"Actions": reset(), "SerialNumber": "S12", "NetworkInterfaces": at("Systems/1/NetworkInterfaces")},
        "Systems/1/NetworkInterfaces": all(&["Systems/1/NetworkInterfaces/0"]),
        "Systems/1/NetworkInterfaces/0": {"Links": {"NetworkAdapter": at("Chassis/1/NetworkAdapters/0")}},
        "Chassis/1/NetworkAdapters/0": {"Model": "X710", "SerialNumber": "A12", "Ports": at("Chassis/1/NetworkAdapters/0/Ports"), "NetworkDeviceFunctions": at("Chassis/1/NetworkAdapters/0/F")},
        "Chassis/1/NetworkAdapters/0/Ports": all(&["Chassis/1/NetworkAdapters/0/Ports/p1", "Chassis/1/NetworkAdapters/0/Ports/p2"]),
        "Chassis/1/NetworkAdapters/0/Ports/p1": {"LinkStatus": "LinkUp", "CurrentSpeedGbps": 25, "Ethernet": {"LLDPReceive": {"SystemName": "sw1",
            "PortId": "45:74:68:65:72:6E:65:74:37", "PortIdSubtype": "IfName"}}},
        "Chassis/1/NetworkAdapters/0/Ports/p2": {"LinkStatus": "LinkDown"},
        "Chassis/1/NetworkAdapters/0/F": all(&["Chassis/1/NetworkAdapters/0/F/f1", "Chassis/1/NetworkAdapters/0/F/f2"]),
        "Chassis/1/NetworkAdapters/0/F/f1": {"Ethernet": {"MACAddress": "3c:fd:fe:00:00:01"}, "Links": {"PhysicalPortAssignment": at("Chassis/1/NetworkAdapters/0/Ports/p1")}},
        "Chassis/1/NetworkAdapters/0/F/f2": {"Ethernet": {"MACAddress": "3c:fd:fe:00:00:02"}, "AssignablePhysicalPorts": to(&["Chassis/1/NetworkAdapters/0/Ports/p2"])},
        "Chassis": {"Members": []},
    }));
    let system = machine(&tree).await;
    let links: Vec<(Option<bool>, Option<String>)> = system
        .parts
        .iter()
        .filter_map(|p| match &p.kind {
            PartKind::Nic { link, neighbour, .. } => {
                Some((*link, neighbour.as_ref().map(|n| format!("{} {}", n.system, n.port))))
            }
            _ => None,
        })
        .collect();
    assert_eq!(links, [(Some(true), Some("sw1 Ethernet7".into())), (Some(false), None)]);
    assert!(system.parts.iter().all(|p| p.serial.as_deref() == Some("A12")));
}

/// Accelerators that a system lists as PCIe devices and as nothing else; beside it a bridge, and a card that is listed.
#[tokio::test(start_paused = true)]
async fn an_accelerator_among_pcie_devices_is_one() {
    let device = |n: u32, class: &str| json!({"SerialNumber": format!("P{n}2"), "Links": {"PCIeFunctions": to(&[&format!("F/{class}")])}});
    let tree = tree(json!({
        "Systems": all(&["Systems/1"]),
        "Systems/1": {"Actions": reset(), "SerialNumber": "S12", "PCIeDevices": to(&["D/1", "D/2", "D/3"])},
        "D/1": device(1, "ProcessingAccelerators"), "D/2": device(2, "NetworkController"), "D/3": {"Model": "bridge"},
        "F/ProcessingAccelerators": {"DeviceClass": "ProcessingAccelerators"}, "F/NetworkController": {"DeviceClass": "NetworkController"},
        "Chassis": {"Members": []},
    }));
    let system = machine(&tree).await;
    assert_eq!(count(&system.parts, |k| matches!(k, PartKind::Gpu { .. })), 1);
    assert_eq!(count(&system.parts, |k| matches!(k, PartKind::Pcie)), 2);
}

/// A power shelf that shows itself twice, and a box with blades in it: one device each.
#[tokio::test(start_paused = true)]
async fn one_box_under_two_names_is_one_device() {
    let shelf = |more: Value| {
        let mut doc = json!({"ChassisType": "Shelf", "Manufacturer": "Contoso", "Model": "PF-33", "SerialNumber": "SH12", "Status": {"State": "Enabled", "Health": "OK"}});
        doc.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        doc
    };
    let tree = tree(json!({
        "": {"Systems": null},
        "Chassis": all(&["Chassis/A", "Chassis/B", "Chassis/Slot"]),
        "Chassis/A": shelf(json!({})),
        "Chassis/B": shelf(json!({"PowerSubsystem": at("Chassis/B/PowerSubsystem")})),
        "Chassis/Slot": {"ChassisType": "Module", "Status": {"State": "Enabled", "Health": "Warning"}},
        "Chassis/B/PowerSubsystem": {"PowerSupplies": at("Chassis/B/PowerSubsystem/PowerSupplies")},
        "Chassis/B/PowerSubsystem/PowerSupplies": all(&["Chassis/B/PowerSubsystem/PowerSupplies/0", "Chassis/B/PowerSubsystem/PowerSupplies/1"]),
        "Chassis/B/PowerSubsystem/PowerSupplies/0": {"Status": {"Health": "OK"}, "Metrics": at("M")},
        "Chassis/B/PowerSubsystem/PowerSupplies/1": {"Status": {"State": "Absent"}},
        "M": {"InputPowerWatts": {"Reading": 702}},
    }));
    let found = found(&tree).await;
    let [shelf] = found.devices.as_slice() else {
        panic!("{:?}", found.devices)
    };
    assert_eq!(
        (shelf.kind, shelf.watts, shelf.health),
        (DeviceKind::PowerShelf, Some(702.0), Health::Warning)
    );
    assert!(found.systems.is_empty());
}
