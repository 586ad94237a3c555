//! What Busbar can ask of hardware and tell it, and the drivers that do so.
//!
//! This crate knows no store, no plan and no control loop, and reads no clock: it turns answers of a device into the
//! nouns of `rack`, and orders into requests. Above it no maker is named; below, dialects are told apart by what a
//! device says it offers, and what only experience tells is data (`redfish/quirks.toml`, `snmp/pdus.toml`).
//!
//! Start at [`capability`]: a [`Driver`] is one device, and offers the capabilities that it truly has: [`Redfish`],
//! [`Ipmi`], a [`Pdu`] by SNMP, or a box without BMC that can only be woken ([`Wol`]), as the scheme of its URL says. Every
//! write takes a [`Permit`], and in [`Mode::Observe`] nothing that changes anything leaves a driver.

pub mod capability;
pub mod console;
pub mod error;
pub mod found;
pub mod ipmi;
pub mod line;
pub mod pace;
pub mod permit;
pub mod redfish;
mod resolve;
pub mod snmp;
pub mod tally;
pub mod transport;
pub mod wol;

pub use capability::Driver;
pub use error::Error;
pub use found::{
    Contact, DeviceKind, Found, FoundDevice, FoundSystem, Glance, HardwareEvent, Outlet, Problem, Raw, Receipt,
    TaskState,
};
pub use ipmi::Ipmi;
pub use permit::{Credential, Mode, Permit};
pub use redfish::Redfish;
pub use snmp::Pdu;
pub use tally::{Outcome, Tally};
pub use transport::{HttpTransport, Limits, Pin, Transport, TransportError};
pub use wol::Wol;
