//! What would come of a failure: who dies, who goes on with less, what load moves where, and whether that trips the next.
//!
//! What a failure takes is a set of PDUs, cords and boxes ([`taken`]); from there it goes in rounds ([`cascade`]): boxes
//! without a cord die, those that are left with some draw their watts through these, in proportion to what flows there
//! now; a PDU that then carries more than its rating is taken too. Each round takes one PDU at least, so there are no
//! more rounds than PDUs. Where there is time to react, machines give up watts first, as [`crate::pressure`] decides. What is
//! said of it is in [`told`].
//!
//! Watts stay what they are: supplies that carry more lose a little less (HARDWARE: 51 W of 8 kW), and a machine may
//! start to work while it all happens.

mod cascade;
mod taken;
#[cfg(test)]
pub(crate) mod tests;
mod told;

use rack::Place;
use rack::power::{Forecast, OneLine};

use crate::pressure::Rules;

pub use taken::Unfailable;

/// What comes of it when all of `fails` do at once: PDUs, outlets (`r1/pdu-a/3`), boxes, supplies (`r1/u3/psu1`).
pub fn whatif(line: &OneLine, fails: &[Place], rules: &Rules) -> Result<Forecast, Unfailable> {
    let (taken, assumed) = taken::taken(line, fails)?;
    let end = cascade::run(line, taken, rules);
    Ok(told::forecast(line, fails, &end, assumed))
}
