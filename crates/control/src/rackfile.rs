//! `rack.toml`: what stands where, as its owner writes it down.
//!
//! ```toml
//! [rack]
//! name = "r1"
//! credential = "default"             # for every BMC that names none
//!
//! [network]                          # what machines boot from; may be left out
//! first = "10.77.0.100"              # addresses that are given out
//! last = "10.77.0.199"
//!
//! [[bmc]]
//! address = "10.0.0.11"              # an address, or https://host:port
//! slot = "u1"
//! outlets = ["pdu-a/3", "pdu-b/3"]   # what feeds it: the last way to restart a box whose BMC hangs
//!
//! [[bmc]]                            # other protocols: ipmi://, snmp:// (a PDU)
//! address = "snmp://10.0.0.5"
//! slot = "pdu-a"
//!
//! [[bmc]]                            # no BMC at all: the port that it is woken by, and the broadcast address that reaches it
//! address = "wol://52-54-00-12-34-56/10.77.0.255"
//! slot = "u4"
//! outlets = ["pdu-a/4"]              # its only switch
//!
//! [[bmc]]                            # several systems behind one service: slots by UUID or serial
//! address = "https://10.0.0.12:8000"
//! credential = "lab"
//! slots = { "4c4c4544-0051" = "u2", "4c4c4544-0052" = "u3" }
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use rack::Name;
use rack::node::OutletRef;
use serde::Deserialize;

use crate::record::WatchedBmc;
use crate::targets;

/// A rack file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackFile {
    /// The rack.
    pub rack: RackHead,
    /// The network that machines boot from.
    pub network: Option<NetworkHead>,
    /// Its BMCs.
    #[serde(default)]
    pub bmc: Vec<BmcLine>,
}

/// The rack itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackHead {
    /// Its name.
    pub name: Name,
    /// Credential of every BMC that names none.
    pub credential: Option<Name>,
}

/// The boot network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkHead {
    /// First address that is given out.
    pub first: Ipv4Addr,
    /// Last address that is given out.
    pub last: Ipv4Addr,
}

/// One BMC.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BmcLine {
    /// Its address.
    pub address: String,
    /// The slot of its only system.
    pub slot: Option<Name>,
    /// Slots by UUID or serial, when there are several systems.
    #[serde(default)]
    pub slots: BTreeMap<String, Name>,
    /// Its credential.
    pub credential: Option<Name>,
    /// PDU outlets that feed the box: `pdu-a/3`, or `r2/pdu-a/3` for a PDU of another rack.
    #[serde(default)]
    pub outlets: Vec<String>,
}

/// What is wrong with a rack file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct BadRackFile {
    file: String,
    what: String,
}

/// Reads a rack file; `file` is its name, for errors.
pub fn parse(file: &str, text: &str) -> Result<RackFile, BadRackFile> {
    let bad = |what: String| BadRackFile {
        file: file.to_owned(),
        what,
    };
    let parsed: RackFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    let mut taken = BTreeMap::new();
    let mut fed = BTreeMap::new();
    for line in &parsed.bmc {
        let urls = targets::urls(&line.address).map_err(bad)?;
        if urls.len() != 1 {
            return Err(bad(format!(
                "`{}` names {} addresses; write one [[bmc]] for each",
                line.address,
                urls.len()
            )));
        }
        if line.slot.is_some() && !line.slots.is_empty() {
            return Err(bad(format!(
                "`{}` has both `slot` and `slots`; `slot` is for a single system",
                line.address
            )));
        }
        for outlet in &line.outlets {
            let outlet = outlet_ref(&parsed.rack.name, outlet).map_err(bad)?;
            if let Some(other) = fed.insert(outlet.clone(), &line.address) {
                return Err(bad(format!(
                    "outlet {}/{} feeds both {other} and {}: a power cut would take both",
                    outlet.pdu, outlet.outlet, line.address
                )));
            }
        }
        for slot in line.slot.iter().chain(line.slots.values()) {
            if let Some(other) = taken.insert(slot.clone(), &line.address) {
                return Err(bad(format!("slot {slot} is given to {other} and to {}", line.address)));
            }
        }
    }
    if let Some(n) = &parsed.network
        && n.first > n.last
    {
        return Err(bad(format!(
            "the network's first address {} lies behind its last {}",
            n.first, n.last
        )));
    }
    Ok(parsed)
}

impl RackFile {
    /// The BMCs to watch.
    pub fn watched(&self) -> Vec<WatchedBmc> {
        let fallback = self.rack.credential.clone().unwrap_or_else(default_credential);
        let line = |l: &BmcLine| {
            let mut slots: BTreeMap<String, Name> = l
                .slots
                .iter()
                .map(|(k, v)| (k.to_ascii_lowercase(), v.clone()))
                .collect();
            slots.extend(l.slot.clone().map(|s| ("*".to_owned(), s)));
            let url = targets::urls(&l.address).ok()?.into_iter().next()?;
            let credential = l.credential.clone().unwrap_or_else(|| fallback.clone());
            Some(WatchedBmc {
                url,
                rack: self.rack.name.clone(),
                slots,
                credential,
                certificate: None,
                outlets: l
                    .outlets
                    .iter()
                    .filter_map(|o| outlet_ref(&self.rack.name, o).ok())
                    .collect(),
            })
        };
        self.bmc.iter().filter_map(line).collect()
    }
}

/// `pdu-a/3` in `rack`, or `r2/pdu-a/3`.
fn outlet_ref(rack: &Name, text: &str) -> Result<OutletRef, String> {
    let bad = || format!("`{text}` is not an outlet: write pdu-a/3, the PDU's slot and the outlet's number");
    let (pdu, outlet) = text.rsplit_once('/').ok_or_else(bad)?;
    let place = if pdu.contains('/') {
        pdu.to_owned()
    } else {
        format!("{rack}/{pdu}")
    };
    let plain = !outlet.is_empty()
        && outlet.len() <= 32
        && outlet
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    if !plain {
        return Err(bad());
    }
    Ok(OutletRef {
        pdu: place.parse().map_err(|_| bad())?,
        outlet: outlet.to_owned(),
    })
}

/// The credential that is meant when none is named.
pub fn default_credential() -> Name {
    "default".parse().expect("`default` is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [rack]
        name = "r1"
        [network]
        first = "10.77.0.100"
        last = "10.77.0.199"
        [[bmc]]
        address = "10.0.0.11"
        slot = "u1"
        [[bmc]]
        address = "https://10.0.0.12:8000"
        credential = "lab"
        slots = { "AA-01" = "u2", "AA-02" = "u3" }
    "#;

    #[test]
    fn a_rack_file_says_what_stands_where() {
        let watched = parse("rack.toml", GOOD).expect("parses").watched();
        assert_eq!(watched.len(), 2);
        assert_eq!(watched[0].url, "https://10.0.0.11");
        assert_eq!(watched[0].credential, default_credential());
        assert_eq!(watched[1].slots.get("aa-02").map(Name::as_str), Some("u3"));
    }

    #[test]
    fn a_rack_that_can_not_be_is_refused_with_the_reason() {
        for (from, to, why) in [
            ("\"u3\"", "\"u1\"", "slot u1 is given to"),
            ("10.0.0.11", "10.0.0.0/24", "names 254 addresses"),
            ("name = \"r1\"", "name = \"R 1\"", "is not a name"),
            ("slot = \"u1\"", "slott = \"u1\"", "unknown field"),
            ("10.77.0.199", "10.77.0.1", "lies behind"),
            (
                "slot = \"u1\"",
                "slot = \"u1\"\noutlets = [\"pdu-a\"]",
                "is not an outlet",
            ),
            (
                "slot = \"u1\"",
                "slot = \"u1\"\noutlets = [\"pdu-a/1\", \"r1/pdu-a/1\"]",
                "feeds both",
            ),
        ] {
            let error = parse("rack.toml", &GOOD.replace(from, to)).expect_err(why).to_string();
            assert!(error.contains(why) && error.starts_with("rack.toml"), "{error}");
        }
    }
}
