//! The physical model of a rack.

pub mod quantity;

pub use quantity::{BoxId, Quantity, Readings, Unit};
