//! Which box was found, and where it stands: what discovery decides, without doing anything.
//!
//! A box is what it says of itself, and what it says may be wrong: makers ship whole batches with one UUID, and one
//! service may tell the same of all its systems. Then the next best tells them apart: a serial, at last the address.
//! A place belongs to one box, whatever a service says of how many it has.

use std::collections::BTreeSet;

use hardware::{FoundDevice, FoundSystem};
use rack::request::DeviceView;
use rack::{Name, Node, NodeId, Part, Place, World};

use crate::record::WatchedBmc;

/// Longest name of a slot that is made out of what a device calls itself; a number may follow.
const CALLED: usize = 50;

/// What each of a service's machines is known by, and what people should know of it.
pub fn identities(world: &World, url: &str, systems: &[&FoundSystem]) -> Vec<(NodeId, Option<String>)> {
    let all: Vec<Option<NodeId>> = systems.iter().map(|s| told(s)).collect();
    systems
        .iter()
        .zip(&all)
        .map(|(system, told)| {
            let Some(id) = told else {
                return (by_address(url, system), None);
            };
            let here = all.iter().flatten().filter(|t| *t == id).count();
            let elsewhere = world.nodes.get(id).filter(|known| is_another(known, url, system));
            if here == 1 && elsewhere.is_none() {
                return (id.clone(), None);
            }
            let unlike = |other: &NodeId| {
                *other != *id
                    && systems.iter().filter(|s| by_serial(s).as_ref() == Some(other)).count() == 1
                    && world.nodes.get(other).is_none_or(|n| !is_another(n, url, system))
            };
            let other = by_serial(system)
                .filter(unlike)
                .unwrap_or_else(|| by_address(url, system));
            let like = elsewhere.map_or_else(|| "another behind the same BMC".to_owned(), |n| n.place.to_string());
            let why = format!("says that it is {id}, as does {like}: known as {other} instead");
            (other, Some(why))
        })
        .collect()
}

/// What a box says that it is; one without a BMC is the port that wakes it.
fn told(system: &FoundSystem) -> Option<NodeId> {
    if system.abilities.no_bmc {
        return NodeId::from_identity(None, Some("port"), Some(&system.system));
    }
    let i = &system.identity;
    NodeId::from_identity(i.uuid.as_deref(), i.maker.as_deref(), i.serial.as_deref())
}

fn by_serial(system: &FoundSystem) -> Option<NodeId> {
    let i = &system.identity;
    NodeId::from_identity(None, i.maker.as_deref(), i.serial.as_deref())
}

/// What a box is known by that says nothing of itself: moved, it is another one. Addresses are longer than ids, and
/// differ at their ends, so it is a digest.
fn by_address(url: &str, system: &FoundSystem) -> NodeId {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{url}{}", system.system).as_bytes());
    let hex: String = digest.as_ref()[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("at.{hex}").parse().expect("hexadecimal digits are a name")
}

/// Whether a box that is known is surely not the one that was found, though both say the same of themselves: it stands
/// behind another address and has another serial, or none of its ports.
fn is_another(known: &Node, url: &str, found: &FoundSystem) -> bool {
    let serials = (known.identity.serial.as_deref(), found.identity.serial.as_deref());
    let differ = matches!(serials, (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b));
    let ports: BTreeSet<_> = known.macs().collect();
    let theirs: BTreeSet<_> = found.parts.iter().filter_map(Part::mac).collect();
    let strangers = !ports.is_empty() && !theirs.is_empty() && ports.is_disjoint(&theirs);
    if known.bmc.url == url {
        known.bmc.system != found.system && differ
    } else {
        differ || strangers
    }
}

/// Where a system stands: as its owner wrote, else where it was known to, else the next free number of its slot or rack.
pub fn of_node(
    world: &World,
    bmc: &WatchedBmc,
    id: &NodeId,
    system: &FoundSystem,
    of: usize,
    taken: &BTreeSet<Place>,
) -> Place {
    let alone = bmc.slots.get("*");
    let told = [system.identity.uuid.as_ref(), system.identity.serial.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|k| bmc.slots.get(&k.to_ascii_lowercase()))
        .or(alone.filter(|_| of == 1));
    let free = |place: &Place| !taken.contains(place) && world.node_at(place).is_none_or(|n| n.id == *id);
    if let Some(place) = told.map(|slot| Place::new(&bmc.rack, slot)).filter(free) {
        return place;
    }
    if let Some(known) = world.nodes.get(id).filter(|n| free(&n.place)) {
        return known.place.clone();
    }
    let base = alone.filter(|s| of > 1 && s.as_str().len() <= CALLED);
    numbered(
        &bmc.rack,
        &base.map_or_else(|| "n".to_owned(), |slot| format!("{slot}-")),
        1,
        free,
    )
}

/// Where a device stands: as its owner wrote, else where it was known to, else by what it calls itself.
pub fn of_device<'a>(
    world: &World,
    bmc: &WatchedBmc,
    device: &FoundDevice,
    known: impl Fn(&Place) -> Option<&'a DeviceView>,
    before: Option<&Place>,
    taken: &BTreeSet<Place>,
) -> Place {
    let serial = device.identity.serial.as_ref().map(|s| s.to_ascii_lowercase());
    let free = |place: &Place| {
        let mine = |d: &DeviceView| d.url == bmc.url && d.path == device.path || is_same(d, device);
        !taken.contains(place) && world.node_at(place).is_none() && known(place).is_none_or(mine)
    };
    let told = serial
        .and_then(|s| bmc.slots.get(&s))
        .map(|slot| Place::new(&bmc.rack, slot));
    if let Some(place) = told.filter(&free).or_else(|| before.cloned().filter(&free)) {
        return place;
    }
    let (told, own) = (bmc.slots.get("*"), slot_name(&device.name));
    let both = told.zip(own.as_ref()).map(|(slot, own)| format!("{slot}-{own}"));
    let base = told.cloned().or(own);
    let base: Name = base.unwrap_or_else(|| "device".parse().expect("`device` is a name"));
    // Outlets are written with the slot that the owner gave, so the first device keeps it.
    let mut named = std::iter::once(base.clone()).chain(both.and_then(|b| slot_name(&b)));
    let place = named.find_map(|slot| Some(Place::new(&bmc.rack, &slot)).filter(&free));
    place.unwrap_or_else(|| {
        let short: String = base.as_str().chars().take(CALLED).collect();
        numbered(&bmc.rack, &format!("{short}-"), 2, free)
    })
}

/// Whether a device that is known has moved here.
fn is_same(known: &DeviceView, found: &FoundDevice) -> bool {
    known.serial.is_some() && known.serial == found.identity.serial && known.model == found.identity.model
}

fn numbered(rack: &Name, base: &str, from: u32, free: impl Fn(&Place) -> bool) -> Place {
    (from..)
        .filter_map(|n| format!("{base}{n}").parse::<Name>().ok())
        .map(|slot| Place::new(rack, &slot))
        .find(free)
        .expect("there are more numbers than boxes")
}

/// A slot's name out of whatever a device calls itself.
fn slot_name(text: &str) -> Option<Name> {
    let mapped: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(CALLED)
        .collect();
    mapped.trim_matches('-').parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use hardware::DeviceKind;
    use rack::node::{Abilities, BmcAddress, Parts};
    use rack::{Health, Tenancy, Time};

    use super::*;

    pub fn system(path: &str, uuid: Option<&str>, serial: Option<&str>) -> FoundSystem {
        FoundSystem {
            identity: rack::Identity {
                uuid: uuid.map(str::to_owned),
                serial: serial.map(str::to_owned),
                ..rack::Identity::default()
            },
            abilities: Abilities::default(),
            parts: Vec::new(),
            health: Health::Ok,
            power: None,
            system: path.into(),
            manager: None,
            chassis: None,
            is_machine: true,
            firmware: Vec::new(),
        }
    }

    fn bmc(slot: Option<&str>) -> WatchedBmc {
        WatchedBmc {
            url: "https://bmc".into(),
            rack: "r1".parse().unwrap(),
            slots: slot.into_iter().map(|s| ("*".to_owned(), s.parse().unwrap())).collect(),
            credential: "default".parse().unwrap(),
            certificate: None,
            outlets: Vec::new(),
        }
    }

    fn ids(world: &World, url: &str, systems: &[FoundSystem]) -> Vec<NodeId> {
        let all: Vec<&FoundSystem> = systems.iter().collect();
        identities(world, url, &all).into_iter().map(|(id, _)| id).collect()
    }

    const UUID: &str = "4c4c4544-0046-5310-8054-d0c04f4e3139";

    #[test]
    fn systems_that_say_the_same_of_themselves_are_told_apart_and_stay_who_they_are() {
        let world = World::default();
        let systems = [
            system("/redfish/v1/Systems/SystemAfterResourceBlock", Some(UUID), None),
            system("/redfish/v1/Systems/SystemAfterAddResourceAction", Some(UUID), None),
            system("/redfish/v1/Systems/3", Some(UUID), Some("S3")),
            system("/redfish/v1/Systems/4", Some(UUID), Some("S4")),
            system("/redfish/v1/Systems/5", Some(UUID), Some("S4")),
            system("/redfish/v1/Systems/6", Some("aa-1"), Some("S6")),
        ];
        let found = ids(&world, "https://127.11.1.2:8443", &systems);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), systems.len(), "{found:?}");
        assert_eq!(found, ids(&world, "https://127.11.1.2:8443", &systems));
        assert_eq!(found[2].as_str(), "unknown.s3");
        assert!(found[3].as_str().starts_with("at.") && found[4].as_str().starts_with("at."));
        assert_eq!(found[5].as_str(), "aa-1");
    }

    #[test]
    fn a_uuid_that_a_maker_gave_to_many_boxes_moves_no_box_but_a_new_address_does() {
        let first = system("/redfish/v1/Systems/1", Some(UUID), Some("S1"));
        let id = ids(&World::default(), "https://a", std::slice::from_ref(&first)).remove(0);
        let mut world = World::default();
        world
            .nodes
            .insert(id.clone(), std::sync::Arc::new(node(&id, "https://a", &first)));
        let second = system("/redfish/v1/Systems/1", Some(UUID), Some("S2"));
        let all = [&second];
        let (other, why) = identities(&world, "https://b", &all).remove(0);
        assert_eq!(other.as_str(), "unknown.s2");
        assert!(why.is_some_and(|why| why.contains("r1/u1")));
        assert_eq!(
            ids(&world, "https://b", &[first])[0],
            id,
            "it is the same one at a new address"
        );
    }

    #[test]
    fn whatever_is_behind_one_address_stands_apart() {
        let mut world = World::default();
        let here = bmc(Some("pdu"));
        let device = |path: &str, name: &str| FoundDevice {
            kind: DeviceKind::RackPdu,
            name: name.into(),
            path: path.into(),
            identity: rack::Identity::default(),
            health: Health::Ok,
            watts: None,
            readings: Vec::new(),
            outlets: Vec::new(),
            mains: Vec::new(),
        };
        let mut taken = BTreeSet::new();
        let mut stands = |bmc: &WatchedBmc, path: &str, before: Option<&Place>| {
            let place = of_device(&world, bmc, &device(path, "Rack PDU"), |_| None, before, &taken);
            taken.insert(place.clone());
            place.to_string()
        };
        assert_eq!(stands(&here, "/1", None), "r1/pdu");
        assert_eq!(stands(&here, "/2", None), "r1/pdu-rack-pdu");
        assert_eq!(stands(&here, "/4", None), "r1/pdu-2");
        let before = Place::new(&here.rack, &"pdu-7".parse().unwrap());
        assert_eq!(stands(&here, "/3", Some(&before)), "r1/pdu-7");
        assert_eq!(stands(&bmc(None), "/1", None), "r1/rack-pdu");
        assert_eq!(stands(&bmc(None), "/2", None), "r1/rack-pdu-2");
        // neither on a node, nor on another service's device
        let id: NodeId = "x".parse().unwrap();
        let mut server = node(&id, "https://a", &system("/1", None, None));
        server.place = Place::new(&here.rack, &"pdu".parse().unwrap());
        world.nodes.insert(id, std::sync::Arc::new(server));
        let place = of_device(&world, &here, &device("/1", "PDU"), |_| None, None, &BTreeSet::new());
        assert_eq!(place.as_str(), "r1/pdu-pdu");
    }

    pub fn node(id: &NodeId, url: &str, system: &FoundSystem) -> Node {
        Node {
            id: id.clone(),
            place: Place::new(&"r1".parse().unwrap(), &"u1".parse().unwrap()),
            identity: system.identity.clone(),
            bmc: BmcAddress {
                url: url.into(),
                system: system.system.clone(),
                manager: None,
                chassis: None,
                credential: "default".parse().unwrap(),
                certificate: None,
            },
            health: Health::Ok,
            abilities: Abilities::default(),
            parts: Parts::default(),
            armed: false,
            holder: None,
            tenancy: Tenancy::Fresh,
            cordoned: None,
            boots: 0,
            outlets: Vec::new(),
            firmware: Vec::new(),
            discovered: Time::from_millis(1),
            inventoried: Time::from_millis(1),
        }
    }
}
