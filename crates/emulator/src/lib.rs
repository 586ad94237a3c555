//! A rack made of software, spoken to over real sockets.
//!
//! What it is made of is described ([`describe`], [`layout`]); its watts and its heat are one physical model ([`physics`]).
//! Every BMC and PDU answers Redfish on a loopback address of its own ([`redfish`]), and what it reads comes from there.
//! A server that is switched on runs firmware ([`life`], [`firmware`]): it asks for its boot by DHCP and HTTP, runs the
//! agent's own code on emulated hardware ([`host`]) and boots what lies on its disk ([`disks`]). What it prints goes over
//! its serial line ([`serial`]) to whoever listens at its BMC ([`console`]). Faults are data ([`faults`]), set through
//! [`control`]. Servers may be real machines of QEMU instead ([`vm`]). Coolant units, power shelves and boxes without
//! processors answer too ([`equipment`]). Captured trees of real boxes are served as live ones by [`tree`], a whole data hall
//! of boxes by [`hall`], and servers that have no BMC are woken by magic packets ([`wake`]). It knows nothing of the daemon
//! but its addresses, and everything that it says goes through one seam ([`net`]). Start reading at [`emulated`].

pub mod config;
mod console;
pub mod control;
pub mod describe;
pub mod disks;
pub mod emulated;
pub mod equipment;
pub mod faults;
pub mod firmware;
pub mod hall;
mod harm;
pub mod host;
mod idle;
pub mod layout;
pub mod life;
pub mod model;
pub mod net;
pub mod physics;
mod query;
pub mod redfish;
mod serial;
pub mod serve;
pub mod start;
pub mod tree;
pub mod vm;
pub mod wake;

pub use config::{Clock, Config, Credential, StartError};
pub use emulated::Emulated;
pub use faults::{Action, Fault, Selector};
pub use harm::BadFault;
pub use layout::RackLayout;
pub use start::{Handle, tree_address};
pub use tree::Tree;
