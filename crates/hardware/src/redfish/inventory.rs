//! What a system is made of: processors, modules, drives, ports and devices of its own, and what its chassis holds.

use std::collections::HashSet;

use rack::{Bytes, Health, Part, PartKind};
use serde_json::Value;

use crate::redfish::crawl::{Crawl, Resource, at_once};
use crate::redfish::housing::Housing;
use crate::redfish::json::{count, last, leads, links, list, number, serial, text};
use crate::redfish::{network, part, quirks};

/// Parts that the system lists, and those of its chassis that are listed nowhere else: ports and drives. The health is
/// that of leaves which are no parts: controllers of drives.
pub async fn own(crawl: &Crawl<'_>, doc: &Value, housing: &Housing) -> (Vec<Part>, Health) {
    let (processors, memory, (drives, controllers), ports) = tokio::join!(
        crawl.members(doc, "Processors"),
        crawl.members(doc, "Memory"),
        drives(crawl, doc, housing),
        network::ports(crawl, doc, &housing.all),
    );
    let mut cpus = each(&processors, part::processor);
    let mut dimms = each(&memory, part::memory);
    summaries(doc, &mut cpus, &mut dimms);
    let mut parts = cpus;
    parts.extend(dimms);
    parts.extend(drives);
    parts.extend(ports);
    let gpu_known = parts.iter().any(|p| matches!(p.kind, PartKind::Gpu { .. }));
    let mut devices = devices(crawl, doc).await;
    devices.retain(|(path, device)| {
        // An accelerator that was listed as a processor is the same piece again; so is a drive or a card.
        let named = gpu_known && last(path).to_ascii_lowercase().contains("gpu");
        !named && !repeats_one_of(&parts, device)
    });
    let computes = at_once(devices.clone(), |(_, device)| async move {
        !gpu_known && is_accelerator(crawl, &device).await
    })
    .await;
    for ((path, device), computes) in devices.iter().zip(computes) {
        let make = if computes { part::gpu } else { part::pcie };
        parts.extend(make(path, device));
    }
    (parts, controllers)
}

/// Whether a document is a piece that is listed already: by its serial number.
fn repeats_one_of(parts: &[Part], doc: &Value) -> bool {
    let told = serial(&doc["SerialNumber"]);
    told.is_some() && parts.iter().any(|p| p.serial == told)
}

fn each(members: &[Resource], make: fn(&str, &Value) -> Option<Part>) -> Vec<Part> {
    members.iter().filter_map(|(path, doc)| make(path, doc)).collect()
}

/// `PCIeDevices` of a system, which is a list of links and of a chassis is a collection.
async fn devices(crawl: &Crawl<'_>, doc: &Value) -> Vec<Resource> {
    match &doc["PCIeDevices"] {
        Value::Array(links) => crawl.all(links).await,
        _ => crawl.members(doc, "PCIeDevices").await,
    }
}

/// Drives behind the system's controllers, else in its chassis, else as the maker's own model has them.
async fn drives(crawl: &Crawl<'_>, doc: &Value, housing: &Housing) -> (Vec<Part>, Health) {
    let mut stores = crawl.members(doc, "Storage").await;
    if stores.is_empty() {
        // Named so by services written before the schema was.
        stores = crawl.members(doc, "Storages").await;
    }
    let mut found = Vec::new();
    let mut controllers = Health::Unknown;
    let listed = at_once(stores.clone(), |(_, store)| async move {
        match &store["Drives"] {
            Value::Array(links) => crawl.all(links).await,
            _ => crawl.members(&store, "Drives").await,
        }
    })
    .await;
    for ((_, store), listed) in stores.iter().zip(listed) {
        found.extend(each(&listed, part::drive));
        let worst = list(&store["StorageControllers"]).iter().map(part::health).max();
        controllers = controllers.max(worst.unwrap_or_default());
    }
    if found.is_empty() {
        for (_, store) in crawl.members(doc, "SimpleStorage").await {
            found.extend(list(&store["Devices"]).iter().filter_map(|d| part::drive("", d)));
        }
    }
    if found.is_empty() {
        for (_, chassis) in &housing.all {
            let mut listed = crawl.members(chassis, "Drives").await;
            if listed.is_empty() {
                listed = crawl.all(links(chassis, "Drives")).await;
            }
            found.extend(each(&listed, part::drive));
        }
        repeats(&mut found);
    }
    if found.is_empty()
        && let Some(steps) = quirks::of_system(doc, None).drives_behind
    {
        found = each(&along(crawl, doc, &steps).await, part::drive);
    }
    (found, controllers)
}

/// Leaves out what was listed before under the same serial number.
fn repeats(parts: &mut Vec<Part>) {
    let mut seen = HashSet::new();
    parts.retain(|p| p.serial.as_ref().is_none_or(|s| seen.insert(s.clone())));
}

/// What links lead to one after the other, each to one resource or to a collection.
async fn along(crawl: &Crawl<'_>, doc: &Value, steps: &[String]) -> Vec<Resource> {
    let mut at = vec![(String::new(), std::sync::Arc::new(doc.clone()))];
    for step in steps {
        let mut next = Vec::new();
        for (_, from) in &at {
            let Some(path) = leads(from, step) else {
                continue;
            };
            let members = crawl.collection(&path).await;
            match crawl.read(&path).await {
                Some(one) if members.is_empty() => next.push((path, one)),
                _ => next.extend(members),
            }
        }
        at = next;
    }
    at
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

/// What stands in the chassis of a machine. Several machines in one share its supplies and fans; they belong to none of
/// them.
pub async fn of_housing(crawl: &Crawl<'_>, housing: &Housing) -> Vec<Part> {
    let Some((path, chassis)) = &housing.main else {
        return Vec::new();
    };
    let (mut parts, leaks) = tokio::join!(
        async {
            if housing.shared {
                Vec::new()
            } else {
                supplies_and_fans(crawl, chassis).await
            }
        },
        leak_detectors(crawl, chassis),
    );
    parts.extend(leaks);
    for (_, board) in housing.all.iter().filter(|c| c.0 != *path) {
        parts.extend(each(&crawl.members(board, "LeakDetectors").await, part::leak_detector));
    }
    parts
}

/// Out of the new model, else out of the old one.
async fn supplies_and_fans(crawl: &Crawl<'_>, chassis: &Value) -> Vec<Part> {
    let supplies = async {
        let mut found = Vec::new();
        if let Some((_, power)) = crawl.follow(chassis, "PowerSubsystem").await {
            found = each(&crawl.members(&power, "PowerSupplies").await, part::supply);
        }
        if found.is_empty()
            && let Some((_, power)) = crawl.follow(chassis, "Power").await
        {
            found.extend(list(&power["PowerSupplies"]).iter().filter_map(|d| part::supply("", d)));
        }
        found
    };
    let fans = async {
        let mut found = Vec::new();
        if let Some((_, thermal)) = crawl.follow(chassis, "ThermalSubsystem").await {
            found = each(&crawl.members(&thermal, "Fans").await, part::fan);
        }
        if found.is_empty()
            && let Some((_, thermal)) = crawl.follow(chassis, "Thermal").await
        {
            found.extend(list(&thermal["Fans"]).iter().filter_map(|d| part::fan("", d)));
        }
        found
    };
    let (mut parts, fans) = tokio::join!(supplies, fans);
    parts.extend(fans);
    parts
}

/// Where coolant is looked for (DSP0268 LeakDetection, or `LeakDetectors` of the chassis itself).
pub async fn leak_detectors(crawl: &Crawl<'_>, chassis: &Value) -> Vec<Part> {
    let mut found = Vec::new();
    if let Some((_, thermal)) = crawl.follow(chassis, "ThermalSubsystem").await
        && let Some((_, detection)) = crawl.follow(&thermal, "LeakDetection").await
    {
        found = each(&crawl.members(&detection, "LeakDetectors").await, part::leak_detector);
    }
    if found.is_empty() {
        found = each(&crawl.members(chassis, "LeakDetectors").await, part::leak_detector);
    }
    found
}

/// Whether a PCIe device computes. Bridges and the BMC's own display have no serial number; what can be replaced has one.
async fn is_accelerator(crawl: &Crawl<'_>, device: &Value) -> bool {
    if part::absent(device) || text(&device["SerialNumber"]).is_none() {
        return false;
    }
    let mut functions = crawl.members(device, "PCIeFunctions").await;
    if functions.is_empty() {
        functions = crawl.all(links(device, "PCIeFunctions")).await;
    }
    functions.iter().any(|f| {
        matches!(
            f.1["DeviceClass"].as_str(),
            Some("ProcessingAccelerators" | "DisplayController")
        )
    })
}

/// Accelerators that are listed as PCIe devices of the chassis only, beside what is known already.
pub async fn accelerators(crawl: &Crawl<'_>, housing: &Housing, own: &[Part]) -> Vec<Part> {
    let gpus = own.iter().any(|p| matches!(p.kind, PartKind::Gpu { .. }));
    let Some((_, chassis)) = housing.main.as_ref().filter(|_| !gpus && !housing.shared) else {
        return Vec::new();
    };
    let devices = crawl.members(chassis, "PCIeDevices").await;
    let new = devices.into_iter().filter(|(_, d)| !repeats_one_of(own, d)).collect();
    let found = at_once(new, |(path, device): Resource| async move {
        let computes = is_accelerator(crawl, &device).await;
        computes.then(|| part::gpu(&path, &device)).flatten()
    })
    .await;
    found.into_iter().flatten().collect()
}
