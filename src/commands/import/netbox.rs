//! What NetBox says of racks, as intents. Reading is in `commands::netbox`; here is only what its objects mean.
//!
//! What NetBox has no field for (the bill as numbers, wanted firmware, a BMC's address, a slot's name) is kept in a device's
//! own context data under `busbar`; where that is absent, modules, inventory items and `oob_ip` are counted and read.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use rack::intent::{Bill, BoxKind, Face, IntendedBox, Intent, Port};
use rack::node::{Neighbour, OutletRef};
use rack::{Bytes, Name, Place};
use serde_json::Value;

use crate::client::fail;
use crate::commands::netbox::{At, Netbox, Snapshot, id, query, slug};

/// Reads the racks that are meant; with what could not be carried over, in words.
pub async fn fetch(at: &At, site: Option<&str>, rack: Option<&str>) -> Result<(Vec<Intent>, Vec<String>)> {
    let netbox = Netbox::new(at)?;
    let mut filter = Vec::new();
    filter.extend(site.map(|s| format!("site={}", query(s))));
    filter.extend(rack.map(|r| format!("name={}", query(r))));
    if filter.is_empty() {
        return Err(fail(
            "BB0101",
            "neither a site nor a rack is named",
            "--site SLUG, or --rack NAME",
        ));
    }
    let racks = netbox.all("dcim/racks", &filter.join("&")).await?;
    if racks.is_empty() {
        return Err(fail(
            "BB0301",
            "NetBox has no such rack",
            "names are as NetBox shows them, sites by their slugs",
        ));
    }
    intents(&Snapshot::read(&netbox, racks).await?)
}

fn text(v: &Value) -> Option<String> {
    let s = v.as_str()?.trim();
    (!s.is_empty()).then(|| s.to_owned())
}

/// Every rack of a snapshot.
pub fn intents(s: &Snapshot) -> Result<(Vec<Intent>, Vec<String>)> {
    let mut notes = Vec::new();
    let mut places: HashMap<i64, Place> = HashMap::new();
    let mut racks: Vec<(i64, Intent)> = Vec::new();
    let mut used: HashSet<Place> = HashSet::new();
    for rack in &s.racks {
        let name = rack["name"].as_str().unwrap_or_default();
        let name: Name = slug(name)
            .parse()
            .map_err(|e| fail("BB0101", format!("{e}"), "rename it in NetBox"))?;
        if racks.iter().any(|(_, i)| i.rack == name) {
            notes.push(format!("two racks are called {name}; only the first is taken"));
            continue;
        }
        let units = rack["u_height"].as_f64();
        racks.push((
            id(rack),
            Intent {
                units,
                ..Intent::of(name)
            },
        ));
    }
    for d in &s.devices {
        let Some((_, intent)) = racks.iter().find(|(r, _)| *r == id(&d["rack"])) else {
            continue;
        };
        if let Some(slot) = slot(d, &intent.rack, &used) {
            let place = Place::new(&intent.rack, &slot);
            used.insert(place.clone());
            places.insert(id(d), place);
        }
    }
    for d in &s.devices {
        let status = d["status"]["value"].as_str().unwrap_or("active");
        let (Some(place), Some((_, intent))) =
            (places.get(&id(d)), racks.iter_mut().find(|(r, _)| *r == id(&d["rack"])))
        else {
            continue;
        };
        // Sleds stand in their chassis, and what is on a shelf or sold stands nowhere.
        if ["inventory", "decommissioning"].contains(&status) {
            continue;
        }
        let Some(slot) = place.slot().and_then(|s| s.parse().ok()) else {
            continue;
        };
        let generated = format!("{}-{slot}", intent.rack);
        let mut b = boxed(s, d, slot, &mut notes);
        b.name = b.name.filter(|n| *n != generated);
        outlets(s, d, &places, &mut b, &mut notes);
        intent.boxes.push(b);
    }
    let mut all: Vec<Intent> = racks.into_iter().map(|(_, i)| i).collect();
    all.iter_mut().for_each(Intent::sort);
    Ok((all, notes))
}

fn slot(d: &Value, rack: &Name, used: &HashSet<Place>) -> Option<Name> {
    let rear = d["face"]["value"] == "rear";
    let own = d["local_context_data"]["busbar"]["slot"].as_str().map(str::to_owned);
    let unit = d["position"].as_f64().map(|u| format!("u{u}"));
    let name = d["name"].as_str().map(slug);
    let back = unit.as_ref().filter(|_| rear).map(|u| format!("{u}-rear"));
    let last = format!("device-{}", id(d));
    let wishes = [own, unit, back, name, Some(last)];
    let free = |n: &Name| !used.contains(&Place::new(rack, n));
    wishes.into_iter().flatten().filter_map(|w| w.parse().ok()).find(free)
}

fn kind(s: &Snapshot, d: &Value) -> BoxKind {
    if let Ok(kind) = serde_json::from_value(d["local_context_data"]["busbar"]["kind"].clone()) {
        return kind;
    }
    let role = d["role"]["slug"].as_str().unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|w| role.contains(w));
    let feeds = s.outlets.iter().any(|o| id(&o["device"]) == id(d));
    let managed = || {
        s.interfaces
            .iter()
            .any(|i| id(&i["device"]) == id(d) && i["mgmt_only"] == true)
    };
    if has(&["pdu"]) || feeds {
        BoxKind::Pdu
    } else if has(&["switch", "router", "firewall", "tor", "leaf", "spine"]) {
        BoxKind::Switch
    } else if has(&["server", "compute", "node", "gpu", "storage", "host", "hypervisor"])
        || !d["oob_ip"].is_null()
        || managed()
    {
        BoxKind::Server
    } else {
        BoxKind::Other
    }
}

fn boxed(s: &Snapshot, d: &Value, slot: Name, notes: &mut Vec<String>) -> IntendedBox {
    let own = &d["local_context_data"]["busbar"];
    let t = s
        .types
        .iter()
        .find(|t| id(t) == id(&d["device_type"]))
        .unwrap_or(&d["device_type"]);
    let unit = d["position"].as_f64();
    let name = text(&d["name"]);
    let serial = text(&d["serial"]).filter(|n| {
        let fine = rack::intent::tells_apart(n);
        if !fine {
            notes.push(format!("{slot}: serial `{n}` is no serial"));
        }
        fine
    });
    let oob = d["oob_ip"]["address"].as_str().and_then(|a| a.split('/').next());
    let ours = |field: &str| own.get(field).cloned().unwrap_or_default();
    IntendedBox {
        kind: kind(s, d),
        unit,
        height: t["u_height"].as_f64().filter(|_| unit.is_some()),
        face: if unit.is_some() && d["face"]["value"] == "rear" {
            Face::Rear
        } else {
            Face::Front
        },
        half_depth: t["is_full_depth"] == false,
        name,
        maker: text(&d["device_type"]["manufacturer"]["name"]).filter(|m| m != UNKNOWN),
        model: text(&d["device_type"]["model"]).filter(|m| m != UNKNOWN),
        serial,
        asset: text(&d["asset_tag"]),
        bmc: oob.map(|a| format!("https://{a}")).or_else(|| text(&own["bmc"])),
        bill: serde_json::from_value(ours("bill")).unwrap_or_else(|_| counted(s, d)),
        firmware: serde_json::from_value(ours("firmware")).unwrap_or_default(),
        ports: ports(s, d),
        ..IntendedBox::at(slot)
    }
}

/// What an export calls a maker or a model that nobody told.
pub const UNKNOWN: &str = "Unknown";

/// The bill out of modules and inventory items. Items are only counted: NetBox has no sizes for them.
fn counted(s: &Snapshot, d: &Value) -> Bill {
    let mut bill = Bill::default();
    let more = |n: &mut Option<u32>, by: u32| *n = Some(n.unwrap_or(0).saturating_add(by));
    let mut count = |word: &str, attributes: &Value| {
        let number = |name: &str| attributes[name].as_u64().unwrap_or(0);
        let word = word.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| word.contains(w));
        if has(&["gpu", "graphics", "accelerator"]) {
            more(&mut bill.gpus, 1);
        } else if has(&["cpu", "processor"]) {
            more(&mut bill.processors, 1);
            if let Some(cores) = u32::try_from(number("cores")).ok().filter(|c| *c > 0) {
                more(&mut bill.cores, cores);
            }
        } else if has(&["memory", "dimm", "ram"]) {
            // Module attributes count memory and disks in GB.
            let size = number("size").saturating_mul(1 << 30);
            bill.memory = Some(Bytes(bill.memory.unwrap_or_default().0.saturating_add(size))).filter(|b| b.0 > 0);
        } else if has(&["disk", "drive", "ssd", "nvme", "hdd"]) {
            more(&mut bill.drives, 1);
            let size = number("size").saturating_mul(1_000_000_000);
            bill.storage = Some(Bytes(bill.storage.unwrap_or_default().0.saturating_add(size))).filter(|b| b.0 > 0);
        }
    };
    for m in s.modules.iter().filter(|m| id(&m["device"]) == id(d)) {
        if let Some(t) = s.module_types.iter().find(|t| id(t) == id(&m["module_type"])) {
            count(t["profile"]["name"].as_str().unwrap_or_default(), &t["attributes"]);
        }
    }
    for item in s.items.iter().filter(|i| id(&i["device"]) == id(d)) {
        count(item["role"]["name"].as_str().unwrap_or_default(), &Value::Null);
    }
    bill
}

fn ports(s: &Snapshot, d: &Value) -> Vec<Port> {
    let real = |i: &&Value| !["virtual", "bridge", "lag"].contains(&i["type"]["value"].as_str().unwrap_or_default());
    let mine = s
        .interfaces
        .iter()
        .filter(|i| id(&i["device"]) == id(d) && i["mgmt_only"] != true)
        .filter(real);
    // Where the other end of a cable is not in NetBox, the export kept what is known of it.
    let cables = &d["local_context_data"]["busbar"]["cables"];
    let beyond = |i: &Value| serde_json::from_value(cables.get(i["name"].as_str()?)?.clone()).ok();
    let port = |i: &Value| {
        let far = &i["connected_endpoints"][0];
        let to = text(&far["device"]["name"]).zip(text(&far["name"]));
        Some(Port {
            id: text(&i["name"])?,
            mac: i["mac_address"].as_str().and_then(|m| m.parse().ok()),
            to: to
                .map(|(system, port)| Neighbour { system, port })
                .or_else(|| beyond(i)),
        })
    };
    mine.filter_map(port).collect()
}

fn outlets(s: &Snapshot, d: &Value, places: &HashMap<i64, Place>, b: &mut IntendedBox, notes: &mut Vec<String>) {
    for inlet in s.inlets.iter().filter(|i| id(&i["device"]) == id(d)) {
        let far = &inlet["connected_endpoints"][0];
        let Some(name) = text(&far["name"]).filter(|_| !far["device"].is_null()) else {
            continue;
        };
        match places.get(&id(&far["device"])) {
            Some(pdu) => b.outlets.push(OutletRef {
                pdu: pdu.clone(),
                outlet: name,
            }),
            None => notes.push(format!(
                "{}: fed by {} of {}, which stands in a rack that was not read",
                b.slot, name, far["device"]["name"]
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Objects in the shape that NetBox 4.7.3 answers, less what is not read.
    fn recorded() -> Snapshot {
        let device = |id: i64, name: &str, position: Value, role: &str| {
            json!({
                "id": id, "name": name, "device_type": {"id": 1, "manufacturer": {"name": "Contoso"}, "model": "S640"},
                "role": {"id": 1, "slug": role}, "serial": format!("S{id}"), "asset_tag": null, "rack": {"id": 7, "name": "Rack A"},
                "position": position, "face": {"value": "front"}, "status": {"value": "active"}, "oob_ip": {"address": "10.0.0.9/24"},
                "local_context_data": null
            })
        };
        let mut gone = device(14, "old", json!(30.0), "server");
        gone["status"]["value"] = json!("decommissioning");
        Snapshot {
            racks: vec![json!({"id": 7, "name": "Rack A", "u_height": 42})],
            devices: vec![
                device(11, "web-1", json!(12.0), "server"),
                device(12, "pdu-a", Value::Null, "pdu"),
                gone,
            ],
            types: vec![json!({"id": 1, "u_height": 2.0, "is_full_depth": true})],
            interfaces: vec![
                json!({"device": {"id": 11}, "name": "eno1", "type": {"value": "25gbase-x-sfp28"}, "mgmt_only": false, "mac_address": "02:00:00:00:00:01",
                    "connected_endpoints": [{"name": "Ethernet1/7", "device": {"id": 99, "name": "sw1"}}]}),
                json!({"device": {"id": 11}, "name": "bmc", "type": {"value": "1000base-t"}, "mgmt_only": true, "connected_endpoints": null}),
                json!({"device": {"id": 11}, "name": "vlan9", "type": {"value": "virtual"}, "mgmt_only": false}),
            ],
            inlets: vec![
                json!({"device": {"id": 11}, "name": "PSU1", "connected_endpoints": [{"name": "3", "device": {"id": 12, "name": "pdu-a"}}]}),
            ],
            outlets: vec![json!({"device": {"id": 12}, "name": "3"})],
            items: vec![json!({"device": {"id": 11}, "name": "GPU 1", "role": {"name": "GPU"}})],
            modules: vec![
                json!({"device": {"id": 11}, "module_type": {"id": 5}}),
                json!({"device": {"id": 11}, "module_type": {"id": 5}}),
            ],
            module_types: vec![json!({"id": 5, "profile": {"name": "Memory"}, "attributes": {"size": 64}})],
        }
    }

    #[test]
    fn a_rack_of_netbox_becomes_an_intent_that_is_sound() {
        let (all, notes) = intents(&recorded()).expect("reads");
        let intent = &all[0];
        assert_eq!(
            (intent.rack.as_str(), intent.units, intent.check()),
            ("rack-a", Some(42.0), vec![])
        );
        let slots: Vec<&str> = intent.boxes.iter().map(|b| b.slot.as_str()).collect();
        assert_eq!(slots, ["pdu-a", "u12"], "{notes:?}");
        let web = intent.at("u12").expect("it is there");
        assert_eq!(
            (web.height, web.bmc.as_deref(), web.kind),
            (Some(2.0), Some("https://10.0.0.9"), BoxKind::Server)
        );
        assert_eq!((web.bill.memory, web.bill.gpus), (Some(Bytes::gib(128)), Some(1)));
        assert_eq!(web.ports.len(), 1);
        assert_eq!(web.ports[0].to.as_ref().map(|t| t.system.as_str()), Some("sw1"));
        assert_eq!(web.outlets[0].pdu.as_str(), "rack-a/pdu-a");
        assert_eq!(intent.at("pdu-a").map(|b| (b.kind, b.unit)), Some((BoxKind::Pdu, None)));
    }

    #[test]
    fn any_shape_of_answer_is_survived() {
        let s = recorded();
        for broken in [
            Value::Null,
            json!([]),
            json!("x"),
            json!({"id": "7", "rack": 7, "position": "high", "name": {"a": 1}}),
        ] {
            let mut s = s.clone();
            s.devices.push(broken.clone());
            s.interfaces.push(broken.clone());
            s.types.insert(0, broken.clone());
            s.inlets.push(broken);
            assert!(intents(&s).is_ok());
        }
    }
}
