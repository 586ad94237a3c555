//! TFTP, read only, for the one thing that needs it: firmware that fetches iPXE. RFC 1350 with options (RFC 2347): block
//! size (2348), timeout and transfer size (2349), window size (7440). [`Transfer`] is the protocol without a socket.

mod run;
mod transfer;

pub use run::{Files, RunError, bind, run};
pub use transfer::{Next, Refused, Request, Transfer, error_packet, parse};
