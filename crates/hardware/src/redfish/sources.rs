//! Where the readings of a chassis are: found out by a look at everything, remembered as a [`Plan`], and asked for again
//! without the detours until one of them fails.

use serde_json::Value;

use crate::found::Raw;
use crate::redfish::accelerators::{self, Accelerator};
use crate::redfish::crawl::{Crawl, Resource, at_once, is_whole};
use crate::redfish::discover::is_machine;
use crate::redfish::json::{last, leads, link, links, list};
use crate::redfish::part::absent;
use crate::redfish::sensors::{From, Told, of_use, rectifiers};

/// Most sensors that are remembered of one chassis.
const PLANNED: usize = 64;
/// Readings after which a chassis that does not tell everything is looked at in full again: a box that was off told less.
const RELOOK: u32 = 8;
/// Sensors of a chassis above which, one by one, those that measure nothing of interest are not asked for first.
const MANY: usize = 24;
/// Systems in one chassis that are looked at.
const SYSTEMS: usize = 8;

/// What is worth asking for; paths, so that a poll takes none but the answers that count.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    chassis: String,
    power: Option<String>,
    thermal: Option<String>,
    metrics: Option<String>,
    supplies: Vec<String>,
    sensors: Vec<String>,
    /// The collection of the sensors, where it comes with its members in one answer.
    collection: Option<String>,
    accelerators: Vec<Accelerator>,
    shared: bool,
    lacks: bool,
    reads: u32,
}

/// Looks at everything that a chassis may tell, in the order in which it is believed, and stops where nothing is missing.
pub async fn look(crawl: &Crawl<'_>, path: &str, doc: &Value, system: Option<&str>) -> (Vec<Raw>, Plan) {
    let mut told = Told {
        shared: shared(crawl, doc, system).await,
        power: crawl.follow(doc, "Power").await.map(|p| p.1),
        thermal: crawl.follow(doc, "Thermal").await.map(|t| t.1),
        ..Told::default()
    };
    let mut meters = Vec::new();
    if told.watts(system).is_none() {
        told.metrics = crawl.follow(doc, "EnvironmentMetrics").await.map(|m| m.1);
    }
    if told.watts(system).is_none()
        && !told.shared
        && let Some((_, subsystem)) = crawl.follow(doc, "PowerSubsystem").await
    {
        let supplies = crawl.members(&subsystem, "PowerSupplies").await;
        let present: Vec<Resource> = supplies.into_iter().filter(|(_, s)| !absent(s)).collect();
        let metrics = at_once(present, |(_, supply): Resource| async move {
            crawl.follow(&supply, "Metrics").await
        })
        .await;
        meters = metrics.iter().flatten().map(|m| m.0.clone()).collect();
        told.supplies = metrics.into_iter().map(|m| m.map(|m| m.1)).collect();
    }
    if told.watts(system).is_none() && !told.shared || told.climate().is_empty() {
        told.sensors = sensors(crawl, doc).await;
    }
    let mut plan = Plan::of(path, doc, &told, meters, system, crawl.expands());
    if let Some(system) = system {
        plan.accelerators = accelerators::find(crawl, system).await;
    }
    let mut readings = told.readings(path, system);
    readings.extend(accelerators::read(crawl, &plan.accelerators).await);
    (readings, plan)
}

/// The readings by what is known to tell them; nothing when a part of that failed, or when it is time for a full look.
pub async fn by_plan(crawl: &Crawl<'_>, mut plan: Plan, system: Option<&str>) -> Option<(Vec<Raw>, Plan)> {
    plan.reads += 1;
    if plan.lacks && plan.reads.is_multiple_of(RELOOK) {
        return None;
    }
    let ask = |path: &Option<String>| {
        let path = path.clone();
        async move {
            match path {
                Some(path) => crawl.read(&path).await.map(Some),
                None => Some(None),
            }
        }
    };
    let whole = |paths: &[String]| paths.iter().cloned().map(Value::String).collect::<Vec<Value>>();
    let (meters, single) = (whole(&plan.supplies), whole(&plan.sensors));
    let (power, thermal, metrics, supplies, listed, sensors, chips) = tokio::join!(
        ask(&plan.power),
        ask(&plan.thermal),
        ask(&plan.metrics),
        crawl.all(&meters),
        async {
            match &plan.collection {
                Some(path) => Some(crawl.collection(path).await).filter(|m| !m.is_empty()),
                None => Some(Vec::new()),
            }
        },
        crawl.all(&single),
        accelerators::read(crawl, &plan.accelerators),
    );
    let told = Told {
        power: power?,
        thermal: thermal?,
        metrics: metrics?,
        supplies: supplies.into_iter().map(|s| Some(s.1)).collect(),
        sensors: listed?.into_iter().chain(sensors).collect(),
        shared: plan.shared,
    };
    let single = told.sensors.len() >= plan.sensors.len() || plan.collection.is_some();
    if told.supplies.len() != plan.supplies.len() || !single {
        return None;
    }
    // Nothing to ask for: whether the box is there is still to be seen.
    if plan.asks_for_nothing() {
        crawl.read(&plan.chassis).await?;
    }
    let mut readings = told.readings(&plan.chassis, system);
    readings.extend(chips);
    Some((readings, plan))
}

impl Plan {
    fn of(path: &str, doc: &Value, told: &Told, meters: Vec<String>, system: Option<&str>, expands: bool) -> Plan {
        let watts = told.watts(system).map(|w| w.1);
        let climate = told.climate();
        // What may tell once the box is on is worth asking for as long as nothing else tells.
        let may = |doc: &Option<std::sync::Arc<Value>>, name: &str| {
            let told = doc.as_deref().map(|d| &d[name]);
            watts.is_none() && told.is_some_and(|t| !t.is_null() && list(t).len() + usize::from(!t.is_array()) > 0)
        };
        let power = matches!(watts, Some(From::Control | From::OldSupplies)) || may(&told.power, "PowerControl");
        let metrics = watts == Some(From::Metrics) || may(&told.metrics, "PowerWatts");
        let by_sensor = watts == Some(From::Sensors);
        let old = told
            .thermal
            .as_deref()
            .is_some_and(|t| !list(&t["Temperatures"]).is_empty() || !list(&t["Fans"]).is_empty());
        let rectified = by_sensor && rectifiers(&told.sensors).is_some();
        let useful: Vec<String> = told
            .sensors
            .iter()
            .filter(|(p, s)| of_use(p, s, rectified, !old))
            .map(|(p, _)| p.clone())
            .take(PLANNED)
            .collect();
        let collection = leads(doc, "Sensors").filter(|_| expands && !useful.is_empty());
        Plan {
            chassis: path.to_owned(),
            power: leads(doc, "Power").filter(|_| power),
            thermal: leads(doc, "Thermal").filter(|_| old),
            metrics: leads(doc, "EnvironmentMetrics").filter(|_| metrics),
            supplies: if watts == Some(From::Supplies) {
                meters
            } else {
                Vec::new()
            },
            sensors: if collection.is_some() { Vec::new() } else { useful },
            collection,
            accelerators: Vec::new(),
            shared: told.shared,
            lacks: watts.is_none() || climate.is_empty(),
            reads: 0,
        }
    }

    fn asks_for_nothing(&self) -> bool {
        self.power.is_none()
            && self.thermal.is_none()
            && self.metrics.is_none()
            && self.collection.is_none()
            && self.supplies.is_empty()
            && self.sensors.is_empty()
    }
}

/// Whether other machines stand in this chassis.
async fn shared(crawl: &Crawl<'_>, chassis: &Value, system: Option<&str>) -> bool {
    let Some(mine) = system else { return false };
    let others = links(chassis, "ComputerSystems")
        .iter()
        .filter_map(link)
        .filter(|l| l != mine);
    for path in others.take(SYSTEMS) {
        if crawl.read(&path).await.is_some_and(|other| is_machine(&other)) {
            return true;
        }
    }
    false
}

/// The sensors of a chassis. Where each is a request of its own, those whose name says that they measure something else
/// are asked for only when the others tell nothing.
async fn sensors(crawl: &Crawl<'_>, doc: &Value) -> Vec<Resource> {
    if crawl.expands() {
        return crawl.members(doc, "Sensors").await;
    }
    let Some((_, collection)) = crawl.follow(doc, "Sensors").await else {
        return Vec::new();
    };
    let all = list(&collection["Members"]);
    if all.len() <= MANY || all.iter().any(is_whole) {
        return crawl.members(doc, "Sensors").await;
    }
    let (first, rest): (Vec<Value>, Vec<Value>) = all.iter().cloned().partition(|m| link(m).is_none_or(|p| tells(&p)));
    let found = crawl.all(&first).await;
    let rectified = rectifiers(&found).is_some();
    if found.iter().any(|(p, s)| of_use(p, s, rectified, true)) {
        return found;
    }
    crawl.all(&rest).await
}

/// Whether a sensor may measure watts, a temperature or a fan, by its name.
fn tells(path: &str) -> bool {
    let name = last(path).to_ascii_lowercase();
    let other = ["voltage", "current", "energy", "pressure", "humidity", "frequency"];
    !other
        .iter()
        .any(|w| name.ends_with(w) || name.strip_prefix(w).is_some_and(|rest| rest.starts_with('_')))
}
