//! The daemon's own checks, and what it is in short.

use std::collections::{BTreeMap, BTreeSet};

use rack::invariants;
use rack::request::{Check, RackSummary, Summary, Verdict};
use rack::{Image, Name};

use crate::House;

/// Free space below which a store and an image store are about to fail.
const SPACE: u64 = 2 << 30;

impl House {
    /// The daemon in short, with its checks.
    pub fn summary(&self) -> Summary {
        let world = self.world();
        let mut machines: BTreeMap<String, u32> = BTreeMap::new();
        for machine in world.machines.values() {
            *machines.entry(machine.status.state.to_string()).or_default() += 1;
        }
        Summary {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            racks: self.rack_summaries(),
            machines,
            images: world.images.values().map(|i| Image::clone(i)).collect(),
            revision: world.revision,
            checks: self.checks(),
        }
    }

    /// A rack in which nothing was found.
    pub(crate) fn empty_rack(&self, name: Name) -> RackSummary {
        RackSummary {
            emulated: self.inner.env.config.emulated.contains(&name),
            name,
            nodes: 0,
            armed: 0,
            free: 0,
            silent: 0,
            devices: 0,
        }
    }

    /// Racks in which something was found.
    pub(crate) fn rack_summaries(&self) -> Vec<RackSummary> {
        let world = self.world();
        let mut racks: BTreeMap<String, RackSummary> = BTreeMap::new();
        let summary_of = |racks: &mut BTreeMap<String, RackSummary>, name: &str, add: &dyn Fn(&mut RackSummary)| {
            let Ok(parsed) = name.parse::<Name>() else { return };
            add(racks.entry(name.to_owned()).or_insert_with(|| self.empty_rack(parsed)));
        };
        for node in world.nodes.values() {
            let silent = self.look_at(&node.id, |live| live.silent.is_some());
            let free = plan::place::unfit(node).is_empty();
            summary_of(&mut racks, node.place.rack(), &|r| {
                r.nodes += 1;
                r.armed += u32::from(node.armed);
                r.free += u32::from(free && !silent);
                r.silent += u32::from(silent);
            });
        }
        for device in self.devices() {
            summary_of(&mut racks, device.place.rack(), &|r| r.devices += 1);
        }
        racks.into_values().collect()
    }

    fn checks(&self) -> Vec<Check> {
        let world = self.world();
        let check = |name: &str, bad: Option<(Verdict, String, String)>, fine: String| match bad {
            None => Check {
                name: name.into(),
                verdict: Verdict::Ok,
                found: fine,
                hint: None,
            },
            Some((verdict, found, hint)) => Check {
                name: name.into(),
                verdict,
                found,
                hint: Some(hint),
            },
        };
        let grace = std::time::Duration::from_secs(60);
        let broken = invariants::check(&world, self.now(), grace);
        let silent: Vec<String> = world
            .nodes
            .values()
            .filter_map(|n| self.live(&n.id).silent.map(|why| format!("{} ({why})", n.place)))
            .collect();
        let half: Vec<Name> = self.record(|r| {
            let open = r.credentials.values().filter(|c| c.next.is_some());
            open.map(|c| c.name.clone()).collect()
        });
        let unarmed = world.nodes.values().filter(|n| !n.armed);
        let (unarmed, racks) = unarmed.fold((0, BTreeSet::new()), |(n, mut racks), node| {
            racks.insert(node.place.rack());
            (n + 1, racks)
        });
        let config = &self.inner.env.config;
        let space = free_space(&config.state);
        vec![
            check(
                "invariants",
                broken.first().map(|v| {
                    (
                        Verdict::Failed,
                        v.to_string(),
                        "report this; busbar dump FILE keeps the evidence".into(),
                    )
                }),
                format!(
                    "hold over {} nodes and {} machines",
                    world.nodes.len(),
                    world.machines.len()
                ),
            ),
            check(
                "BMCs",
                (!silent.is_empty()).then(|| {
                    let hint = "check cabling, address and credential: busbar why PLACE".to_owned();
                    (
                        Verdict::Warning,
                        format!("{} silent: {}", silent.len(), silent.join(", ")),
                        hint,
                    )
                }),
                format!("{} answer", world.nodes.len()),
            ),
            check(
                "credentials",
                half.first().map(|name| {
                    (
                        Verdict::Warning,
                        format!("the rotation of {name} is not finished"),
                        format!("busbar credential rotate {name}"),
                    )
                }),
                "none is half rotated".into(),
            ),
            check(
                "armed",
                (unarmed > 0).then(|| {
                    (
                        Verdict::Warning,
                        format!("{unarmed} nodes are only read"),
                        racks
                            .iter()
                            .map(|rack| format!("busbar arm {rack}"))
                            .collect::<Vec<_>>()
                            .join("; "),
                    )
                }),
                "every node may be used".into(),
            ),
            check(
                "boot network",
                config.network.is_none().then(|| {
                    let hint = "busbar up --interface NAME, for a network that servers boot from".to_owned();
                    (Verdict::Warning, "none: machines can't be installed".into(), hint)
                }),
                config
                    .network
                    .as_ref()
                    .map(|n| format!("{} serves {} to {}", n.server, n.first, n.last))
                    .unwrap_or_default(),
            ),
            check(
                "images",
                world.images.is_empty().then(|| {
                    (
                        Verdict::Warning,
                        "there is none".into(),
                        "busbar image add NAME FILE".into(),
                    )
                }),
                format!("{} in the image store", world.images.len()),
            ),
            check(
                "disk",
                space.filter(|s| *s < SPACE).map(|s| {
                    (
                        Verdict::Failed,
                        format!("{} free in {}", rack::Bytes(s), config.state.display()),
                        "make room: busbar image rm NAME".into(),
                    )
                }),
                space.map_or_else(|| "not checked".into(), |s| format!("{} free", rack::Bytes(s))),
            ),
        ]
    }
}

fn free_space(folder: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
