//! One system: what it says it is, what it can be told, and whose parts are whose.

use rack::node::Abilities;
use rack::{Health, Identity, Part, PartKind};
use serde_json::Value;

use crate::found::FoundSystem;
use crate::redfish::crawl::{Crawl, Resource};
use crate::redfish::discover::{identity, is_machine, listed_resets, power_state, reset_action, resets};
use crate::redfish::housing::{self, RANK_BOX, rank};
use crate::redfish::json::{link, links, serial, text, texts};
use crate::redfish::{boot, boot_order, caps, indicator, inventory, part};

/// Parts kept of one system.
pub const PARTS: usize = 2_048;

/// The system at `path`; `machines` are the paths of those that are machines, `chassis` every chassis of the service.
pub async fn read(
    crawl: &Crawl<'_>,
    root: &Value,
    path: &str,
    doc: &Value,
    machines: &[String],
    chassis: &[Resource],
) -> FoundSystem {
    let machine = is_machine(doc);
    let housing = housing::of(crawl, path, doc, machines, chassis).await;
    let ((manager, abilities), (mut parts, loose), housed) = tokio::join!(
        async {
            let manager = manager(crawl, root, path, doc, machines).await;
            let (manager_doc, chassis_doc) = (manager.as_ref().map(|m| &*m.1), housing.main.as_ref().map(|c| &*c.1));
            let abilities = abilities(crawl, path, doc, manager_doc, chassis_doc).await;
            (manager, abilities)
        },
        inventory::own(crawl, doc, &housing),
        async {
            if machine {
                inventory::of_housing(crawl, &housing).await
            } else {
                Vec::new()
            }
        },
    );
    parts.extend(housed);
    if machine {
        let more = inventory::accelerators(crawl, &housing, &parts).await;
        parts.extend(more);
    }
    parts.truncate(PARTS);
    part::tell_apart(&mut parts);
    let chassis_doc = housing.main.as_ref().map(|c| &*c.1);
    let manager_doc = manager.as_ref().map(|m| &*m.1);
    FoundSystem {
        identity: named_by_chassis(identity(doc, manager_doc), chassis_doc, housing.shared),
        abilities,
        health: worst(&parts, doc).max(loose),
        parts,
        power: power_state(doc),
        system: path.to_owned(),
        manager: manager.map(|m| m.0),
        chassis: housing.main.map(|c| c.0),
        is_machine: machine,
        firmware: Vec::new(),
    }
}

/// The BMC: whoever the system names, else whoever names it, else the only one that manages boxes. Controllers of a
/// board in it are managers too.
async fn manager(crawl: &Crawl<'_>, root: &Value, path: &str, doc: &Value, machines: &[String]) -> Option<Resource> {
    let auxiliary = |m: &Resource| m.1["ManagerType"] == "AuxiliaryController";
    let named = crawl.all(links(doc, "ManagedBy")).await;
    if let Some(one) = named.iter().find(|m| !auxiliary(m)).or(named.first()) {
        return Some(one.clone());
    }
    if !machines.iter().any(|m| m == path) {
        return None;
    }
    let all = crawl.members(root, "Managers").await;
    let names = |m: &&Resource| {
        let servers = links(&m.1, "ManagerForServers");
        servers.iter().filter_map(link).any(|l| l == path)
    };
    if let Some(one) = all.iter().find(names) {
        return Some(one.clone());
    }
    if machines.len() > 1 {
        return None;
    }
    let bmc = all.iter().find(|m| m.1["ManagerType"] == "BMC");
    bmc.or_else(|| all.iter().find(|m| !auxiliary(m)))
        .or(all.first())
        .cloned()
}

/// A system that does not say what it is, is what its chassis is. What it is known by stays its own, as a glance sees
/// only the system: beside a UUID the chassis's serial is no more than told.
fn named_by_chassis(mut identity: Identity, chassis: Option<&Value>, shared: bool) -> Identity {
    if let Some(chassis) = chassis.filter(|c| rank(c) >= RANK_BOX) {
        if identity.uuid.is_some() || identity.serial.is_none() {
            identity.maker = identity.maker.or_else(|| text(&chassis["Manufacturer"]));
        }
        if identity.uuid.is_some() && !shared {
            identity.serial = identity.serial.or_else(|| serial(&chassis["SerialNumber"]));
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
    let (power, environment, controls) = tokio::join!(
        crawl.follow(chassis, "Power"),
        crawl.follow(chassis, "EnvironmentMetrics"),
        crawl.members(chassis, "Controls")
    );
    let documents = caps::Documents {
        power,
        environment,
        controls,
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

/// A system that is no machine (a baseboard with accelerators) is a part of the only machine beside it.
pub fn give_loose_parts_to_the_machine(systems: &mut [FoundSystem]) {
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
