//! What stands behind an address: the whole inventory, and the short look that polling takes.

use std::sync::Arc;

use rack::node::BmcAddress;
use rack::{Identity, PowerState, ResetKind};
use serde_json::Value;

use crate::error::Error;
use crate::found::{Found, FoundSystem, Glance};
use crate::redfish::crawl::{Crawl, Resource, at_once};
use crate::redfish::json::{leads, link, list, serial, text, texts, uuid};
use crate::redfish::{Redfish, boot, device, firmware, part, system};

impl Redfish {
    /// Reads the whole inventory. Fails only when the service itself can't be read; what fails below becomes a
    /// [`crate::Problem`]. Takes from seconds to minutes.
    pub async fn discover(&self) -> Result<Found, Error> {
        let before = self.client.line.requests();
        let root = self.fresh_root().await?;
        let crawl = Crawl::new(&self.client, &root);
        // A service that refuses the password must say so, and not look empty.
        let path = leads(&root, "Systems");
        if let Some(path) = &path {
            let collection = self.client.get(path).await?.body;
            if !crawl.expands() {
                crawl.keep(path, Arc::new(collection));
            }
        }
        // What does not wait for one another is asked for together: one slow answer is waited for once.
        let ((systems, chassis), equipment, firmware) = tokio::join!(
            systems(&crawl, &root, path.as_deref()),
            device::equipment(&crawl, &root),
            async {
                match crawl.follow(&root, "UpdateService").await {
                    Some((_, service)) => firmware::inventory(&crawl, &root, &service).await,
                    None => Vec::new(),
                }
            }
        );
        let mut systems = systems;
        system::give_loose_parts_to_the_machine(&mut systems);
        let mut devices = equipment;
        if systems.is_empty() && devices.is_empty() {
            devices = device::enclosures(&crawl, &chassis).await;
        }
        // Of several boxes behind one service it is not told whose firmware is whose.
        let mut machines = systems.iter_mut().filter(|s| s.is_machine);
        if let (Some(machine), None) = (machines.next(), machines.next()) {
            let of_bmc = || firmware.iter().find(|f| f.id.eq_ignore_ascii_case("bmc"));
            let told = machine.identity.bmc_firmware.take();
            machine.identity.bmc_firmware = told.or_else(|| of_bmc().and_then(|f| f.version.clone()));
            machine.firmware = firmware;
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

/// Every system, and every chassis of the service.
async fn systems(crawl: &Crawl<'_>, root: &Value, path: Option<&str>) -> (Vec<FoundSystem>, Vec<Resource>) {
    let (mut found, chassis) = tokio::join!(
        async {
            match path {
                Some(path) => crawl.collection(path).await,
                None => Vec::new(),
            }
        },
        crawl.members(root, "Chassis")
    );
    // A slot without a blade is listed as a system on some, and is none.
    found.retain(|(_, doc)| doc["Status"]["State"] != "Absent");
    let machines: Vec<String> = found
        .iter()
        .filter(|(_, doc)| is_machine(doc))
        .map(|(p, _)| p.clone())
        .collect();
    let (machines, every) = (machines.as_slice(), chassis.as_slice());
    let systems = at_once(found, |(path, doc)| async move {
        system::read(crawl, root, &path, &doc, machines, every).await
    })
    .await;
    (systems, chassis)
}

pub(crate) fn identity(doc: &Value, manager: Option<&Value>) -> Identity {
    Identity {
        uuid: uuid(&doc["UUID"]),
        serial: serial(&doc["SerialNumber"]),
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

pub(crate) fn resets(listed: &[String]) -> Vec<ResetKind> {
    let has = |names: &[&str]| names.iter().any(|n| listed.iter().any(|l| l == n));
    crate::redfish::act::KINDS
        .into_iter()
        .filter(|k| has(crate::redfish::act::spellings(*k)))
        .collect()
}

/// Keeps the root of the service, which says what it offers and never changes between two firmwares.
pub(crate) type Root = Arc<Value>;
