//! Services that know no boot override: what a system boots from is the order of its boot options (DSP0268,
//! `Boot.BootOrder` and `BootOption`).
//!
//! Booting from the network *once* is two orders: its options first, and the disk's first again before the next start.
//! Options of one kind move to the front and everything else keeps its place, so each order follows from the one that is
//! there and from the target alone: nothing has to be remembered, doing it again changes nothing, and whoever died between
//! the two asks for the second one anew. An order that begins with what is wanted is left as its owner made it.

use std::collections::BTreeMap;

use rack::BootTarget;
use rack::node::BmcAddress;
use serde_json::{Value, json};

use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::json::{at, link, list, text, texts};
use crate::redfish::{Redfish, act, boot};

/// Options that are read of one system; the most measured are 32.
const OPTIONS: usize = 64;

/// What a boot option starts, as far as Busbar minds.
type Kinds = BTreeMap<String, BootTarget>;

/// Whether the order is all that the system lets be set.
pub fn only_order(system: &Value) -> bool {
    boot::offered(system).is_empty() && !order(system).is_empty()
}

fn order(system: &Value) -> Vec<String> {
    texts(&system["Boot"]["BootOrder"])
}

/// What an option starts: by its `Alias`, which is Redfish's own word; else by its device path (UEFI 2.10 §10.3); else,
/// where neither tells, by how firmware calls it.
pub fn kind(option: &Value) -> Option<BootTarget> {
    if option["BootOptionEnabled"].as_bool() == Some(false) {
        return None;
    }
    let alias = text(&option["Alias"]).unwrap_or_default();
    let wanted = [BootTarget::Pxe, BootTarget::UefiHttp, BootTarget::Hdd];
    if let Some(target) = wanted.into_iter().find(|t| alias == boot::spelling(*t)) {
        return Some(target);
    }
    let path = text(&option["UefiDevicePath"]).unwrap_or_default();
    if path.contains("/MAC(") || path.starts_with("MAC(") {
        // The boot network speaks IPv4 alone: an option of IPv6 only waits there in vain.
        return match (path.contains("IPv4("), path.contains("/Uri(")) {
            (true, true) => Some(BootTarget::UefiHttp),
            (true, false) => Some(BootTarget::Pxe),
            (false, _) => None,
        };
    }
    if ["HD(", "NVMe(", "Sata(", "Scsi(", "SasEx(", "UFS(", "eMMC("]
        .iter()
        .any(|node| path.contains(node))
    {
        return Some(BootTarget::Hdd);
    }
    let names = ["BootOptionReference", "Name", "DisplayName"].map(|n| text(&option[n]).unwrap_or_default());
    let told = names.join(" ").to_ascii_uppercase();
    let old = !told.contains("IP6") && !told.contains("IPV6");
    match () {
        () if !path.is_empty() => None,
        () if told.contains("PXE") => old.then_some(BootTarget::Pxe),
        () if told.contains("HTTP") => old.then_some(BootTarget::UefiHttp),
        () if told.contains("HARD DRIVE") || told.contains("HARDDISK") => Some(BootTarget::Hdd),
        () => None,
    }
}

/// What the options of a system start, by the name that the order calls them. Where none is described, the names tell.
fn kinds<'a>(system: &Value, options: impl IntoIterator<Item = &'a Value>) -> Kinds {
    let mut described = options.into_iter().peekable();
    let known = |o: &Value| Some((text(&o["BootOptionReference"])?, kind(o)?));
    if described.peek().is_some() {
        return described.filter_map(known).collect();
    }
    let named = order(system)
        .into_iter()
        .map(|name| json!({"BootOptionReference": name}));
    named.filter_map(|o| known(&o)).collect()
}

/// Targets that the order can put first, given the system's boot options.
pub fn targets<'a>(system: &Value, options: impl IntoIterator<Item = &'a Value>) -> Vec<BootTarget> {
    let kinds = kinds(system, options);
    let order = order(system);
    let mut have: Vec<BootTarget> = order.iter().filter_map(|o| kinds.get(o).copied()).collect();
    have.sort();
    have.dedup();
    have
}

/// The order that boots from `target`; nothing when no option does.
fn arranged(order: &[String], kinds: &Kinds, target: BootTarget) -> Option<Vec<String>> {
    let is = |o: &String| kinds.get(o) == Some(&target);
    if order.first().is_some_and(is) {
        return Some(order.to_vec());
    }
    let (mut first, rest): (Vec<String>, Vec<String>) = order.iter().cloned().partition(|o| is(o));
    (!first.is_empty()).then(|| {
        first.extend(rest);
        first
    })
}

impl Redfish {
    /// What the system boots from next and from then on, by its order alone; see [`Redfish::set_boot`].
    pub(super) async fn set_boot_order(
        &self,
        at_: &BmcAddress,
        system: &Value,
        target: BootTarget,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let target = if target == BootTarget::None {
            BootTarget::Hdd
        } else {
            target
        };
        let kinds = self.boot_options(system).await?;
        // Some take changes in an object of their own, and show them in the system after the next boot (DSP0266 §9.11).
        let place = link(at(system, "@Redfish.Settings/SettingsObject")).unwrap_or_else(|| at_.system.clone());
        let now = self.client.get(&place).await?;
        let before = match order(&now.body) {
            empty if empty.is_empty() => order(system),
            pending => pending,
        };
        let Some(wanted) = arranged(&before, &kinds, target) else {
            // A disk gets its option when firmware first finds a system on it. Until then the network stays first, and what
            // answers there sends the machine on to its disk.
            if target == BootTarget::Hdd {
                return Ok(Receipt::Done);
            }
            let what = format!("booting from {}", boot::spelling(target));
            return Err(self.client.not_offered(&what, before));
        };
        if wanted == before {
            return Ok(Receipt::Done);
        }
        let body = json!({"Boot": {"BootOrder": wanted}});
        let answer = self.client.patch(&place, &body, now.etag().as_deref(), permit).await?;
        if order(&self.client.get(&place).await?.body) == wanted {
            return Ok(Receipt::Done);
        }
        if answer.status == http::StatusCode::ACCEPTED {
            return Ok(act::receipt(&answer));
        }
        Err(self
            .client
            .broken(&place, "it took the boot order but does not show it"))
    }

    async fn boot_options(&self, system: &Value) -> Result<Kinds, Error> {
        let members = match link(&system["Boot"]["BootOptions"]) {
            Some(path) => list(&self.client.get(&path).await?.body["Members"]).to_vec(),
            None => Vec::new(),
        };
        let mut options = Vec::new();
        for path in members.iter().filter_map(link).take(OPTIONS) {
            // One that can't be read keeps its place; the others can still be put before it.
            if let Ok(answer) = self.client.get(&path).await {
                options.push(answer.body);
            }
        }
        Ok(kinds(system, &options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn an_option_is_known_by_alias_path_or_name() {
        use BootTarget::{Hdd, Pxe, UefiHttp};
        for (option, is) in [
            (json!({"Alias": "Pxe", "UefiDevicePath": "VenHw(1)"}), Some(Pxe)),
            (
                json!({"Alias": "None", "UefiDevicePath": "PciRoot(0x3)/MAC(00,0x1)/IPv4(0.0.0.0)"}),
                Some(Pxe),
            ),
            (
                json!({"UefiDevicePath": "MAC(00,0x1)/IPv4(0.0.0.0)/Uri()"}),
                Some(UefiHttp),
            ),
            (json!({"UefiDevicePath": "PciRoot(0x3)/MAC(00,0x1)/IPv6(::)"}), None),
            (
                json!({"UefiDevicePath": "PciRoot(0xB)/NVMe(0x1,01-CA)", "DisplayName": "PXE-ready disk"}),
                Some(Hdd),
            ),
            (json!({"UefiDevicePath": "HD(1,GPT,C8939A3A)/\\EFI\\debian"}), Some(Hdd)),
            (
                json!({"UefiDevicePath": "VenMedia(5023B95C)", "Name": "PXE shell"}),
                None,
            ),
            (json!({"BootOptionReference": "ME0-PXE-IP4"}), Some(Pxe)),
            (json!({"BootOptionReference": "ME0-PXE-IP6"}), None),
            (json!({"Alias": "Pxe", "BootOptionEnabled": false}), None),
            (json!({}), None),
        ] {
            assert_eq!(kind(&option), is, "{option}");
        }
    }

    #[test]
    fn what_is_wanted_moves_to_the_front_and_back_and_nothing_else_moves() {
        let kinds: Kinds = [
            ("disk", BootTarget::Hdd),
            ("net1", BootTarget::Pxe),
            ("net2", BootTarget::Pxe),
        ]
        .into_iter()
        .map(|(n, t)| (n.to_owned(), t))
        .collect();
        let own = names(&["disk", "net1", "net2", "shell"]);
        let network = arranged(&own, &kinds, BootTarget::Pxe).expect("offered");
        assert_eq!(network, names(&["net1", "net2", "disk", "shell"]));
        assert_eq!(arranged(&network, &kinds, BootTarget::Pxe), Some(network.clone()));
        assert_eq!(arranged(&network, &kinds, BootTarget::Hdd), Some(own));
        assert_eq!(arranged(&network, &kinds, BootTarget::UefiHttp), None);
        // One that begins so already is its owner's.
        let mixed = names(&["net2", "shell", "net1"]);
        assert_eq!(arranged(&mixed, &kinds, BootTarget::Pxe), Some(mixed.clone()));
        assert_eq!(arranged(&mixed, &kinds, BootTarget::Hdd), None);
    }
}
