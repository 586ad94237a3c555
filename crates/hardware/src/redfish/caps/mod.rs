//! Power caps, in the five dialects that boxes have, and the truth about the numbers that they show: here they are asked
//! for, written and read back; what the answers mean is told by [`path`].

mod path;

use std::sync::Arc;
use std::time::Duration;

use rack::node::BmcAddress;
use serde_json::Value;

use path::CapPath;
pub use path::{Documents, SYSTEM, paths};

use crate::capability::Cap;
use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::Redfish;
use crate::redfish::crawl::Crawl;
use crate::redfish::discover::is_machine;
use crate::redfish::json::{at, last, list};
use crate::redfish::quirks;

/// Looks after a cap was written, and the pause between them; the slowest control measured takes 6 s.
const READ_BACKS: u32 = 6;
const READ_BACK_PAUSE: Duration = Duration::from_secs(2);
/// Modules of one baseboard whose limits are read; the largest seen has two boards.
const MODULES: usize = 16;

impl Redfish {
    /// Every cap of a system, with where it is written.
    async fn cap_paths(&self, at: &BmcAddress) -> Result<Vec<CapPath>, Error> {
        let root = self.root().await?;
        let crawl = Crawl::new(&self.client, &root);
        let mut documents = Documents::default();
        if let Some(path) = &at.chassis {
            let chassis = self.client.get(path).await?.body;
            documents.power = crawl.follow(&chassis, "Power").await;
            documents.environment = crawl.follow(&chassis, "EnvironmentMetrics").await;
            documents.controls = crawl.members(&chassis, "Controls").await;
        }
        let system = self.client.get(&at.system).await?.body;
        documents.quirks = quirks::of_system(&system, None);
        if let (Some(names), Some(manager)) = (&documents.quirks.cap_attributes, &at.manager) {
            let path = format!("{manager}{}", names.path);
            documents.attributes = crawl.read(&path).await.map(|doc| (path, doc));
        }
        processors(&crawl, &system, &mut documents).await;
        for baseboard in baseboards(&crawl, &root, &at.system).await {
            processors(&crawl, &baseboard, &mut documents).await;
            modules(&crawl, &baseboard, &mut documents).await;
        }
        Ok(paths(&documents, &at.system))
    }

    /// Every cap of a system; see [`crate::capability::PowerCap::caps`].
    pub async fn caps(&self, at: &BmcAddress) -> Result<Vec<Cap>, Error> {
        Ok(self.cap_paths(at).await?.into_iter().map(|p| p.cap).collect())
    }

    /// Sets a cap or lifts it; see [`crate::capability::PowerCap::set_cap`].
    pub async fn set_cap(
        &self,
        at: &BmcAddress,
        id: &str,
        watts: Option<f64>,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let known = self.cap_paths(at).await?;
        let Some(cap) = known.iter().find(|p| p.cap.id == id) else {
            let have = known.into_iter().map(|p| p.cap.id).collect();
            return Err(self.client.not_offered(&format!("a power cap named `{id}`"), have));
        };
        if cap.is(watts) {
            return Ok(Receipt::Done);
        }
        if !cap.cap.writable {
            return Err(self
                .client
                .not_offered("setting this power cap", vec!["showing it".into()]));
        }
        if let (Some(w), Some((low, high))) = (watts, cap.cap.range)
            && !(low..=high).contains(&w)
        {
            let range = vec![format!("{low:.0} to {high:.0} W")];
            return Err(self.client.not_offered(&format!("a cap of {w:.0} W"), range));
        }
        let mut refused = self.client.broken(&cap.path, "it took the cap but does not show it");
        for body in cap.bodies(watts) {
            let etag = self.client.get(&cap.path).await?.etag();
            match self.client.patch(&cap.path, &body, etag.as_deref(), permit).await {
                Ok(_) => {}
                Err(e @ (Error::Rejected { .. } | Error::Broken { .. })) => {
                    refused = e;
                    continue;
                }
                Err(e) => return Err(e),
            }
            for look in 0..READ_BACKS {
                if look > 0 {
                    tokio::time::sleep(READ_BACK_PAUSE).await;
                }
                let doc = self.client.get(&cap.path).await?.body;
                if cap.again(&doc).is_some_and(|now| now.is(watts)) {
                    return Ok(Receipt::Done);
                }
            }
        }
        Err(refused)
    }
}

/// Limits of a system's processors.
async fn processors(crawl: &Crawl<'_>, system: &Value, documents: &mut Documents) {
    for (path, processor) in crawl.members(system, "Processors").await {
        if !matches!(processor["ProcessorType"].as_str(), Some("GPU" | "Accelerator" | "CPU")) {
            continue;
        }
        if let Some(metrics) = crawl.follow(&processor, "EnvironmentMetrics").await {
            documents.parts.push((last(&path).to_ascii_lowercase(), metrics));
        }
    }
}

/// Limits of the modules that a baseboard's chassis holds: a board with its processor and accelerators is capped as one.
async fn modules(crawl: &Crawl<'_>, baseboard: &Value, documents: &mut Documents) {
    let mut all = crawl.all(list(at(baseboard, "Links/Chassis"))).await;
    for n in 0..all.len() {
        let held = crawl.all(list(at(&all[n].1, "Links/Contains"))).await;
        all.extend(held);
    }
    for (path, module) in all.iter().take(MODULES) {
        let id = last(path).to_ascii_lowercase();
        if let Some(metrics) = crawl.follow(module, "EnvironmentMetrics").await {
            documents.parts.push((id.clone(), metrics));
        }
        let controls = crawl.members(module, "Controls").await;
        let named = controls.into_iter().map(|control| (id.clone(), control));
        documents.module_controls.extend(named);
    }
}

/// Systems that are no machines and belong to the one at `machine`, because it is the only one there.
async fn baseboards(crawl: &Crawl<'_>, root: &Value, machine: &str) -> Vec<Arc<Value>> {
    let all = crawl.members(root, "Systems").await;
    let (machines, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, doc)| is_machine(doc));
    match machines.as_slice() {
        [(path, _)] if path == machine => rest.into_iter().map(|(_, doc)| doc).collect(),
        _ => Vec::new(),
    }
}
