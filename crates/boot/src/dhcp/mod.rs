//! DHCP (RFC 2131, 2132) as servers that netboot need it: PXE (RFC 4578), iPXE, UEFI HTTP boot, relays (RFC 3046, 8357),
//! classless routes (RFC 3442). [`parse()`] and [`answer()`] are functions from packet to packet; [`run()`] is the socket around
//! them. Who has which address is the desk's matter: one MAC, one address, for good, so a lost reply or a client that
//! starts over is answered the same.

mod answer;
mod query;
mod run;
#[cfg(test)]
mod tests;

pub use answer::{Config, Mode, Reply, To, answer};
pub use query::{Bad, Kind, Query, parse};
pub use run::{RunError, Sockets, bind, run};
