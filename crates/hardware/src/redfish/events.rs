//! Server-sent events of a Redfish service (DSP0266 §13.5.2; WHATWG HTML §9.2), read as they come.
//!
//! Events are the bonus, polling is the base: a stream may end any time, and one bad record never ends it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use serde_json::Value;

use crate::error::Error;
use crate::found::HardwareEvent;
use crate::redfish::Redfish;
use crate::redfish::json::{at, link, list, parse, text};
use crate::transport::ByteStream;

/// Bytes of one event; a longer one is skipped.
pub const EVENT_LIMIT: usize = 1 << 20;
/// Records taken from one event.
pub const RECORDS: usize = 256;

impl Redfish {
    /// Opens the event stream, after `last_event_id` where the service keeps them. The stream ends when the
    /// connection does; open it again with the last id seen.
    pub async fn events(&self, last_event_id: Option<&str>) -> Result<EventStream, Error> {
        let root = self.root().await?;
        let uri = match link(&root["EventService"]) {
            Some(path) => link(&self.client.get(&path).await?.body["ServerSentEventUri"]),
            None => None,
        };
        let Some(uri) = uri else {
            return Err(self.client.not_offered("an event stream", vec!["polling".into()]));
        };
        let body = self.client.stream(&uri, last_event_id).await?;
        Ok(EventStream {
            body,
            parser: Parser::default(),
            ready: Default::default(),
        })
    }
}

/// Records in the order they came.
pub struct EventStream {
    body: ByteStream,
    parser: Parser,
    ready: std::collections::VecDeque<HardwareEvent>,
}

impl Stream for EventStream {
    type Item = HardwareEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<HardwareEvent>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            match std::task::ready!(this.body.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => this.ready.extend(this.parser.feed(&chunk)),
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }
}

/// Splits bytes into events; keeps at most [`EVENT_LIMIT`] of them.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    id: Option<String>,
    too_long: bool,
    after_cr: bool,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<HardwareEvent> {
        let mut out = Vec::new();
        for &b in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, b == b'\r');
            match b {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => self.end_line(&mut out),
                _ if self.line.len() + self.data.len() >= EVENT_LIMIT => self.too_long = true,
                _ => self.line.push(b),
            }
        }
        out
    }

    fn end_line(&mut self, out: &mut Vec<HardwareEvent>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if !std::mem::take(&mut self.too_long) && !data.is_empty() {
                out.extend(records(&data, self.id.as_deref()));
            }
            return;
        }
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(i) => (&line[..i], line[i + 1..].strip_prefix(b" ").unwrap_or(&line[i + 1..])),
            None => (&line[..], &[][..]),
        };
        match name {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"id" if value.len() <= crate::redfish::json::TEXT => self.id = String::from_utf8(value.to_vec()).ok(),
            _ => {}
        }
    }
}

/// The records of an `Event`; none for a metric report or a broken document.
fn records(data: &[u8], id: Option<&str>) -> Vec<HardwareEvent> {
    let Ok(doc) = parse(data) else { return Vec::new() };
    let record = |r: &Value| HardwareEvent {
        id: id.map(str::to_owned),
        message_id: text(&r["MessageId"]),
        message: text(&r["Message"]),
        severity: text(&r["MessageSeverity"]).or_else(|| text(&r["Severity"])),
        origin: link(&r["OriginOfCondition"]).or_else(|| link(at(r, "OriginOfCondition/@odata.id"))),
    };
    list(&doc["Events"])
        .iter()
        .filter(|r| r.is_object())
        .take(RECORDS)
        .map(record)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &[u8] = b"id: 7\ndata: {\"Events\": [{\"MessageId\": \"A.1.B\",\ndata: \"Severity\": \"OK\"}, 5]}\n\n";

    #[test]
    fn one_bad_record_never_ends_the_stream() {
        let mut p = Parser::default();
        assert!(p.feed(b"data: {broken\n\n: comment\n\ndata\n\n").is_empty());
        let got = p.feed(GOOD);
        assert_eq!(got.len(), 1);
        assert_eq!(
            (got[0].id.as_deref(), got[0].message_id.as_deref()),
            (Some("7"), Some("A.1.B"))
        );
    }

    #[test]
    fn an_endless_event_is_skipped_and_the_next_one_read() {
        let mut p = Parser::default();
        p.feed(b"data: ");
        for _ in 0..3 {
            p.feed(&vec![b'x'; EVENT_LIMIT]);
            assert!(p.line.len() <= EVENT_LIMIT);
        }
        assert!(p.feed(b"\n\n").is_empty());
        assert_eq!(p.feed(GOOD).len(), 1);
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same(cut in 0..GOOD.len()) {
            let mut p = Parser::default();
            let mut got = p.feed(&GOOD[..cut]);
            got.extend(p.feed(&GOOD[cut..]));
            prop_assert_eq!(got, Parser::default().feed(GOOD));
        }
    }
}
