//! What stands behind an address: the whole inventory, and the short look that polling takes.

use std::sync::Arc;

use rack::node::{Abilities, BmcAddress};
use rack::{Bytes, Health, Identity, Part, PartKind, PowerState, ResetKind};
use serde_json::Value;

use crate::error::Error;
use crate::found::{Found, FoundSystem, Glance};
use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::json::{at, count, link, list, number, text, texts, truth};
use crate::redfish::{Redfish, boot, boot_order, part};
use crate::redfish::{caps, device, firmware, indicator};

/// Parts kept of one system.
pub const PARTS: usize = 2_048;

impl Redfish {
    /// Reads the whole inventory. Fails only when the service itself can't be read; what fails below becomes a
    /// [`crate::Problem`]. Takes from seconds to minutes.
    pub async fn discover(&self) -> Result<Found, Error> {
        let before = self.client.line.requests();
        let root = self.fresh_root().await?;
        let crawl = Crawl::new(&self.client, &root);
        let mut found = Vec::new();
        if let Some(path) = link(&root["Systems"]) {
            // A service that refuses the password must say so, and not look empty.
            self.client.get(&path).await?;
            found = crawl.collection(&path).await;
        }
        let mut chassis: Option<Vec<Resource>> = None;
        let machines = found.iter().filter(|(_, doc)| is_machine(doc)).count();
        let mut systems = Vec::new();
        for (path, doc) in &found {
            systems.push(self::system(&crawl, &root, path, doc, machines, &mut chassis).await);
        }
        give_loose_parts_to_the_machine(&mut systems);
        let mut devices = device::equipment(&crawl, &root).await;
        if systems.is_empty() && devices.is_empty() {
            devices = device::enclosures(&crawl, &root).await;
        }
        let firmware = match crawl.follow(&root, "UpdateService").await {
            Some((_, service)) => firmware::inventory(&crawl, &root, &service).await,
            None => Vec::new(),
        };
        let alone = systems.iter().filter(|s| s.is_machine).count() == 1;
        for system in systems.iter_mut().filter(|s| s.is_machine) {
            // Of several boxes behind one service it is not told whose firmware is whose.
            if alone {
                system.firmware.clone_from(&firmware);
            }
        }
        let requests = self.client.line.requests().wrapping_sub(before);
        Ok(Found {
            systems,
            devices,
            problems: crawl.into_problems(),
            requests,
        })
    }

    /// Looks at one system: identity, power, boot override. One `GET`.
    pub async fn glance(&self, at: &BmcAddress) -> Result<Glance, Error> {
        let doc = self.client.get(&at.system).await?.body;
        Ok(Glance {
            identity: identity(&doc, None),
            power: power_state(&doc),
            boot: boot::current(&doc),
            health: part::health(&doc),
        })
    }
}

fn identity(doc: &Value, manager: Option<&Value>) -> Identity {
    Identity {
        uuid: text(&doc["UUID"]).map(|u| u.to_ascii_lowercase()),
        serial: text(&doc["SerialNumber"]),
        maker: text(&doc["Manufacturer"]),
        model: text(&doc["Model"]),
        bios: text(&doc["BiosVersion"]),
        bmc_firmware: manager.and_then(|m| text(&m["FirmwareVersion"])),
    }
}

/// `PowerState` of a resource.
pub fn power_state(doc: &Value) -> Option<PowerState> {
    match doc["PowerState"].as_str()?.to_ascii_lowercase().as_str() {
        "on" => Some(PowerState::On),
        "off" => Some(PowerState::Off),
        "poweringon" => Some(PowerState::PoweringOn),
        "poweringoff" => Some(PowerState::PoweringOff),
        "paused" => Some(PowerState::Paused),
        _ => None,
    }
}

/// The reset action of a system, when it has one with somewhere to send it to.
pub(crate) fn reset_action(doc: &Value) -> Option<(&Value, String)> {
    let action = &doc["Actions"]["#ComputerSystem.Reset"];
    Some((action, link(&action["target"])?))
}

pub(crate) fn is_machine(doc: &Value) -> bool {
    reset_action(doc).is_some() || !boot::offered(doc).is_empty()
}

/// `ResetType` values that an action lists inline or behind `@Redfish.ActionInfo` (DSP0266 §8.4); none when neither.
pub(crate) fn listed_resets(action: &Value, info: Option<&Value>) -> Vec<String> {
    let inline = texts(&action["ResetType@Redfish.AllowableValues"]);
    if !inline.is_empty() {
        return inline;
    }
    let parameters = info.map(|i| list(&i["Parameters"])).unwrap_or_default();
    parameters
        .iter()
        .find(|p| p["Name"] == "ResetType")
        .map(|p| texts(&p["AllowableValues"]))
        .unwrap_or_default()
}

fn resets(listed: &[String]) -> Vec<ResetKind> {
    let has = |names: &[&str]| names.iter().any(|n| listed.iter().any(|l| l == n));
    crate::redfish::act::KINDS
        .into_iter()
        .filter(|k| has(crate::redfish::act::spellings(*k)))
        .collect()
}

async fn system(
    crawl: &Crawl<'_>,
    root: &Value,
    path: &str,
    doc: &Value,
    machines: usize,
    all_chassis: &mut Option<Vec<Resource>>,
) -> FoundSystem {
    let machine = is_machine(doc);
    let linked = crawl.all(list(at(doc, "Links/Chassis"))).await;
    let mut chassis = linked.iter().max_by_key(|c| rank(&c.1)).cloned();
    // With one machine only, every chassis is its own: the link may lead to a board in it, or nowhere.
    if machines == 1 && machine && chassis.as_ref().is_none_or(|c| rank(&c.1) < RANK_BOX) {
        if all_chassis.is_none() {
            *all_chassis = Some(crawl.members(root, "Chassis").await);
        }
        let best = all_chassis.iter().flatten().rev().max_by_key(|c| rank(&c.1)).cloned();
        chassis = best.filter(|b| rank(&b.1) >= RANK_BOX).or(chassis);
    }
    let mut manager = crawl.all(list(at(doc, "Links/ManagedBy"))).await.into_iter().next();
    if manager.is_none() && machines == 1 {
        let all = crawl.members(root, "Managers").await;
        let bmc = all.iter().position(|m| m.1["ManagerType"] == "BMC").unwrap_or(0);
        manager = all.into_iter().nth(bmc);
    }
    let mut parts = own_parts(crawl, doc).await;
    if let Some((path, chassis)) = &chassis {
        // Several systems in one chassis share its supplies and fans; they belong to none of them.
        let own = machines <= 1 || list(at(chassis, "Links/ComputerSystems")).len() == 1;
        if own && machine {
            parts.extend(chassis_parts(crawl, path, chassis, !parts.iter().any(is_nic)).await);
            if !parts.iter().any(|p| matches!(p.kind, PartKind::Gpu { .. })) {
                parts.extend(accelerators(crawl, chassis).await);
            }
        }
    }
    if let Some((_, chassis)) = chassis.as_ref().filter(|_| machine) {
        parts.extend(leak_detectors(crawl, chassis).await);
    }
    parts.truncate(PARTS);
    part::tell_apart(&mut parts);
    let chassis_doc = chassis.as_ref().map(|c| &*c.1);
    let manager_doc = manager.as_ref().map(|m| &*m.1);
    FoundSystem {
        identity: named_by_chassis(identity(doc, manager_doc), chassis_doc),
        abilities: abilities(crawl, path, doc, manager_doc, chassis_doc).await,
        health: worst(&parts, doc),
        parts,
        power: power_state(doc),
        system: path.to_owned(),
        manager: manager.map(|m| m.0),
        chassis: chassis.map(|c| c.0),
        is_machine: machine,
        firmware: Vec::new(),
    }
}

/// Rank from which a chassis is a box, and not a board in one.
const RANK_BOX: u8 = 2;

/// How likely the power and the temperatures of a whole server are read from this chassis.
fn rank(chassis: &Value) -> u8 {
    match chassis["ChassisType"].as_str() {
        Some("RackMount" | "Blade" | "Sled" | "StandAlone" | "Tower" | "Shelf") => 4,
        Some("Enclosure" | "Drawer" | "StorageEnclosure") => 3,
        None | Some("Other" | "Module") => 1,
        Some(_) => 0,
    }
}

/// A system that does not say what it is, is what its chassis is. Its serial stays its own: that is what it is known by.
fn named_by_chassis(mut identity: Identity, chassis: Option<&Value>) -> Identity {
    if let Some(chassis) = chassis.filter(|c| rank(c) >= RANK_BOX) {
        // Beside a serial the maker is part of what it is known by, and a glance sees only the system.
        if identity.uuid.is_some() || identity.serial.is_none() {
            identity.maker = identity.maker.or_else(|| text(&chassis["Manufacturer"]));
        }
        identity.model = identity.model.or_else(|| text(&chassis["Model"]));
    }
    identity
}

/// Whether a serial console is offered: by the system (DSP0268 ComputerSystem, `SerialConsole`), or by its manager.
fn console(system: &Value, manager: Option<&Value>) -> bool {
    let own = ["SSH", "IPMI", "WebSocket"]
        .iter()
        .any(|way| system["SerialConsole"][*way]["ServiceEnabled"] == true);
    let of_manager = manager.is_some_and(|m| {
        let console = &m["SerialConsole"];
        let ways = texts(&console["ConnectTypesSupported"]);
        console["ServiceEnabled"] == true && ways.iter().any(|w| w == "SSH" || w == "IPMI")
    });
    own || of_manager
}

/// Whether the power of the whole box can be limited.
async fn can_cap(crawl: &Crawl<'_>, path: &str, system: &Value, chassis: Option<&Value>) -> bool {
    let Some(chassis) = chassis else { return false };
    let documents = caps::Documents {
        power: crawl.follow(chassis, "Power").await,
        environment: crawl.follow(chassis, "EnvironmentMetrics").await,
        controls: crawl.members(chassis, "Controls").await,
        quirks: crate::redfish::quirks::of_system(system, None),
        ..caps::Documents::default()
    };
    documents.quirks.cap_attributes.is_some()
        || caps::paths(&documents, path)
            .iter()
            .any(|c| c.cap.id == caps::SYSTEM && c.cap.writable)
}

async fn abilities(
    crawl: &Crawl<'_>,
    path: &str,
    doc: &Value,
    manager: Option<&Value>,
    chassis: Option<&Value>,
) -> Abilities {
    let reset = match reset_action(doc) {
        None => Vec::new(),
        Some((action, _)) => {
            let mut listed = listed_resets(action, None);
            if listed.is_empty()
                && let Some((_, info)) = crawl.follow(action, "@Redfish.ActionInfo").await
            {
                listed = listed_resets(action, Some(&info));
            }
            if listed.is_empty() {
                crate::redfish::act::FLOOR.to_vec()
            } else {
                resets(&listed)
            }
        }
    };
    let boot = if boot_order::only_order(doc) {
        let options = crawl.members(&doc["Boot"], "BootOptions").await;
        boot_order::targets(doc, options.iter().map(|(_, o)| o.as_ref()))
    } else {
        boot::targets(doc)
    };
    Abilities {
        reset,
        boot,
        boot_once: boot::once(doc),
        virtual_media: link(&doc["VirtualMedia"]).is_some()
            || manager.is_some_and(|m| link(&m["VirtualMedia"]).is_some()),
        manager_reset: manager.is_some_and(|m| link(&m["Actions"]["#Manager.Reset"]["target"]).is_some()),
        cap: is_machine(doc) && can_cap(crawl, path, doc, chassis).await,
        indicator: indicator::has_light(doc) || chassis.is_some_and(indicator::has_light),
        console: console(doc, manager),
        no_bmc: false,
    }
}

async fn own_parts(crawl: &Crawl<'_>, doc: &Value) -> Vec<Part> {
    let (processors, memory, nics, stores) = tokio::join!(
        crawl.members(doc, "Processors"),
        crawl.members(doc, "Memory"),
        crawl.members(doc, "EthernetInterfaces"),
        crawl.members(doc, "Storage"),
    );
    let each = |members: &[Resource], make: fn(&str, &Value) -> Option<Part>| -> Vec<Part> {
        members.iter().filter_map(|(path, doc)| make(path, doc)).collect()
    };
    let mut cpus = each(&processors, part::processor);
    let mut dimms = each(&memory, part::memory);
    summaries(doc, &mut cpus, &mut dimms);
    let mut parts = cpus;
    parts.extend(dimms);
    let mut drives = Vec::new();
    for (_, store) in &stores {
        drives.extend(each(&crawl.all(list(&store["Drives"])).await, part::drive));
    }
    if drives.is_empty() {
        for (_, store) in crawl.members(doc, "SimpleStorage").await {
            drives.extend(list(&store["Devices"]).iter().filter_map(|d| part::drive("", d)));
        }
    }
    parts.extend(drives);
    // A VLAN is no port, and some list a port once for each of its addresses.
    let real = |(_, doc): &&Resource| truth(at(doc, "VLAN/VLANEnable")) != Some(true);
    let mut macs = std::collections::HashSet::new();
    for (path, doc) in nics.iter().filter(real) {
        let nic = part::nic(path, doc);
        let new = |p: &Part| matches!(p.kind, PartKind::Nic { mac, .. } if mac.is_none_or(|m| macs.insert(m)));
        parts.extend(nic.filter(new));
    }
    let gpu_known = parts.iter().any(|p| matches!(p.kind, PartKind::Gpu { .. }));
    for (path, device) in crawl.all(list(&doc["PCIeDevices"])).await {
        // An accelerator that was listed as a processor is the same piece again.
        let named = gpu_known && crate::redfish::json::last(&path).to_ascii_lowercase().contains("gpu");
        let serial = text(&device["SerialNumber"]);
        let repeated = serial.is_some() && parts.iter().any(|p| p.serial == serial);
        if !named && !repeated {
            parts.extend(part::pcie(&path, &device));
        }
    }
    parts
}

/// Where sockets or modules are not told one by one, the summaries stand in for them.
fn summaries(doc: &Value, cpus: &mut Vec<Part>, dimms: &mut Vec<Part>) {
    let blank = |id: &str, kind, summary: &Value| Part {
        id: id.into(),
        kind,
        maker: None,
        model: text(&summary["Model"]),
        serial: None,
        firmware: None,
        health: part::health(summary),
    };
    let summary = &doc["ProcessorSummary"];
    let told: u64 = cpus
        .iter()
        .map(|p| {
            if let PartKind::Processor { cores, .. } = p.kind {
                cores.into()
            } else {
                0
            }
        })
        .sum();
    let sockets = cpus
        .iter()
        .filter(|p| matches!(p.kind, PartKind::Processor { .. }))
        .count() as u64;
    let cores = count(&summary["CoreCount"]).filter(|c| *c > 0 && *c < 1 << 20);
    if told == 0
        && let Some(cores) = cores
    {
        let threads = count(&summary["LogicalProcessorCount"]).unwrap_or(cores).min(1 << 20) as u32;
        if sockets == 0 {
            cpus.push(blank(
                "cpu",
                PartKind::Processor {
                    cores: cores as u32,
                    threads,
                },
                summary,
            ));
        } else if let Some(first) = cpus.iter_mut().find(|p| matches!(p.kind, PartKind::Processor { .. })) {
            first.kind = PartKind::Processor {
                cores: cores as u32,
                threads,
            };
        }
    } else if sockets == 0
        && cores.is_none()
        && let Some(n) = count(&summary["Count"]).filter(|n| *n > 0 && *n <= 64)
    {
        for i in 1..=n {
            cpus.push(blank(
                &format!("cpu{i}"),
                PartKind::Processor { cores: 0, threads: 0 },
                summary,
            ));
        }
    }
    let summary = &doc["MemorySummary"];
    if dimms.is_empty()
        && let Some(gib) = number(&summary["TotalSystemMemoryGiB"]).filter(|g| *g > 0.0 && *g < 1e6)
    {
        dimms.push(blank(
            "memory",
            PartKind::Memory {
                size: Bytes((gib * (1u64 << 30) as f64) as u64),
            },
            summary,
        ));
    }
}

fn is_nic(part: &Part) -> bool {
    matches!(part.kind, PartKind::Nic { .. })
}

/// Supplies and fans; network ports where the system itself lists none.
async fn chassis_parts(crawl: &Crawl<'_>, path: &str, chassis: &Value, ports: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let (power, thermal) = tokio::join!(
        crawl.follow(chassis, "PowerSubsystem"),
        crawl.follow(chassis, "ThermalSubsystem")
    );
    if let Some((_, power)) = power {
        parts.extend(
            crawl
                .members(&power, "PowerSupplies")
                .await
                .iter()
                .filter_map(|(p, d)| part::supply(p, d)),
        );
    }
    if parts.is_empty()
        && let Some((_, power)) = crawl.follow(chassis, "Power").await
    {
        parts.extend(list(&power["PowerSupplies"]).iter().filter_map(|d| part::supply("", d)));
    }
    let supplies = parts.len();
    if let Some((_, thermal)) = thermal {
        parts.extend(
            crawl
                .members(&thermal, "Fans")
                .await
                .iter()
                .filter_map(|(p, d)| part::fan(p, d)),
        );
    }
    if parts.len() == supplies
        && let Some((_, thermal)) = crawl.follow(chassis, "Thermal").await
    {
        parts.extend(list(&thermal["Fans"]).iter().filter_map(|d| part::fan("", d)));
    }
    if ports {
        for (_, adapter) in crawl.members(chassis, "NetworkAdapters").await {
            for name in ["NetworkDeviceFunctions", "Ports", "NetworkPorts"] {
                let nics: Vec<Part> = crawl
                    .members(&adapter, name)
                    .await
                    .iter()
                    .filter_map(|(p, d)| part::nic(p, d))
                    .collect();
                if !nics.is_empty() {
                    parts.extend(nics);
                    break;
                }
            }
        }
    }
    tracing::trace!(path, parts = parts.len(), "chassis");
    parts
}

/// Where coolant is looked for (DSP0268 LeakDetection).
async fn leak_detectors(crawl: &Crawl<'_>, chassis: &Value) -> Vec<Part> {
    let Some((_, thermal)) = crawl.follow(chassis, "ThermalSubsystem").await else {
        return Vec::new();
    };
    let Some((_, detection)) = crawl.follow(&thermal, "LeakDetection").await else {
        return Vec::new();
    };
    let detectors = crawl.members(&detection, "LeakDetectors").await;
    detectors
        .iter()
        .filter_map(|(path, doc)| part::leak_detector(path, doc))
        .collect()
}

/// Accelerators that are listed as PCIe devices of the chassis only.
async fn accelerators(crawl: &Crawl<'_>, chassis: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    for (path, device) in crawl.members(chassis, "PCIeDevices").await {
        // Bridges and the BMC's own display have no serial number; what can be replaced has one.
        if part::absent(&device) || text(&device["SerialNumber"]).is_none() {
            continue;
        }
        let functions = crawl.members(&device, "PCIeFunctions").await;
        let class = |f: &Resource| {
            matches!(
                f.1["DeviceClass"].as_str(),
                Some("ProcessingAccelerators" | "DisplayController")
            )
        };
        if functions.iter().any(class) {
            parts.extend(part::gpu(&path, &device));
        }
    }
    parts
}

/// A system that is no machine (a baseboard with accelerators) is a part of the only machine beside it.
fn give_loose_parts_to_the_machine(systems: &mut [FoundSystem]) {
    if systems.iter().filter(|s| s.is_machine).count() != 1 {
        return;
    }
    let lacks = |kind: fn(&PartKind) -> bool| {
        let of_machine = systems.iter().find(|s| s.is_machine);
        of_machine.is_some_and(|s| !s.parts.iter().any(|p| kind(&p.kind)))
    };
    let gpus = lacks(|k| matches!(k, PartKind::Gpu { .. }));
    let cores = lacks(|k| matches!(k, PartKind::Processor { .. }));
    let memory = lacks(|k| matches!(k, PartKind::Memory { .. }));
    let wanted = |k: &PartKind| match k {
        PartKind::Gpu { .. } => gpus,
        PartKind::Processor { .. } => cores,
        PartKind::Memory { .. } => memory,
        _ => false,
    };
    let loose: Vec<Part> = systems
        .iter()
        .filter(|s| !s.is_machine)
        .flat_map(|s| s.parts.iter().filter(|p| wanted(&p.kind)).cloned())
        .collect();
    if let Some(machine) = systems.iter_mut().find(|s| s.is_machine) {
        machine.parts.extend(loose);
        machine.parts.truncate(PARTS);
        part::tell_apart(&mut machine.parts);
        machine.health = machine
            .parts
            .iter()
            .map(|p| p.health)
            .max()
            .unwrap_or_default()
            .max(machine.health);
    }
}

/// From the parts; what the system says of itself counts only when no part says anything.
fn worst(parts: &[Part], doc: &Value) -> Health {
    match parts.iter().map(|p| p.health).max() {
        None | Some(Health::Unknown) => part::health(doc),
        Some(h) => h,
    }
}

/// Keeps the root of the service, which says what it offers and never changes between two firmwares.
pub(crate) type Root = Arc<Value>;
