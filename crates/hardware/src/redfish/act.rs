//! Orders: power, boot, manager, media. Each observes first, is sent at most once, and carries a [`Permit`].
//!
//! A `POST` whose answer got lost is never repeated blindly: the state is looked at, and tells.

use std::time::Duration;

use rack::node::BmcAddress;
use rack::{BootTarget, PowerState, ResetKind};
use serde_json::{Value, json};

use crate::error::Error;
use crate::found::{Receipt, TaskState};
use crate::permit::Permit;
use crate::redfish::client::Answer;
use crate::redfish::discover::{listed_resets, power_state, reset_action};
use crate::redfish::json::{link, list, number, text, texts};
use crate::redfish::{Redfish, boot, boot_order};

/// All resets that Busbar uses.
pub const KINDS: [ResetKind; 8] = [
    ResetKind::On,
    ResetKind::ForceOff,
    ResetKind::GracefulShutdown,
    ResetKind::GracefulRestart,
    ResetKind::ForceRestart,
    ResetKind::PowerCycle,
    ResetKind::PushPowerButton,
    ResetKind::Nmi,
];

/// What a system is taken to understand that has a reset action and lists nothing.
pub const FLOOR: [ResetKind; 3] = [ResetKind::On, ResetKind::ForceOff, ResetKind::ForceRestart];

/// `ResetType` values for a kind, best first. Only values with the same effect stand in for each other.
pub fn spellings(kind: ResetKind) -> &'static [&'static str] {
    match kind {
        ResetKind::On => &["On", "ForceOn"],
        ResetKind::ForceOff => &["ForceOff"],
        ResetKind::GracefulShutdown => &["GracefulShutdown"],
        ResetKind::GracefulRestart => &["GracefulRestart"],
        ResetKind::ForceRestart => &["ForceRestart"],
        ResetKind::PowerCycle => &["PowerCycle", "FullPowerCycle"],
        ResetKind::PushPowerButton => &["PushPowerButton"],
        ResetKind::Nmi => &["Nmi"],
    }
}

/// Looks at the override after it was written: some services take a moment.
const READ_BACKS: u32 = 3;
/// Between two looks.
const READ_BACK_PAUSE: Duration = Duration::from_secs(1);

/// What observing says of a reset before it is sent.
fn already(kind: ResetKind, power: Option<PowerState>) -> Option<Receipt> {
    use PowerState::{Off, On};
    match (kind, power) {
        (ResetKind::On, Some(On)) | (ResetKind::ForceOff | ResetKind::GracefulShutdown, Some(Off)) => {
            Some(Receipt::Done)
        }
        (ResetKind::GracefulRestart | ResetKind::ForceRestart | ResetKind::Nmi, Some(Off)) => Some(Receipt::Blocked {
            by: "the system is off: switch it on instead".into(),
        }),
        _ => None,
    }
}

/// What an answer says of the order.
pub(crate) fn receipt(answer: &Answer) -> Receipt {
    let body = link(&answer.body["@odata.id"]).filter(|p| p.contains("/Tasks/") || p.contains("/TaskMonitors/"));
    Receipt::Accepted {
        task: answer.location().or(body),
    }
}

impl Redfish {
    /// The values that a reset action takes, listed in it or behind its `@Redfish.ActionInfo`. Empty when neither tells:
    /// the order is still worth sending then, as the BMC says no itself.
    async fn resets(&self, action: &Value) -> Vec<String> {
        let listed = listed_resets(action, None);
        match link(&action["@Redfish.ActionInfo"]) {
            Some(path) if listed.is_empty() => {
                let info = self.client.get(&path).await;
                info.map(|i| listed_resets(action, Some(&i.body))).unwrap_or_default()
            }
            _ => listed,
        }
    }

    /// Switches or resets a system. [`Receipt::Done`] when it was so already; [`Receipt::Accepted`] when the BMC
    /// took it, which is not yet done: look again with [`Redfish::glance`].
    pub async fn reset(&self, at: &BmcAddress, kind: ResetKind, permit: &Permit) -> Result<Receipt, Error> {
        let doc = self.client.get(&at.system).await?.body;
        if let Some(receipt) = already(kind, power_state(&doc)) {
            return Ok(receipt);
        }
        let (action, target) =
            reset_action(&doc).ok_or_else(|| self.client.not_offered("switching this system", Vec::new()))?;
        let listed = self.resets(action).await;
        let value = if listed.is_empty() {
            spellings(kind).first().copied()
        } else {
            spellings(kind).iter().copied().find(|s| listed.iter().any(|l| l == s))
        };
        let value = value.ok_or_else(|| self.client.not_offered(&format!("reset {kind:?}"), listed))?;
        match self.client.post(&target, &json!({"ResetType": value}), permit).await {
            Ok(answer) => Ok(receipt(&answer)),
            Err(Error::Rejected {
                status: 409, message, ..
            }) => Ok(Receipt::Blocked { by: message }),
            // Whether it was done is open: what the system shows now decides.
            Err(e @ (Error::Timeout { .. } | Error::Unreachable { .. } | Error::Broken { .. })) => {
                let now = self
                    .client
                    .get(&at.system)
                    .await
                    .map(|a| power_state(&a.body))
                    .map_err(|_| e.clone())?;
                match already(kind, now) {
                    Some(Receipt::Done) => Ok(Receipt::Done),
                    _ => Err(e),
                }
            }
            Err(e) => Err(e),
        }
    }

    /// Sets what the system boots from next: a network target for one boot (for all where the service knows no
    /// `Once`), [`BootTarget::Hdd`] and [`BootTarget::None`] by clearing the override. A service that knows
    /// only an order gets the options of the target first in it, for all boots. Read back before it counts.
    pub async fn set_boot(&self, at: &BmcAddress, target: BootTarget, permit: &Permit) -> Result<Receipt, Error> {
        let first = self.client.get(&at.system).await?;
        if boot_order::only_order(&first.body) {
            return self.set_boot_order(at, &first.body, target, permit).await;
        }
        // An override for one boot that is set already still is: it is cleared by the boot. For all boots likewise.
        if boot::is(&first.body, target) {
            return Ok(Receipt::Done);
        }
        let bodies = boot::bodies(&first.body, target);
        let mut refused = self.client.not_offered(
            &format!("booting from {}", boot::spelling(target)),
            boot::offered(&first.body),
        );
        for body in bodies {
            let fresh = self.client.get(&at.system).await?;
            let answer = match self
                .client
                .patch(&at.system, &body, fresh.etag().as_deref(), permit)
                .await
            {
                Ok(answer) => answer,
                Err(e) => {
                    // sushy-tools answers 500 after it did what was asked: what it shows counts.
                    let now = self.client.get(&at.system).await?;
                    if boot::is(&now.body, target) {
                        return Ok(Receipt::Done);
                    }
                    if matches!(e, Error::Rejected { .. }) {
                        refused = e;
                        continue;
                    }
                    return Err(e);
                }
            };
            for look in 0..READ_BACKS {
                if look > 0 {
                    tokio::time::sleep(READ_BACK_PAUSE).await;
                }
                if boot::is(&self.client.get(&at.system).await?.body, target) {
                    return Ok(Receipt::Done);
                }
            }
            if answer.status == http::StatusCode::ACCEPTED {
                return Ok(receipt(&answer));
            }
            refused = self
                .client
                .broken(&at.system, "it took the boot override but does not show it");
        }
        Err(refused)
    }

    /// Restarts the BMC itself; it is silent for minutes then.
    pub async fn reset_manager(&self, at: &BmcAddress, permit: &Permit) -> Result<Receipt, Error> {
        let path = at
            .manager
            .as_deref()
            .ok_or_else(|| self.client.not_offered("a manager to restart", Vec::new()))?;
        let doc = self.client.get(path).await?.body;
        let action = &doc["Actions"]["#Manager.Reset"];
        let target =
            link(&action["target"]).ok_or_else(|| self.client.not_offered("restarting its manager", Vec::new()))?;
        let listed = self.resets(action).await;
        let value = ["GracefulRestart", "ForceRestart"]
            .into_iter()
            .find(|v| listed.is_empty() || listed.iter().any(|l| l == v));
        let value = value.ok_or_else(|| self.client.not_offered("restarting its manager", listed))?;
        Ok(receipt(
            &self.client.post(&target, &json!({"ResetType": value}), permit).await?,
        ))
    }

    /// Inserts the image at `url` as a CD.
    pub async fn insert_media(&self, at: &BmcAddress, url: &str, permit: &Permit) -> Result<Receipt, Error> {
        let slots = self.media(at).await?;
        if slots
            .iter()
            .any(|(_, doc)| inserted(doc) && doc["Image"].as_str() == Some(url))
        {
            return Ok(Receipt::Done);
        }
        let takes_cd = |doc: &Value| texts(&doc["MediaTypes"]).iter().any(|t| t == "CD" || t == "DVD");
        let Some((path, slot)) = slots.iter().find(|(_, doc)| takes_cd(doc)) else {
            let have = slots.iter().flat_map(|(_, doc)| texts(&doc["MediaTypes"])).collect();
            return Err(self.client.not_offered("a CD as virtual media", have));
        };
        if inserted(slot) {
            return Ok(Receipt::Blocked {
                by: "another image is inserted: eject it first".into(),
            });
        }
        let full = json!({"Image": url, "Inserted": true, "WriteProtected": true});
        let Some(action) = link(&slot["Actions"]["#VirtualMedia.InsertMedia"]["target"]) else {
            let etag = self.client.get(path).await?.etag();
            let body = json!({"Image": url, "Inserted": true});
            return Ok(receipt(&self.client.patch(path, &body, etag.as_deref(), permit).await?));
        };
        match self.client.post(&action, &full, permit).await {
            Ok(answer) => Ok(receipt(&answer)),
            // Some refuse the optional parameters; refused is not done, so it may be sent again without them.
            Err(Error::Rejected { status: 400, .. }) => Ok(receipt(
                &self.client.post(&action, &json!({"Image": url}), permit).await?,
            )),
            Err(e) => Err(e),
        }
    }

    /// Ejects the image at `url`, or every image when it is empty.
    pub async fn eject_media(&self, at: &BmcAddress, url: &str, permit: &Permit) -> Result<Receipt, Error> {
        let mut result = Receipt::Done;
        for (path, slot) in self.media(at).await? {
            if !inserted(&slot) || !(url.is_empty() || slot["Image"].as_str() == Some(url)) {
                continue;
            }
            let answer = match link(&slot["Actions"]["#VirtualMedia.EjectMedia"]["target"]) {
                Some(action) => self.client.post(&action, &json!({}), permit).await?,
                None => {
                    let etag = self.client.get(&path).await?.etag();
                    let body = json!({"Image": null, "Inserted": false});
                    self.client.patch(&path, &body, etag.as_deref(), permit).await?
                }
            };
            result = receipt(&answer);
        }
        Ok(result)
    }

    /// Slots for images, of the system first, else of its manager.
    async fn media(&self, at: &BmcAddress) -> Result<Vec<(String, Value)>, Error> {
        const SLOTS: usize = 16;
        for owner in [Some(at.system.as_str()), at.manager.as_deref()].into_iter().flatten() {
            let Some(path) = link(&self.client.get(owner).await?.body["VirtualMedia"]) else {
                continue;
            };
            let mut out = Vec::new();
            for path in list(&self.client.get(&path).await?.body["Members"])
                .iter()
                .filter_map(link)
                .take(SLOTS)
            {
                // A slot that can't be read can't be used; the others can.
                if let Ok(answer) = self.client.get(&path).await {
                    out.push((path, answer.body));
                }
            }
            return Ok(out);
        }
        Err(self.client.not_offered("virtual media", Vec::new()))
    }

    /// Looks at a task that [`Receipt::Accepted`] named (DSP0266 §8.5).
    pub async fn task(&self, uri: &str) -> Result<TaskState, Error> {
        let path = crate::redfish::json::path(uri).ok_or_else(|| self.client.broken(uri, "not the path of a task"))?;
        let doc = match self.client.get(&path).await {
            Ok(answer) => answer.body,
            // A monitor of a task that is done answers without a document, or is gone.
            Err(Error::Broken { .. } | Error::Rejected { status: 404 | 410, .. }) => return Ok(TaskState::Done),
            Err(e) => return Err(e),
        };
        Ok(match doc["TaskState"].as_str() {
            Some("Completed") if !matches!(doc["TaskStatus"].as_str(), Some("Critical")) => TaskState::Done,
            Some("Completed" | "Exception" | "Killed" | "Cancelled" | "Interrupted") => {
                let said: Vec<String> = list(&doc["Messages"])
                    .iter()
                    .filter_map(|m| text(&m["Message"]))
                    .take(4)
                    .collect();
                let why = if said.is_empty() {
                    "the BMC gave no reason".into()
                } else {
                    said.join("; ")
                };
                TaskState::Failed { why }
            }
            _ => TaskState::Running {
                percent: number(&doc["PercentComplete"]).filter(|p| (0.0..=100.0).contains(p)),
            },
        })
    }
}

fn inserted(slot: &Value) -> bool {
    slot["Inserted"]
        .as_bool()
        .unwrap_or_else(|| text(&slot["Image"]).is_some())
}
