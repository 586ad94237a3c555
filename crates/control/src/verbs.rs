//! Verbs for one box that leave nothing behind: its light, its own log.

use rack::Place;
use rack::request::Who;
use rack::setting::LogLine;

use crate::House;
use crate::house::{HouseError, must_be_armed};
use crate::no_bmc::must_have_bmc;

/// Most lines of a box's log in one answer.
const LINES: usize = 200;

impl House {
    /// Lights the box at a place, or puts its light out. Whoever stands in the aisle sees which one it is.
    pub async fn locate(&self, who: &Who, place: &Place, on: bool) -> Result<(), HouseError> {
        let node = self.node_at(place)?;
        must_be_armed(&node)?;
        must_have_bmc(&node, "light to find it by")?;
        let bmc = self.bmc_of(&node).await?;
        let lacks = || hardware::Error::lacks(bmc.url(), "a light to be found by");
        let light = bmc.indicator().ok_or_else(lacks)?;
        let what = if on { "light on" } else { "light off" };
        let permit = self
            .permit(&node.id, place.as_ref(), what.into(), "asked for", who.name.as_str())
            .await?;
        let receipt = self.heard(&node, light.light(&node.bmc, on, &permit).await)?;
        match receipt {
            hardware::Receipt::Blocked { by } => Err(HouseError::Conflict {
                what: format!("its light can't be switched now: {by}"),
            }),
            _ => Ok(()),
        }
    }

    /// The newest lines of the log that a box keeps itself.
    pub async fn box_log(&self, place: &Place, most: usize) -> Result<Vec<LogLine>, HouseError> {
        let node = self.node_at(place)?;
        must_have_bmc(&node, "log that it keeps itself")?;
        let bmc = self.bmc_of(&node).await?;
        let lacks = || hardware::Error::lacks(bmc.url(), "a log");
        let log = bmc.log().ok_or_else(lacks)?;
        let entries = self.heard(&node, log.entries(&node.bmc, most.clamp(1, LINES)).await)?;
        let line = |e: hardware::capability::LogEntry| LogLine {
            id: e.id,
            at: e.at,
            severity: e.severity,
            message: e.message,
        };
        Ok(entries.into_iter().map(line).collect())
    }
}
