//! The ports of a system: its Ethernet interfaces, and the adapters that stand in its chassis. Neither list is whole on
//! every box, so both are read, and what is one port by its address becomes one part.

use rack::node::Neighbour;
use rack::{Mac, Part, PartKind};
use serde_json::Value;

use crate::redfish::crawl::{Crawl, Resource, at_once};
use crate::redfish::json::{at, last, leads, link, links, list, several, text, truth};
use crate::redfish::part;

/// All ports of a system whose chassis are given.
pub async fn ports(crawl: &Crawl<'_>, doc: &Value, chassis: &[Resource]) -> Vec<Part> {
    let (mut found, adapters) = tokio::join!(interfaces(crawl, doc), adapters(crawl, doc, chassis));
    let inside = at_once(adapters.clone(), |(_, adapter)| async move {
        Inside::read(crawl, &adapter).await
    })
    .await;
    for ((path, adapter), inside) in adapters.iter().zip(inside) {
        inside.join(path, adapter, &mut found);
    }
    found.into_iter().map(|p| p.part).collect()
}

/// A port, with every address that leads to it.
struct Port {
    part: Part,
    macs: Vec<Mac>,
}

impl Port {
    fn new(path: &str, doc: &Value) -> Option<Port> {
        let part = part::nic(path, doc)?;
        let macs = part::macs(doc);
        Some(Port { part, macs })
    }

    /// Takes over what another document says of the same port and this one did not.
    fn learn(&mut self, other: &Part) {
        let mine = &mut self.part;
        mine.maker = mine.maker.take().or_else(|| other.maker.clone());
        mine.model = mine.model.take().or_else(|| other.model.clone());
        mine.serial = mine.serial.take().or_else(|| other.serial.clone());
        mine.firmware = mine.firmware.take().or_else(|| other.firmware.clone());
        mine.health = mine.health.max(other.health);
        if let (
            PartKind::Nic {
                link, mbps, neighbour, ..
            },
            PartKind::Nic {
                link: up,
                mbps: speed,
                neighbour: heard,
                ..
            },
        ) = (&mut mine.kind, &other.kind)
        {
            *link = link.or(*up);
            *mbps = mbps.or(*speed);
            *neighbour = neighbour.take().or_else(|| heard.clone());
        }
    }
}

/// `EthernetInterfaces`. A VLAN is no port of its own and some list a port once for each of its addresses; yet a port
/// that is used with a VLAN tag is a port: it is one when nothing else has its address.
async fn interfaces(crawl: &Crawl<'_>, doc: &Value) -> Vec<Port> {
    let all = crawl.members(doc, "EthernetInterfaces").await;
    let tagged = |(_, doc): &&Resource| truth(at(doc, "VLAN/VLANEnable")) == Some(true);
    let mut found: Vec<Port> = Vec::new();
    for (path, doc) in all.iter().filter(|r| !tagged(r)).chain(all.iter().filter(tagged)) {
        let port = Port::new(path, doc).filter(|p| !p.macs.is_empty());
        let new = |p: &Port| !found.iter().any(|f| f.macs.iter().any(|m| p.macs.contains(m)));
        if let Some(port) = port.filter(new) {
            found.push(port);
        }
    }
    found
}

/// Adapters in the chassis; where none are, those that the system leads to.
async fn adapters(crawl: &Crawl<'_>, doc: &Value, chassis: &[Resource]) -> Vec<Resource> {
    let in_chassis = at_once(chassis.to_vec(), |(_, chassis)| async move {
        crawl.members(&chassis, "NetworkAdapters").await
    })
    .await;
    let mut found: Vec<Resource> = in_chassis.into_iter().flatten().collect();
    if found.is_empty() {
        for (_, interface) in crawl.members(doc, "NetworkInterfaces").await {
            found.extend(crawl.all(links(&interface, "NetworkAdapter")).await);
        }
    }
    if found.is_empty() {
        found = crawl.members(doc, "NetworkAdapters").await;
    }
    found.retain(|(_, adapter)| !part::absent(adapter));
    found
}

/// What an adapter has inside.
struct Inside {
    ports: Vec<Resource>,
    functions: Vec<Resource>,
}

impl Inside {
    /// `Ports`, which was `NetworkPorts`; functions are asked for only where the ports do not tell their addresses.
    async fn read(crawl: &Crawl<'_>, adapter: &Value) -> Inside {
        let mut ports = crawl.members(adapter, "Ports").await;
        if ports.is_empty() {
            ports = crawl.members(adapter, "NetworkPorts").await;
        }
        // Collections leave ports out that the controllers name.
        let named: Vec<Value> = several(&adapter["Controllers"])
            .iter()
            .map(|c| match links(c, "Ports") {
                [] => links(c, "NetworkPorts"),
                ports => ports,
            })
            .flat_map(|l| l.iter().cloned())
            .filter(|l| link(l).is_some_and(|l| ports.iter().all(|p| last(&p.0) != last(&l))))
            .collect();
        ports.extend(crawl.all(&named).await);
        let told = !ports.is_empty() && ports.iter().all(|(_, p)| !part::macs(p).is_empty());
        let functions = if told {
            Vec::new()
        } else {
            crawl.members(adapter, "NetworkDeviceFunctions").await
        };
        Inside { ports, functions }
    }

    /// The port that a function is assigned to; of an adapter with one port, that one.
    fn port_of(&self, function: &Value) -> Option<&Resource> {
        let assigned = ["PhysicalPortAssignment", "PhysicalNetworkPortAssignment"]
            .iter()
            .find_map(|n| leads(function, n).or_else(|| link(&function[*n])))
            .or_else(|| {
                let lists = ["AssignablePhysicalPorts", "AssignablePhysicalNetworkPorts"];
                let mut all = lists.iter().flat_map(|n| list(&function[*n])).filter_map(link);
                all.next().filter(|_| all.next().is_none())
            });
        match (assigned, self.ports.as_slice()) {
            (Some(path), ports) => ports.iter().find(|p| p.0 == path),
            (None, [only]) => Some(only),
            (None, ports) => ports
                .iter()
                .find(|p| last(&p.0) == function["Id"].as_str().unwrap_or_default()),
        }
    }

    /// Adds the adapter's ports to what is known, or what it says of them to those that are known already.
    fn join(self, path: &str, adapter: &Value, found: &mut Vec<Port>) {
        let card = part::adapter(path, adapter);
        let mut ports: Vec<Port> = Vec::new();
        for (path, doc) in &self.ports {
            ports.extend(Port::new(path, doc).filter(|p| !p.macs.is_empty()));
        }
        for inline in list(&adapter["PhysicalPorts"]) {
            ports.extend(Port::new("", inline).filter(|p| !p.macs.is_empty()));
        }
        for (path, function) in &self.functions {
            let Some(mut port) = Port::new(path, function).filter(|p| !p.macs.is_empty()) else {
                continue;
            };
            if let Some(physical) = self.port_of(function).and_then(|(p, d)| Port::new(p, d)) {
                port.learn(&physical.part);
            }
            if !ports.iter().any(|p| p.macs.iter().any(|m| port.macs.contains(m))) {
                ports.push(port);
            }
        }
        if ports.is_empty() {
            // No address is told: the card is known by itself, with what its first port says.
            let repeated = found
                .iter()
                .any(|f| f.part.id == card.id && f.part.serial == card.serial);
            if !repeated && card.model.is_some() {
                let mut port = Port {
                    part: card,
                    macs: Vec::new(),
                };
                if let Some(first) = self.ports.first().and_then(|(p, d)| Port::new(p, d)) {
                    port.learn(&first.part);
                }
                found.push(port);
            }
            return;
        }
        for mut port in ports {
            port.learn(&card);
            match found.iter_mut().find(|f| f.macs.iter().any(|m| port.macs.contains(m))) {
                Some(known) => known.learn(&port.part),
                None => {
                    // `1` says nothing beside the ports of other cards.
                    if !port.part.id.starts_with(&card.id) {
                        port.part.id = format!("{}-{}", card.id, port.part.id);
                    }
                    found.push(port);
                }
            }
        }
    }
}

/// Who is at the other end of a port's cable, as it hears by LLDP (DSP0268 Port, `LLDPReceive`).
pub fn neighbour(port: &Value) -> Option<Neighbour> {
    let heard = [at(port, "Ethernet/LLDPReceive"), at(port, "LLDPReceive")]
        .into_iter()
        .find(|h| h.is_object())?;
    let name = |id: &str, subtype: &str| identifier(&heard[id], heard[subtype].as_str());
    Some(Neighbour {
        system: text(&heard["SystemName"]).or_else(|| name("ChassisId", "ChassisIdSubtype"))?,
        port: name("PortId", "PortIdSubtype")?,
    })
}

/// An LLDP identifier as people write it. The schema has octets (`45:74:68`) whatever they mean; the subtype says that
/// (IEEE 802.1AB tables 8-2 and 8-3): an address, or text. Services that send the text itself are taken at their word.
fn identifier(value: &Value, subtype: Option<&str>) -> Option<String> {
    let raw = text(value)?;
    let octets: Option<Vec<u8>> = raw
        .split([':', '-'])
        .map(|o| u8::from_str_radix(o, 16).ok().filter(|_| o.len() == 2))
        .collect();
    let Some(octets) = octets else {
        return match subtype {
            Some("MacAddr") => Some(raw.parse::<Mac>().map_or(raw, |m| m.to_string())),
            Some("NotTransmitted") => None,
            _ => Some(raw),
        };
    };
    let mac = || <[u8; 6]>::try_from(octets.as_slice()).ok().map(|m| Mac(m).to_string());
    let readable = || {
        let words = std::str::from_utf8(octets.strip_suffix(&[0]).unwrap_or(&octets)).ok()?;
        let plain = !words.trim().is_empty() && words.chars().all(|c| !c.is_control());
        plain.then(|| words.trim().to_owned())
    };
    let decoded = match subtype {
        Some("NotTransmitted") => return None,
        Some("MacAddr") => mac(),
        Some("NetworkAddr") => match octets.as_slice() {
            // The first octet is the family: 1 is IPv4, 2 is IPv6 (IANA address family numbers).
            [1, a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            [2, rest @ ..] => <[u8; 16]>::try_from(rest)
                .ok()
                .map(|a| std::net::Ipv6Addr::from(a).to_string()),
            _ => None,
        },
        Some(_) => readable(),
        // A station's address has an even first octet (IEEE 802); `Eth1/7` has not.
        None if octets.len() == 6 && octets[0] & 1 == 0 => mac(),
        None if octets.len() > 1 => readable(),
        None => None,
    };
    Some(decoded.unwrap_or(raw))
}

/// Whether an adapter's `Controllers` say what firmware it runs.
pub fn firmware(adapter: &Value) -> Option<String> {
    several(&adapter["Controllers"])
        .iter()
        .find_map(|c| text(&c["FirmwarePackageVersion"]))
        .or_else(|| text(at(adapter, "Firmware/Current/VersionString")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(id: &str, subtype: Option<&str>) -> Option<String> {
        identifier(&json!(id), subtype)
    }

    #[test]
    fn what_lldp_heard_is_read_as_its_subtype_says() {
        for (octets, subtype, meant) in [
            ("45:74:68:65:72:6E:65:74:31:2F:37", Some("IfName"), "Ethernet1/7"),
            ("73:77:70:31", Some("LocalAssign"), "swp1"),
            ("75:70:6C:69:6E:6B:00", Some("IfAlias"), "uplink"),
            ("7C:C2:55:79:3F:8E", Some("MacAddr"), "7c:c2:55:79:3f:8e"),
            ("7CC255793F8E", Some("MacAddr"), "7c:c2:55:79:3f:8e"),
            ("01:0A:00:00:01", Some("NetworkAddr"), "10.0.0.1"),
            // Not every service follows the schema's pattern, or tells the subtype.
            ("Ethernet1/7", Some("IfName"), "Ethernet1/7"),
            ("swp1", None, "swp1"),
            ("73:77:70:31", None, "swp1"),
            ("45:74:68:31:2F:37", None, "Eth1/7"),
            ("7C:C2:55:79:3F:8E", None, "7c:c2:55:79:3f:8e"),
            // Octets that are no text stay octets.
            ("00:01:FF", Some("IfName"), "00:01:FF"),
            ("10", None, "10"),
        ] {
            assert_eq!(heard(octets, subtype).as_deref(), Some(meant), "{octets} {subtype:?}");
        }
        assert_eq!(heard("", Some("IfName")), None);
        assert_eq!(heard("45", Some("NotTransmitted")), None);
    }

    #[test]
    fn a_neighbour_without_a_name_is_known_by_its_chassis() {
        let port = json!({"Ethernet": {"LLDPReceive": {
            "ChassisId": "7C:C2:55:00:00:01", "ChassisIdSubtype": "MacAddr",
            "PortId": "73:77:70:37", "PortIdSubtype": "IfName",
        }}});
        let n = neighbour(&port);
        assert_eq!(n.as_ref().map(|n| n.system.as_str()), Some("7c:c2:55:00:00:01"));
        assert_eq!(n.as_ref().map(|n| n.port.as_str()), Some("swp7"));
        // A port that hears nothing, as one box writes it.
        let silent = json!({"Ethernet": {"LLDPReceive": {"ChassisId": "", "ChassisIdSubtype": "NotTransmitted",
            "PortId": "", "PortIdSubtype": "NotTransmitted"}}});
        assert_eq!(neighbour(&silent), None);
    }
}
