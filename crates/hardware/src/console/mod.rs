//! Ways to a serial console that are no protocol of management: SSH ([`ssh`]) and WebSocket ([`websocket`]).
//!
//! Both turn a connection into a [`ConsoleStream`]; neither knows what Redfish is. Bytes pass through unchanged, whatever
//! they are: who shows them to more than a terminal must clean them. Everything waits in bounded queues, so that a console
//! without end costs no more memory than one that is silent.

pub mod ssh;
pub mod websocket;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::capability::ConsoleStream;

/// Pieces of output that wait to be read; then the BMC is held back.
const OUTPUT: usize = 64;
/// Pieces of input that wait to be sent.
const INPUT: usize = 32;

/// Why the console that was open last has ended.
#[derive(Debug, Clone, Default)]
pub struct Why(Arc<Mutex<Option<String>>>);

impl Why {
    /// The reason, in words.
    pub fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it.
    pub fn set(&self, why: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.into());
    }

    /// Forgets it.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The side of a console that the connection serves.
struct Ends {
    output: mpsc::Sender<Bytes>,
    input: mpsc::Receiver<Bytes>,
}

/// Both sides of a console.
fn pair() -> (ConsoleStream, Ends) {
    let (output, mut printed) = mpsc::channel(OUTPUT);
    let (typed, input) = mpsc::channel(INPUT);
    let stream = ConsoleStream {
        output: Box::pin(futures_util::stream::poll_fn(move |context| printed.poll_recv(context))),
        input: typed,
    };
    (stream, Ends { output, input })
}
