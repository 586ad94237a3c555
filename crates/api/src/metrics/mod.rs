//! `GET /metrics`: the daemon and the rack for Prometheus, in OpenMetrics.
//!
//! [`families`] is every name with its meaning, and how its samples come to be; `docs/metrics.md` is made from the same
//! table. The answer is written piece by piece, so that a hall of 17,750 BMCs is never one text in memory, and a client
//! that reads slowly holds one piece. A reading past its age is left out (invariant I7): Prometheus then says that there is
//! none.

mod families;
mod text;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use control::House;
use rack::request::DeviceView;
use rack::{Name, Node, Place, Time};
use serde::Deserialize;

use crate::auth::Reader;
use crate::extract::Query;
use crate::problem::Problem;
use families::{FAMILIES, Family, Source};
use text::{Format, Writer};

/// How much is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extent {
    /// `all`: every reading of every box too.
    readings: Option<Readings>,
    /// Only boxes of this rack.
    rack: Option<Name>,
}

/// Which readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Readings {
    All,
}

/// Everything, for whoever may look.
pub async fn metrics(
    _: Reader,
    State(house): State<House>,
    headers: HeaderMap,
    Query(extent): Query<Extent>,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let scrape = Scrape::new(house, &extent, format);
    let pieces = futures_util::stream::unfold(scrape, |mut scrape| async move {
        let piece = scrape.piece()?;
        // A piece takes a millisecond: others get their turn between two.
        tokio::task::yield_now().await;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), scrape))
    });
    let kind = [(header::CONTENT_TYPE, format.content_type())];
    Ok((kind, Body::from_stream(pieces)).into_response())
}

/// One answer on its way.
struct Scrape {
    house: House,
    now: Time,
    nodes: Vec<Arc<Node>>,
    devices: Vec<DeviceView>,
    families: Vec<&'static Family>,
    writer: Writer,
    family: usize,
    at: usize,
    ended: bool,
}

impl Scrape {
    /// Boxes of one piece: some 50 KB.
    const BOXES: usize = 256;

    fn new(house: House, extent: &Extent, format: Format) -> Scrape {
        let rack = extent.rack.as_ref().map(Place::whole);
        let inside = |p: &Place| rack.as_ref().is_none_or(|r| p.is_in(r));
        let world = house.world();
        let nodes = world.nodes.in_order().filter(|n| inside(&n.place)).cloned().collect();
        let mut devices = house.devices();
        devices.retain(|d| inside(&d.place));
        let all = extent.readings == Some(Readings::All);
        Scrape {
            now: house.now(),
            nodes,
            devices,
            families: FAMILIES.iter().filter(|f| all || !f.is_optional()).collect(),
            writer: Writer::new(format),
            family: 0,
            at: 0,
            ended: false,
            house,
        }
    }

    /// The next piece that is not empty.
    fn piece(&mut self) -> Option<String> {
        while let Some(family) = self.families.get(self.family) {
            if self.at == 0 {
                self.writer.head(&family.head);
            }
            let from = self.at;
            let to = from + Self::BOXES;
            let count = match family.source {
                Source::House(write) => {
                    write(self.house.clone(), &mut self.writer);
                    0
                }
                Source::Hall(write) => {
                    write(&self.house, &self.nodes, self.now, &mut self.writer);
                    0
                }
                Source::Node(write) => {
                    let (house, now) = (&self.house, self.now);
                    for node in self.nodes.iter().take(to).skip(from) {
                        let fresh = house.reading_age();
                        house.look_at(&node.id, |live| write(node, live, now, fresh, &mut self.writer));
                    }
                    self.nodes.len()
                }
                Source::Device(write) => {
                    for device in self.devices.iter().take(to).skip(from) {
                        write(device, self.now, self.house.reading_age(), &mut self.writer);
                    }
                    self.devices.len()
                }
                Source::Reading(unit, scale) => {
                    let (house, now, fresh) = (&self.house, self.now, self.house.reading_age());
                    let places = self
                        .nodes
                        .iter()
                        .map(|n| Some(&n.id))
                        .chain(self.devices.iter().map(|_| None));
                    for (i, id) in places.enumerate().take(to).skip(from) {
                        let writer = &mut self.writer;
                        match id {
                            Some(id) => {
                                let place = &self.nodes[i].place;
                                house.look_at(id, |live| {
                                    families::readings(place, &live.readings, unit, scale, now, fresh, writer);
                                });
                            }
                            None => {
                                let device = &self.devices[i - self.nodes.len()];
                                families::readings(&device.place, &device.readings, unit, scale, now, fresh, writer);
                            }
                        }
                    }
                    self.nodes.len() + self.devices.len()
                }
            };
            if to < count {
                self.at = to;
            } else {
                (self.family, self.at) = (self.family + 1, 0);
            }
            let piece = self.writer.take();
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        self.writer.end();
        Some(self.writer.take())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The page is the table that the names come from. Renew with `BUSBAR_RENEW=1 cargo test -p api --lib`.
    #[test]
    fn the_page_of_names_is_current() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let made = families::page();
        if std::env::var_os("BUSBAR_RENEW").is_some() {
            std::fs::write(file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            kept == made,
            "docs/metrics.md is old: BUSBAR_RENEW=1 cargo test -p api --lib"
        );
    }

    /// What `promtool check metrics` and OpenMetrics ask of names, and what a reader does.
    #[test]
    fn names_are_unique_end_with_their_unit_and_say_what_they_mean() {
        let names: BTreeSet<&str> = FAMILIES.iter().map(|f| f.head.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for f in FAMILIES {
            let head = f.head;
            let fits = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(head.name.chars().all(fits), "{}", head.name);
            assert!(
                head.unit.is_empty() || head.name.ends_with(&format!("_{}", head.unit)),
                "{}",
                head.name
            );
            assert!(head.help.ends_with('.') && head.help.len() > 20, "{}", head.name);
            for suffix in ["_total", "_info", "_count", "_sum", "_bucket"] {
                assert!(!head.name.ends_with(suffix), "{}", head.name);
            }
        }
    }
}
