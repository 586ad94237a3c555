//! Every family of metrics: its name, its meaning, its labels, and where its samples come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use control::House;
use control::meters::{CLASSES, Durations, Exchanges, Outcome, Protocol};
use rack::request::{DeviceView, NodeLive};
use rack::{Health, Node, Place, PowerState, Reading, Time, Unit};

use super::text::{Head, Kind, Labels, Writer};

/// Where samples come from. What is of boxes is written some boxes at a time.
#[derive(Clone, Copy)]
pub enum Source {
    /// The daemon.
    House(fn(House, &mut Writer)),
    /// All nodes together.
    Hall(fn(&House, &[Arc<Node>], Time, &mut Writer)),
    /// Each node.
    Node(fn(&Node, &NodeLive, Time, Duration, &mut Writer)),
    /// Each other box.
    Device(fn(&DeviceView, Time, Duration, &mut Writer)),
    /// Each reading in this unit, times a factor to the unit of the family.
    Reading(Unit, f64),
}

/// One family.
pub struct Family {
    /// Name and meaning.
    pub head: Head,
    /// Its labels, as the page shows them.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "shown on the page of names, which a test writes")
    )]
    pub labels: &'static str,
    /// Where its samples come from.
    pub source: Source,
}

impl Family {
    /// Whether it is told only when asked for: a series for each sensor in the hall.
    pub fn is_optional(&self) -> bool {
        matches!(self.source, Source::Reading(..))
    }
}

macro_rules! families {
    ($($kind:ident $name:literal $unit:literal [$labels:literal] $help:literal $source:expr;)*) => {
        &[$(Family {
            head: Head { name: $name, kind: Kind::$kind, unit: $unit, help: $help },
            labels: $labels,
            source: $source,
        }),*]
    };
}

/// All of them, in the order of the answer.
pub const FAMILIES: &[Family] = families! {
    Info "busbar_build" "" ["version"] "The version of the daemon that answers."
        Source::House(|_, w| w.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0));
    Gauge "busbar_uptime_seconds" "seconds" [""] "Time since the daemon started, and its counts with it."
        Source::House(|h, w| w.sample(&[], h.meters().uptime().as_secs_f64()));
    Gauge "busbar_store_revision" "" [""] "Revision of the store that answers are made from."
        Source::House(|h, w| w.sample(&[], h.world().revision as f64));
    Counter "busbar_events" "" [""] "Events that were recorded, in all the state's life."
        Source::House(|h, w| w.sample(&[], h.last_event() as f64));
    Counter "busbar_bmc_requests" "" ["protocol, outcome"] "Exchanges with BMCs and PDUs over redfish, ipmi or snmp, by how they ended: ok, refused (4xx, an error code), failed (5xx, busy), timeout, unreachable. Wake-ups, which nobody answers, are not counted."
        Source::House(|h, w| each_exchange(&h, |protocol, exchanges| {
            Outcome::ALL.iter().for_each(|o| w.sample(&[protocol, ("outcome", o.word())], exchanges.ended(*o) as f64));
        }));
    Histogram "busbar_bmc_request_duration_seconds" "seconds" ["protocol, le"] "How long those exchanges took, failed ones too."
        Source::House(|h, w| each_exchange(&h, |protocol, exchanges| durations(&[protocol], &exchanges.durations, w)));
    Histogram "busbar_look_duration_seconds" "seconds" ["le"] "How long it took to look at a box: its power and, when due, its readings or its inventory."
        Source::House(|h, w| durations(&[], &h.meters().look, w));
    Gauge "busbar_looks_due" "" [""] "Boxes that are due to be looked at and wait for a place."
        Source::House(|h, w| w.sample(&[], h.meters().due.load(Ordering::Relaxed) as f64));
    Gauge "busbar_looks_running" "" [""] "Boxes that are being looked at."
        Source::House(|h, w| w.sample(&[], h.meters().looking.load(Ordering::Relaxed) as f64));
    Histogram "busbar_store_commit_duration_seconds" "seconds" ["le"] "How long commits took that were made."
        Source::House(|h, w| durations(&[], &h.meters().commit, w));
    Counter "busbar_store_commits_refused" "" ["reason"] "Commits that were not made: conflict (something else was faster; it is made anew) or failure."
        Source::House(|h, w| {
            w.sample(&[("reason", "conflict")], h.meters().conflicts.load(Ordering::Relaxed) as f64);
            w.sample(&[("reason", "failure")], h.meters().failures.load(Ordering::Relaxed) as f64);
        });
    Gauge "busbar_history_bytes" "bytes" [""] "Memory that the readings of the last day take."
        Source::House(|h, w| w.sample(&[], h.history_size().1 as f64));
    Gauge "busbar_history_boxes" "" [""] "Boxes whose readings are remembered."
        Source::House(|h, w| w.sample(&[], h.history_size().0 as f64));
    Gauge "process_resident_memory_bytes" "bytes" [""] "Memory that the daemon's process holds, as Linux counts it."
        Source::House(|_, w| process().into_iter().for_each(|p| w.sample(&[], p.0)));
    Counter "process_cpu_seconds" "seconds" [""] "CPU time that the daemon's process used."
        Source::House(|_, w| process().into_iter().for_each(|p| w.sample(&[], p.1)));
    Gauge "busbar_machines" "" ["state"] "Machines by state, released ones left out."
        Source::House(machines);
    Gauge "busbar_machines_shed" "" ["how"] "Machines that give up watts so that nothing trips: capped or stopped."
        Source::House(|h, w| {
            let world = h.world();
            let of = |stopped: bool| world.sheds.values().filter(|s| !s.is_over() && s.stop.is_some() == stopped).count();
            w.sample(&[("how", "capped")], of(false) as f64);
            w.sample(&[("how", "stopped")], of(true) as f64);
        });
    Gauge "busbar_nodes" "" ["rack, state"] "Nodes by what can be done with them, each in one state: silent (its BMC does not answer), held (by a machine), unarmed, cordoned, dirty (not proven wiped), free."
        Source::Hall(nodes);
    Gauge "busbar_rack_power_watts" "watts" ["rack"] "Power of the nodes of a rack that told it; how many did not is in busbar_rack_power_unknown."
        Source::Hall(|h, n, t, w| racks(h, n, t, w, |r| r.told.then_some(r.watts)));
    Gauge "busbar_rack_power_unknown" "" ["rack"] "Nodes of a rack that are missing in its power, as they have no fresh reading."
        Source::Hall(|h, n, t, w| racks(h, n, t, w, |r| Some(r.unknown)));
    Gauge "busbar_rack_inlet_max_celsius" "celsius" ["rack"] "Warmest inlet of a rack's nodes."
        Source::Hall(|h, n, t, w| racks(h, n, t, w, |r| r.inlet));
    Gauge "busbar_node_answers" "" ["place"] "1 when the node's BMC answers, 0 when it does not."
        Source::Node(|n, l, _, _, w| of(n, l.seen.map(|_| flag(l.silent.is_none())), w));
    Gauge "busbar_node_powered" "" ["place"] "1 when the node is on, 0 when it is off; nothing when it is not told."
        Source::Node(|n, l, _, _, w| of(n, l.power.filter(|_| l.silent.is_none()).map(|p| flag(p != PowerState::Off)), w));
    Gauge "busbar_node_health" "" ["place"] "Health of the node from its leaves: 0 ok, 1 warning, 2 critical; nothing when it is not told."
        Source::Node(|n, _, _, _, w| of(n, health(n.health), w));
    Gauge "busbar_node_power_watts" "watts" ["place"] "Power that the node draws."
        Source::Node(|n, l, t, a, w| of(n, Reading::named(&l.readings, "watts", Unit::Watts, t, a), w));
    Gauge "busbar_node_inlet_celsius" "celsius" ["place"] "Air or coolant at the node's inlet."
        Source::Node(|n, l, t, a, w| of(n, Reading::named(&l.readings, "inlet", Unit::Celsius, t, a), w));
    Gauge "busbar_node_hottest_celsius" "celsius" ["place"] "The hottest temperature that the node tells."
        Source::Node(|n, l, t, a, w| of(n, hottest(&l.readings, t, a), w));
    Info "busbar_node" "" ["place, machine"] "Which machine holds the node, to join with; machine is empty when none does."
        Source::Node(|n, _, _, _, w| {
            let machine = n.holder.as_ref().map_or("", |m| m.as_str());
            w.sample(&[("place", n.place.as_str()), ("machine", machine)], 1.0);
        });
    Gauge "busbar_device_health" "" ["place, kind"] "Health of a PDU or another box that is no machine: 0 ok, 1 warning, 2 critical; nothing when it is not told."
        Source::Device(|d, _, _, w| device(d, health(d.health), w));
    Gauge "busbar_device_power_watts" "watts" ["place, kind"] "Power through a PDU or another box that is no machine."
        Source::Device(|d, t, a, w| device(d, Reading::named(&d.readings, "watts", Unit::Watts, t, a), w));
    Gauge "busbar_reading_power_watts" "watts" ["place, reading"] "Every reading of power." Source::Reading(Unit::Watts, 1.0);
    Gauge "busbar_reading_temperature_celsius" "celsius" ["place, reading"] "Every reading of a temperature." Source::Reading(Unit::Celsius, 1.0);
    Gauge "busbar_reading_speed_rpm" "rpm" ["place, reading"] "Every reading of a fan or pump in revolutions a minute." Source::Reading(Unit::Rpm, 1.0);
    Gauge "busbar_reading_share_ratio" "ratio" ["place, reading"] "Every reading of a share, 0 to 1." Source::Reading(Unit::Percent, 0.01);
    Gauge "busbar_reading_voltage_volts" "volts" ["place, reading"] "Every reading of a voltage." Source::Reading(Unit::Volts, 1.0);
    Gauge "busbar_reading_current_amperes" "amperes" ["place, reading"] "Every reading of a current." Source::Reading(Unit::Amperes, 1.0);
    Gauge "busbar_reading_flow_cubic_meters_per_second" "cubic_meters_per_second" ["place, reading"] "Every reading of a flow of coolant." Source::Reading(Unit::LitresPerMinute, 1.0 / 60_000.0);
    Gauge "busbar_reading_pressure_pascals" "pascals" ["place, reading"] "Every reading of a pressure." Source::Reading(Unit::Kilopascals, 1000.0);
    Gauge "busbar_reading_energy_joules" "joules" ["place, reading"] "Every reading of energy, counted by the box itself." Source::Reading(Unit::KilowattHours, 3.6e6);
};

fn each_exchange(house: &House, mut tell: impl FnMut((&str, &str), &Exchanges)) {
    for protocol in Protocol::ALL {
        tell(("protocol", protocol.word()), house.meters().exchanges(protocol));
    }
}

fn durations(labels: Labels, d: &Durations, w: &mut Writer) {
    let (below, count, sum) = d.cumulative();
    w.histogram(labels, &CLASSES, &below, count, sum);
}

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

fn health(health: Health) -> Option<f64> {
    match health {
        Health::Unknown => None,
        Health::Ok => Some(0.0),
        Health::Warning => Some(1.0),
        Health::Critical => Some(2.0),
    }
}

fn of(node: &Node, value: Option<f64>, w: &mut Writer) {
    if let Some(value) = value {
        w.sample(&[("place", node.place.as_str())], value);
    }
}

fn device(device: &DeviceView, value: Option<f64>, w: &mut Writer) {
    if let Some(value) = value {
        w.sample(&[("place", device.place.as_str()), ("kind", &device.kind)], value);
    }
}

fn hottest(readings: &[Reading], now: Time, age: Duration) -> Option<f64> {
    let hot = readings.iter().filter(|r| r.unit == Unit::Celsius);
    hot.filter_map(|r| r.fresh(now, age)).reduce(f64::max)
}

/// Most readings of one box that are told: one that makes up names must not fill the memory of others.
const READINGS: usize = 512;

/// Every fresh reading of a box in this unit.
pub fn readings(place: &Place, all: &[Reading], unit: Unit, scale: f64, now: Time, age: Duration, w: &mut Writer) {
    for r in all.iter().take(READINGS).filter(|r| r.unit == unit) {
        if let Some(value) = r.fresh(now, age) {
            w.sample(&[("place", place.as_str()), ("reading", &r.name)], value * scale);
        }
    }
}

fn machines(house: House, w: &mut Writer) {
    let world = house.world();
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for machine in world.machines.values() {
        if machine.status.state != rack::State::Released {
            *states.entry(machine.status.state.to_string()).or_default() += 1;
        }
    }
    states
        .iter()
        .for_each(|(state, n)| w.sample(&[("state", state)], f64::from(*n)));
}

fn nodes(house: &House, nodes: &[Arc<Node>], _: Time, w: &mut Writer) {
    const STATES: [&str; 6] = ["silent", "held", "unarmed", "cordoned", "dirty", "free"];
    let mut racks: BTreeMap<&str, [u32; STATES.len()]> = BTreeMap::new();
    for node in nodes {
        let first = [
            house.look_at(&node.id, |l| l.silent.is_some()),
            node.holder.is_some(),
            !node.armed,
            node.cordoned.is_some(),
            !rack::invariants::may_be_given(node),
            true,
        ];
        let state = first.iter().position(|is| *is).unwrap_or(STATES.len() - 1);
        racks.entry(node.place.rack()).or_default()[state] += 1;
    }
    for (rack, counts) in racks {
        for (state, n) in STATES.iter().zip(counts) {
            w.sample(&[("rack", rack), ("state", state)], f64::from(n));
        }
    }
}

#[derive(Default)]
struct RackSum {
    watts: f64,
    told: bool,
    unknown: f64,
    inlet: Option<f64>,
}

fn racks(house: &House, nodes: &[Arc<Node>], now: Time, w: &mut Writer, pick: fn(&RackSum) -> Option<f64>) {
    let age = house.reading_age();
    let mut sums: BTreeMap<&str, RackSum> = BTreeMap::new();
    for node in nodes {
        let sum = sums.entry(node.place.rack()).or_default();
        house.look_at(&node.id, |l| {
            match Reading::named(&l.readings, "watts", Unit::Watts, now, age) {
                Some(watts) => (sum.watts, sum.told) = (sum.watts + watts, true),
                None => sum.unknown += 1.0,
            }
            let inlet = Reading::named(&l.readings, "inlet", Unit::Celsius, now, age);
            sum.inlet = sum.inlet.into_iter().chain(inlet).reduce(f64::max);
        });
    }
    for (rack, sum) in &sums {
        if let Some(value) = pick(sum) {
            w.sample(&[("rack", rack)], value);
        }
    }
}

/// Resident bytes and CPU seconds of this process, from proc(5); nothing where it can't be read.
fn process() -> Option<(f64, f64)> {
    let page = rustix::param::page_size() as f64;
    let resident = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: f64 = resident.split(' ').nth(1)?.parse().ok()?;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // the name in parentheses may hold blanks; utime and stime are fields 14 and 15
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    let hertz = rustix::param::clock_ticks_per_second() as f64;
    Some((resident * page, (ticks(11)? + ticks(12)?) / hertz))
}

/// `docs/metrics.md`.
#[cfg(test)]
pub fn page() -> String {
    use std::fmt::Write as _;
    let mut page = String::from(include_str!("page.md"));
    let mut table = |title: &str, optional: bool| {
        let _ = writeln!(
            page,
            "\n## {title}\n\n| name | kind | labels | what it says |\n|---|---|---|---|"
        );
        for f in FAMILIES.iter().filter(|f| f.is_optional() == optional) {
            let labels: Vec<String> = f
                .labels
                .split(", ")
                .filter(|l| !l.is_empty())
                .map(|l| format!("`{l}`"))
                .collect();
            let _ = writeln!(
                page,
                "| `{}{}` | {} | {} | {} |",
                f.head.name,
                f.head.kind.suffix(),
                f.head.kind.word(),
                labels.join(", "),
                f.head.help
            );
        }
    };
    table("Always", false);
    table("With `?readings=all`", true);
    page
}
