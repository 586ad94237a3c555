//! Starts machines: DHCP and proxy DHCP, TFTP, HTTP boot, the image store and the metadata service.
//!
//! This floor answers machines; it never decides and never remembers. Who a caller is, what it boots and what its
//! metadata says comes through [`desk::Desk`], which `control` implements over the world. Protocols are functions from
//! a packet to a packet ([`dhcp`], [`tftp`]) with a thin socket shell, so that the simulation calls them directly.

pub mod desk;
pub mod dhcp;
pub mod http;
pub mod images;
pub mod ipxe;
pub mod metadata;
pub mod serve;
pub mod tftp;
