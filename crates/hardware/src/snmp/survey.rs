//! From cells to nouns: which units there are, their outlets, what they measure.

use std::collections::BTreeSet;

use rack::{Identity, Unit};

use crate::found::{DeviceKind, FoundDevice, Outlet, Raw};
use crate::snmp::agent::{Oid, Value, dotted};
use crate::snmp::client::Cells;
use crate::snmp::profile::{Outlets, Place, Profile, Quantity, Units};

/// The index of a unit; empty when there is but one, without a table.
pub type Index = Vec<u32>;

/// What [`units`] needs.
pub fn unit_columns(units: &Units) -> BTreeSet<Oid> {
    units.rows.iter().cloned().collect()
}

/// What [`identify`] and [`readings`] of the unit itself need.
pub fn identity_columns(units: &Units) -> BTreeSet<Oid> {
    let texts = [&units.model, &units.serial, &units.firmware];
    let mut out: BTreeSet<Oid> = texts.into_iter().flatten().cloned().collect();
    out.extend(units.label.clone());
    out.extend(units.maker.clone());
    out.extend(units.health.as_ref().map(|h| h.oid.clone()));
    out
}

/// What [`readings`] needs.
pub fn measure_columns(p: &Profile) -> BTreeSet<Oid> {
    let mut out = BTreeSet::new();
    for q in p.units.watts.iter().chain(&p.units.kwh) {
        quantity_columns(q, &mut out);
    }
    for m in &p.measured {
        out.extend(m.place.columns.iter().cloned());
        out.extend(m.number.clone());
        out.extend(m.only.as_ref().map(|o| o.oid.clone()));
        for (q, _, _) in m.quantities() {
            quantity_columns(q, &mut out);
        }
    }
    out
}

/// What [`rows`] needs to tell outlets apart and whether they are on.
pub fn switch_columns(outlets: &Outlets) -> BTreeSet<Oid> {
    let mut out: BTreeSet<Oid> = outlets.id.iter().chain(&outlets.place.columns).cloned().collect();
    out.extend(outlets.state.as_ref().map(|s| s.oid.clone()));
    let able = outlets.control.as_ref().and_then(|c| c.able.as_ref());
    out.extend(able.map(|a| a.oid.clone()));
    out
}

/// What reading outlets needs.
pub fn outlet_columns(outlets: &Outlets) -> BTreeSet<Oid> {
    let mut out = switch_columns(outlets);
    out.extend(outlets.label.iter().cloned());
    for q in outlets.watts.iter().chain(&outlets.amps) {
        quantity_columns(q, &mut out);
    }
    out
}

fn quantity_columns(q: &Quantity, out: &mut BTreeSet<Oid>) {
    out.insert(q.oid.clone());
    out.extend(q.digits.clone());
    out.extend(q.only.as_ref().map(|o| o.oid.clone()));
}

/// The units behind the agent.
pub fn units(units: &Units, cells: &Cells) -> Vec<Index> {
    let found: Vec<Index> = units
        .rows
        .iter()
        .flat_map(|rows| cells.column(rows).map(|(index, _)| index.clone()))
        .collect();
    if found.is_empty() { vec![Vec::new()] } else { found }
}

/// The path of a unit.
pub fn path(unit: &[u32]) -> String {
    if unit.is_empty() {
        "pdu".into()
    } else {
        format!("pdu/{}", dotted(unit))
    }
}

/// A unit without its outlets. `alone`: there is no other behind the agent, so that what the agent says of itself is
/// said of the unit.
pub fn identify(p: &Profile, cells: &Cells, unit: &[u32], alone: bool, name: Option<String>) -> FoundDevice {
    let first = |oids: &[Oid], shared: bool| {
        oids.iter()
            .filter(|o| alone || shared || !o.is_scalar())
            .find_map(|o| text_of(cells, o, unit))
    };
    let model = first(&p.units.model, true);
    let label = p
        .units
        .label
        .as_ref()
        .and_then(|o| first(std::slice::from_ref(o), false));
    let mut readings = readings(p, cells, unit, alone);
    let watts = readings.iter().find(|r| r.0 == "watts").and_then(|r| r.1);
    readings.retain(|r| r.0 != "watts");
    FoundDevice {
        kind: DeviceKind::RackPdu,
        name: label.or(name).or_else(|| model.clone()).unwrap_or_else(|| path(unit)),
        path: path(unit),
        identity: Identity {
            uuid: None,
            serial: first(&p.units.serial, false),
            maker: p
                .units
                .maker
                .as_ref()
                .and_then(|o| first(std::slice::from_ref(o), true))
                .or_else(|| Some(p.maker.clone())),
            model,
            bios: None,
            bmc_firmware: first(&p.units.firmware, true),
        },
        health: match &p.units.health {
            Some(h) => h.of(cells.cell(&h.oid, unit)),
            None => rack::Health::Unknown,
        },
        watts,
        readings,
        outlets: Vec::new(),
        mains: Vec::new(),
    }
}

/// The text at a unit's index, or at the first one below it: that of its first board.
fn text_of(cells: &Cells, oid: &Oid, unit: &[u32]) -> Option<String> {
    let own = cells.cell(oid, unit).and_then(Value::text);
    own.or_else(|| {
        let mut below = cells.column(oid).filter(|(index, _)| index.starts_with(unit));
        below.next().and_then(|(_, value)| value.text())
    })
}

/// What a unit measures: `watts` in any case, what else has a value.
pub fn readings(p: &Profile, cells: &Cells, unit: &[u32], alone: bool) -> Vec<Raw> {
    let of_unit = |quantities: &[Quantity]| {
        quantities
            .iter()
            .filter(|q| alone || !q.oid.is_scalar())
            .find_map(|q| total(q, cells, unit))
    };
    // Nothing at all is what a PDU says that does not measure; one with every outlet off draws a few watts itself.
    let watts = of_unit(&p.units.watts).filter(|w| *w > 0.0);
    let mut out = vec![("watts".to_owned(), watts, Unit::Watts)];
    if let Some(kwh) = of_unit(&p.units.kwh) {
        out.push(("kwh".to_owned(), Some(kwh), Unit::KilowattHours));
    }
    for m in &p.measured {
        let indices = m.quantities().flat_map(|(q, _, _)| indices(q, cells));
        let indices: BTreeSet<Index> = indices.collect();
        for index in indices.iter().filter(|i| belongs(&m.place, cells, i, unit, alone)) {
            if let Some(only) = &m.only
                && !only.admits(cells.cell(&only.oid, index))
            {
                continue;
            }
            let number = m.number.as_ref().and_then(|o| cells.cell(o, index)?.text());
            let number = number.unwrap_or_else(|| dotted(own(&m.place, index, unit)));
            for (q, what, measure) in m.quantities() {
                if let Some(value) = quantity(q, cells, index) {
                    out.push((format!("{}{number}-{what}", m.name), Some(value), measure));
                }
            }
        }
    }
    out
}

/// The outlets of a unit, with their indices.
pub fn rows(outlets: &Outlets, cells: &Cells, unit: &[u32], alone: bool) -> Vec<(Index, Outlet)> {
    let columns = outlets.id.iter().chain(outlets.state.as_ref().map(|s| &s.oid));
    let mut all: BTreeSet<Index> = columns
        .flat_map(|c| cells.column(c).map(|(index, _)| index.clone()))
        .collect();
    for q in outlets.watts.iter().chain(&outlets.amps) {
        all.extend(indices(q, cells));
    }
    all.into_iter()
        .filter(|index| belongs(&outlets.place, cells, index, unit, alone))
        .map(|index| {
            let outlet = outlet(outlets, cells, &index, unit);
            (index, outlet)
        })
        .collect()
}

fn outlet(outlets: &Outlets, cells: &Cells, index: &[u32], unit: &[u32]) -> Outlet {
    let first = |oids: &[Oid]| oids.iter().find_map(|o| cells.cell(o, index)?.text());
    let measured = |quantities: &[Quantity]| quantities.iter().find_map(|q| quantity(q, cells, index));
    let state = outlets.state.as_ref().and_then(|s| cells.cell(&s.oid, index));
    let able = outlets.control.as_ref().is_some_and(|control| {
        let able = control.able.as_ref();
        state.is_some() && able.is_none_or(|a| a.of(cells.cell(&a.oid, index)))
    });
    Outlet {
        id: first(&outlets.id).unwrap_or_else(|| dotted(own(&outlets.place, index, unit))),
        label: first(&outlets.label),
        power: outlets.state.as_ref().and_then(|s| s.of(state)),
        watts: measured(&outlets.watts),
        amps: measured(&outlets.amps),
        switched: able,
    }
}

fn belongs(place: &Place, cells: &Cells, index: &[u32], unit: &[u32], alone: bool) -> bool {
    if place.prefix {
        return index.starts_with(unit);
    }
    match place.columns.iter().find_map(|c| cells.cell(c, index)?.number()) {
        Some(n) => unit.is_empty() || unit.first().is_some_and(|u| i64::from(*u) == n),
        None => alone,
    }
}

/// The index without that of the unit.
fn own<'a>(place: &Place, index: &'a [u32], unit: &[u32]) -> &'a [u32] {
    if place.prefix {
        index.strip_prefix(unit).unwrap_or(index)
    } else {
        index
    }
}

/// Rows that a quantity has, without the sensor's number.
fn indices<'a>(q: &'a Quantity, cells: &'a Cells) -> impl Iterator<Item = Index> + 'a {
    cells.column(&q.oid).filter_map(|(index, _)| match q.sensor {
        None => Some(index.clone()),
        Some(sensor) => Some(index.strip_suffix([sensor].as_slice())?.to_vec()),
    })
}

fn quantity(q: &Quantity, cells: &Cells, index: &[u32]) -> Option<f64> {
    let at: Index = index.iter().copied().chain(q.sensor).collect();
    let raw = cells.cell(&q.oid, &at)?.number().filter(|n| *n >= 0)?;
    let digits = match &q.digits {
        None => 0,
        Some(digits) => cells
            .cell(digits, &at)
            .and_then(Value::number)
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| (0..=9).contains(n))?,
    };
    Some(raw as f64 * q.scale / 10f64.powi(digits))
}

fn total(q: &Quantity, cells: &Cells, unit: &[u32]) -> Option<f64> {
    if !q.sum {
        return quantity(q, cells, unit);
    }
    indices(q, cells)
        .filter(|index| index.starts_with(unit))
        .filter(|index| match &q.only {
            Some(only) => only.admits(cells.cell(&only.oid, index)),
            None => true,
        })
        .filter_map(|index| quantity(q, cells, &index))
        .reduce(|a, b| a + b)
}
