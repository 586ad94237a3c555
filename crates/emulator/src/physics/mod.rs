//! The physical model of a rack: where its watts come from, and where they go as heat. No clock, no sockets, no luck.
//!
//! ```text
//!   utility ─┐
//!            ├─ transfer ── UPS ── breaker ── PDU ─┬─ branch breaker ── outlet ── supply ─┐
//!   generator┘  (gear)    battery  heat memory     └─ …                                   │
//!                            ╎                                                            ├─ a box (body)
//!                            ╎     breaker ── shelf of rectifiers ── 48 V bus bar ── 48→12┘     │
//!                            ▼                    ╎                                             │ every watt
//!                  the electrical room            ▼                                             ▼ is heat
//!                                            ┌─ room air ◄── exhaust ◄─ boards ► CPUs ► GPUs ◄─ inlet ─┐
//!                                            │  hot leg        ▲         die → sink (chip)             │
//!                                            │   ║ steel       │ fans: flow ∝ n, watts ∝ n³            │
//!                                  rear door ┤   ╚═══ cooler ══╪═══════════════════════════► cold leg ─┘
//!                                            │      (to facility water)      part of the hot air comes back
//!                                            ▼                 │
//!                                        its water             └ or: cold plate → loop (hot leg → exchanger → cold leg,
//!                                                                pumps, litres, leaks), or the fluid of a tank
//! ```
//!
//! One step ([`Plant::advance`]) does this: life is passed down the electrical tree and watts up it; every box turns its
//! watts into heat along its air's way; circuits carry what they were given to their coolers. A flux is computed once and
//! taken from one account and given to another, so that what came in is what went out and what is stored
//! ([`account`]; a property test holds it to a millionth). Chips, boards, fans, breakers are solved exactly for constant
//! surroundings; steps inside are short after anything happens and long while all is quiet, so that one step of an hour
//! and 3,600 of a second agree.
//!
//! | file | its subject |
//! |---|---|
//! | [`quantity`] | what can be asked of a box |
//! | [`sensor`] | what a real sensor tells of it: noise, rounding, refresh, drift |
//! | [`kinds`] | boxes that were measured |
//! | [`load`] | what boxes are asked to do over time |
//! | [`breaker`], [`gear`] | heat memory and curves; the electrical tree |
//! | [`chip`], [`body`], [`circuit`] | dies and sinks; a box; air, loops, tanks and their coolers |
//! | [`plant`] (`power`, `step`), [`read`], [`act`] | all of it and how time passes, what is read of it, what is done to it |

pub mod account;
pub mod act;
mod behind;
pub mod body;
pub mod breaker;
pub mod chip;
pub mod circuit;
pub mod gear;
pub mod kinds;
pub mod load;
pub mod plant;
mod power;
pub mod quantity;
pub mod read;
pub mod sensor;
mod step;
#[cfg(test)]
mod tests;

pub use plant::{Event, Happened, Plant};
pub use quantity::{BoxId, Quantity, Readings, Unit};
