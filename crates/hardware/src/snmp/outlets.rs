//! Outlets: listed, switched, read back.

use std::time::Duration;

use rack::PowerState;

use crate::capability::OutletOrder;
use crate::error::Error;
use crate::found::{Outlet, Receipt};
use crate::permit::Permit;
use crate::snmp::Pdu;
use crate::snmp::agent::Oid;
use crate::snmp::profile::{Control, Order, Outlets, States};
use crate::snmp::survey::{self, Index};

/// Looks after an outlet was switched: relays of old PDUs follow one another with seconds between them.
const READ_BACKS: u32 = 8;
const READ_BACK_PAUSE: Duration = Duration::from_secs(1);
/// Between off and on where the PDU has no cycle of its own.
const DARK: Duration = Duration::from_secs(10);
/// Ids named in an error.
const NAMED: usize = 64;

/// One outlet and how to reach it.
struct Reached<'a> {
    index: Index,
    power: Option<PowerState>,
    control: &'a Control,
    states: &'a States,
}

impl Pdu {
    /// See [`crate::capability::Outlets::outlets`].
    pub async fn outlets(&self, path: &str) -> Result<Vec<Outlet>, Error> {
        let p = self.profile().await?;
        let Some(outlets) = &p.outlets else {
            return Ok(Vec::new());
        };
        let found = self.rows(path, outlets, survey::outlet_columns(outlets)).await?;
        Ok(found.into_iter().map(|(_, outlet)| outlet).collect())
    }

    async fn rows(
        &self,
        path: &str,
        outlets: &Outlets,
        columns: std::collections::BTreeSet<Oid>,
    ) -> Result<Vec<(Index, Outlet)>, Error> {
        let p = self.profile().await?;
        let mut wanted = survey::unit_columns(&p.units);
        wanted.extend(columns);
        let (cells, problems) = self.client.read(wanted).await?;
        for problem in problems {
            tracing::debug!(address = self.client.line.url(), problem.path, problem.what, "not read");
        }
        let units = survey::units(&p.units, &cells);
        let unit = self.unit(&units, path)?;
        Ok(survey::rows(outlets, &cells, unit, units.len() == 1))
    }

    /// See [`crate::capability::Outlets::switch`].
    pub async fn switch_outlet(
        &self,
        path: &str,
        id: &str,
        order: OutletOrder,
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let p = self.profile().await?;
        let Some(outlets) = &p.outlets else {
            return Err(self.client.not_offered("outlets that are told apart", Vec::new()));
        };
        let rows = self.rows(path, outlets, survey::switch_columns(outlets)).await?;
        let outlet = self.reach(outlets, &rows, id)?;
        match order {
            OutletOrder::On => self.turn(&outlet, PowerState::On, permit).await,
            OutletOrder::Off => self.turn(&outlet, PowerState::Off, permit).await,
            // Some PDUs ignore the order to restart what is off.
            OutletOrder::Cycle if outlet.power == Some(PowerState::Off) => {
                self.turn(&outlet, PowerState::On, permit).await
            }
            OutletOrder::Cycle => match &outlet.control.reboot {
                Some(reboot) => {
                    let oid = self.order(&outlet, reboot)?;
                    self.client.set(&oid, reboot.value, permit).await?;
                    Ok(Receipt::Accepted { task: None })
                }
                None => {
                    self.turn(&outlet, PowerState::Off, permit).await?;
                    tokio::time::sleep(DARK).await;
                    let dark = Reached {
                        power: Some(PowerState::Off),
                        ..outlet
                    };
                    self.turn(&dark, PowerState::On, permit).await
                }
            },
        }
    }

    /// The outlet that is called so; refused when it is not one.
    fn reach<'a>(&self, outlets: &'a Outlets, rows: &[(Index, Outlet)], id: &str) -> Result<Reached<'a>, Error> {
        let named: Vec<_> = rows.iter().filter(|(_, o)| o.id == id).collect();
        let [(index, outlet)] = named.as_slice() else {
            let have = rows.iter().map(|(_, o)| o.id.clone()).take(NAMED).collect();
            let what = match named.len() {
                0 => format!("an outlet `{id}`"),
                n => format!("one outlet `{id}`, but {n}"),
            };
            return Err(self.client.not_offered(&what, have));
        };
        match (&outlets.control, &outlets.state) {
            (Some(control), Some(states)) if outlet.switched => Ok(Reached {
                index: index.clone(),
                power: outlet.power,
                control,
                states,
            }),
            _ => Err(self.client.not_offered(&format!("switching outlet `{id}`"), Vec::new())),
        }
    }

    /// The object that an order is written to.
    fn order(&self, outlet: &Reached<'_>, order: &Order) -> Result<Oid, Error> {
        let instances = &outlet.control.instances;
        if instances.is_empty() {
            return Ok(order.oid.at(&outlet.index));
        }
        let place = outlet.index.last().and_then(|n| usize::try_from(*n).ok());
        place
            .and_then(|n| instances.get(n.checked_sub(1)?))
            .and_then(|instance| instance.parse::<Oid>().ok())
            .map(|instance| order.oid.at(instance.numbers()))
            .ok_or_else(|| {
                let index = crate::snmp::agent::dotted(&outlet.index);
                self.client
                    .not_offered(&format!("switching outlet {index}"), Vec::new())
            })
    }

    async fn turn(&self, outlet: &Reached<'_>, wanted: PowerState, permit: &Permit) -> Result<Receipt, Error> {
        if outlet.power == Some(wanted) {
            return Ok(Receipt::Done);
        }
        let order = match wanted {
            PowerState::On => &outlet.control.on,
            _ => &outlet.control.off,
        };
        let oid = self.order(outlet, order)?;
        let unheard = match self.client.set(&oid, order.value, permit).await {
            Ok(()) => None,
            // The order or its answer was lost: what the outlet shows tells which.
            Err(e @ (Error::Unreachable { .. } | Error::Timeout { .. })) => Some(e),
            Err(e) => return Err(e),
        };
        let state = outlet.states.oid.at(&outlet.index);
        for look in 0..READ_BACKS {
            if look > 0 {
                tokio::time::sleep(READ_BACK_PAUSE).await;
            }
            let value = self.client.value(&state).await?;
            if outlet.states.of(Some(&value)) == Some(wanted) {
                return Ok(Receipt::Done);
            }
        }
        Err(unheard.unwrap_or_else(|| {
            self.client
                .broken(&oid, "it took the order but the outlet did not change")
        }))
    }
}
