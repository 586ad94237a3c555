//! The serial console over LAN (IPMI 2.0 §15): a session of its own, so that it and the driver's questions do not wait
//! for each other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::stream::poll_fn;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::time::Instant;

use crate::capability::ConsoleStream;
use crate::console::Why;
use crate::error::Error;
use crate::ipmi::client::{Client, Link};
use crate::ipmi::command;
use crate::ipmi::packet::{MOST, Serial, payload};
use crate::permit::Permit;

/// Pieces of output that wait to be read. When they are not, the BMC is not acknowledged, and holds the rest back.
const OUTPUT: usize = 256;
/// Pieces of input that wait to be sent.
const INPUT: usize = 32;
/// Most characters in one piece; many BMCs take no more.
const PIECE: usize = 64;
/// Before a piece without acknowledgement is sent again; BMCs themselves use 50 to 500 ms (§26.2).
const RETRY: Duration = Duration::from_millis(500);
/// Sent so often in all.
const TRIES: u32 = 16;
/// Silence after which the BMC is asked for a sign of life, which also keeps the session open.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Silence after which it is gone.
const GONE: Duration = Duration::from_secs(60);
/// The payload, its only instance; encrypted and signed.
const SOL_ONE: [u8; 2] = [payload::SOL, 1];
const PROTECTED: u8 = 0xc0;

/// Opens the console of the system.
pub async fn open(client: Arc<Client>, why: Why, permit: &Permit) -> Result<ConsoleStream, Error> {
    client.gate(command::ACTIVATE_PAYLOAD)?;
    tracing::info!(bmc = %client.line.url(), audit = permit.key(), node = %permit.node(), "console opens");
    let mut link = client.link().await?;
    let [kind, instance] = SOL_ONE;
    let datagrams = client.datagrams();
    let request = [kind, instance, PROTECTED, 0, 0, 0];
    let c = command::ACTIVATE_PAYLOAD;
    let answer = link
        .session
        .ask(&*link.channel, &*datagrams, c, 0, &request, true)
        .await;
    let answer = match answer {
        Ok(answer) if answer.code == 0 => answer,
        other => {
            link.session.close(&*link.channel, &*datagrams).await;
            let answer = other.map_err(|lost| client.lost(c.name, &lost))?;
            return Err(match answer.code {
                0x80 => client.rejected_as(c, 0x80, "the console is open elsewhere; close it there first"),
                0x81 => client.rejected_as(c, 0x81, "the console is switched off in the BMC's settings"),
                0x82 => client.rejected_as(c, 0x82, "as many consoles are open as the BMC has"),
                0x83 => client.rejected_as(c, 0x83, "the BMC has no encrypted console"),
                0xc1 | 0xcc => client.lacks("a serial console (SOL)"),
                code => client.rejected(c, code),
            });
        }
    };
    let inbound = answer
        .data
        .get(4..6)
        .map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    // The size counts the four bytes before the characters.
    let piece = usize::from(inbound).saturating_sub(4).clamp(1, PIECE);
    let (output, mut printed) = channel(OUTPUT);
    let (typed, input) = channel(INPUT);
    why.clear();
    let console = Console {
        why,
        link,
        output,
        piece,
        sequence: client.typed.load(Ordering::Relaxed),
        client,
        received: 0,
        waiting: Bytes::new(),
        sent: None,
    };
    tokio::spawn(console.run(input));
    Ok(ConsoleStream {
        output: Box::pin(poll_fn(move |context| printed.poll_recv(context))),
        input: typed,
    })
}

/// A piece that was sent and not yet acknowledged.
struct Sent {
    piece: Serial,
    tries: u32,
    again: Instant,
}

struct Console {
    why: Why,
    client: Arc<Client>,
    link: Link,
    output: Sender<Bytes>,
    piece: usize,
    /// Of the piece sent last.
    sequence: u8,
    /// Of the piece received last.
    received: u8,
    /// Typed, and not yet sent.
    waiting: Bytes,
    sent: Option<Sent>,
}

/// Why the console ends.
struct End(String);

impl Console {
    async fn run(mut self, mut input: Receiver<Bytes>) {
        let End(why) = match self.serve(&mut input).await {
            Ok(()) => End("closed here".into()),
            Err(end) => end,
        };
        tracing::debug!(bmc = %self.client.line.url(), %why, "console closes");
        self.why.set(why);
        // The BMC has one console: it is given back even when the driver was disarmed meanwhile.
        let datagrams = self.client.datagrams();
        let [kind, instance] = SOL_ONE;
        let request = [kind, instance, 0, 0, 0, 0];
        let (session, channel) = (&mut self.link.session, &*self.link.channel);
        let _ = session
            .ask(channel, &*datagrams, command::DEACTIVATE_PAYLOAD, 0, &request, false)
            .await;
        session.close(channel, &*datagrams).await;
    }

    async fn serve(&mut self, input: &mut Receiver<Bytes>) -> Result<(), End> {
        let mut buffer = vec![0; MOST];
        let (mut heard, mut asked) = (Instant::now(), Instant::now());
        loop {
            let idle = self.sent.is_none() && self.waiting.is_empty();
            let wake = match &self.sent {
                Some(sent) => sent.again,
                None => (heard.max(asked) + KEEPALIVE).min(heard + GONE),
            };
            tokio::select! {
                got = self.link.channel.receive(&mut buffer) => {
                    let length = got.map_err(|e| End(e.to_string()))?;
                    let bytes = buffer.get(..length).unwrap_or_default();
                    if let Some((kind, body)) = self.link.session.unwrap(bytes) {
                        heard = Instant::now();
                        if let (payload::SOL, Ok(serial)) = (kind, Serial::decode(&body)) {
                            self.take(serial).await?;
                        }
                    }
                }
                typed = input.recv(), if idle => match typed {
                    Some(bytes) => {
                        self.waiting = bytes;
                        self.send_next().await?;
                    }
                    None => return Ok(()),
                },
                () = self.output.closed() => return Ok(()),
                () = tokio::time::sleep_until(wake) => {
                    if heard.elapsed() >= GONE {
                        return Err(End("the BMC is silent".into()));
                    }
                    if self.sent.is_some() {
                        self.send_again().await?;
                    } else {
                        asked = Instant::now();
                        self.keep_alive().await?;
                    }
                }
            }
        }
    }

    async fn keep_alive(&mut self) -> Result<(), End> {
        let (message, _) = self.link.session.next(command::DEVICE_ID, 0, &[]);
        self.put(payload::IPMI, &message).await
    }

    async fn put(&mut self, kind: u8, body: &[u8]) -> Result<(), End> {
        let datagrams = self.client.datagrams();
        let end = |e: std::io::Error| End(e.to_string());
        let packet = self.link.session.wrap(&*datagrams, kind, body).map_err(end)?;
        self.link.channel.send(&packet).await.map_err(end)
    }

    async fn send_next(&mut self) -> Result<(), End> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        // Typing changes things: a driver that was disarmed types no more.
        self.client
            .gate(command::ACTIVATE_PAYLOAD)
            .map_err(|e| End(e.to_string()))?;
        self.sequence = self.sequence % 15 + 1;
        self.client.typed.store(self.sequence, Ordering::Relaxed);
        let piece = Serial {
            sequence: self.sequence,
            data: self.waiting.split_to(self.waiting.len().min(self.piece)).to_vec(),
            ..Serial::default()
        };
        self.put(payload::SOL, &piece.encode()).await?;
        self.sent = Some(Sent {
            piece,
            tries: 1,
            again: Instant::now() + RETRY,
        });
        Ok(())
    }

    async fn send_again(&mut self) -> Result<(), End> {
        let Some(sent) = &mut self.sent else {
            return Ok(());
        };
        if sent.tries >= TRIES {
            return Err(End("what was typed is not acknowledged".into()));
        }
        sent.tries += 1;
        sent.again = Instant::now() + RETRY;
        let body = sent.piece.encode();
        self.put(payload::SOL, &body).await
    }

    /// A piece from the BMC: output, an acknowledgement, or both (§15.11).
    async fn take(&mut self, serial: Serial) -> Result<(), End> {
        if serial.status & Serial::CLOSED != 0 {
            return Err(End("the BMC closed the console".into()));
        }
        if let Some(sent) = &mut self.sent
            && serial.acknowledges == sent.piece.sequence
        {
            let took = usize::from(serial.accepted).min(sent.piece.data.len());
            if serial.status & Serial::NACK == 0 || took == sent.piece.data.len() {
                self.sent = None;
                self.send_next().await?;
            } else if took > 0 {
                // What was not taken is another piece, under another number.
                let mut rest = sent.piece.data.split_off(took);
                rest.extend_from_slice(self.waiting.chunk());
                self.waiting = rest.into();
                self.sent = None;
                self.send_next().await?;
            } else {
                // Nothing was taken: the same again, when its time comes.
                sent.again = Instant::now() + RETRY;
            }
        }
        if serial.sequence == 0 {
            return Ok(());
        }
        let accepted = u8::try_from(serial.data.len()).unwrap_or(u8::MAX);
        if serial.sequence != self.received {
            match self.output.try_send(serial.data.into()) {
                Ok(()) => self.received = serial.sequence,
                // Not acknowledged: it comes again.
                Err(TrySendError::Full(_)) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(End("nobody reads it".into())),
            }
        }
        let acknowledgement = Serial {
            acknowledges: serial.sequence,
            accepted,
            ..Serial::default()
        };
        self.put(payload::SOL, &acknowledgement.encode()).await
    }
}
