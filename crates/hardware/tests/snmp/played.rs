//! An agent that plays a recording in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hardware::snmp::agent::{Agent, Bindings, Oid, Reply, Trouble, Value};

#[derive(Clone)]
pub struct Played(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<Oid, Value>,
    writes: Vec<(Oid, i64)>,
    /// Written object and value, object that changes, its new value.
    follow: Option<(Oid, i64, Oid, i64)>,
    loops: Option<Oid>,
    endless: Option<Oid>,
    no_bulk: bool,
}

/// Below `enterprises`.
pub fn oid(below: &str) -> Oid {
    format!("1.3.6.1.4.1.{below}").parse().unwrap()
}

impl Played {
    pub fn recording(name: &str) -> Played {
        let path = format!("{}/tests/snmp/{name}.snmprec", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let objects = text.lines().map(line).collect();
        Played(Arc::new(Mutex::new(State {
            objects,
            ..State::default()
        })))
    }

    pub fn follow(&self, written: &str, state: &str, order: i64, becomes: i64) {
        self.0.lock().unwrap().follow = Some((oid(written), order, oid(state), becomes));
    }

    pub fn put(&self, at: &str, text: &str) {
        let value = Value::Octets(text.as_bytes().to_vec());
        self.0.lock().unwrap().objects.insert(oid(at), value);
    }

    pub fn loop_at(&self, column: &str) {
        self.0.lock().unwrap().loops = Some(oid(column));
    }

    pub fn endless_at(&self, column: &str) {
        self.0.lock().unwrap().endless = Some(oid(column));
    }

    pub fn refuse_bulk(&self) {
        self.0.lock().unwrap().no_bulk = true;
    }

    pub fn writes(&self) -> Vec<(Oid, i64)> {
        self.0.lock().unwrap().writes.clone()
    }
}

fn line(line: &str) -> (Oid, Value) {
    let mut parts = line.splitn(3, '|');
    let (name, tag, value) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let value = match tag {
        "2" | "66" => Value::Number(value.parse().unwrap()),
        "2:writecache" => Value::Number(value.strip_prefix("value=").unwrap().parse().unwrap()),
        "4" => Value::Octets(value.as_bytes().to_vec()),
        "4x" => Value::Octets(
            (0..value.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&value[i..i + 2], 16).unwrap())
                .collect(),
        ),
        "6" => Value::Name(value.parse().unwrap()),
        other => panic!("tag {other}"),
    };
    (name.parse().unwrap(), value)
}

impl State {
    fn after(&self, at: &Oid, most: usize) -> Bindings {
        if let Some(column) = self.loops.as_ref().filter(|c| at.after(c).is_some()) {
            // Always the same row, and then the one before.
            return [2, 1].map(|n| (column.at(&[0, n]), Value::Number(1))).to_vec();
        }
        if let Some(column) = &self.endless
            && let Some(index) = at.after(column)
        {
            let from = index.last().copied().unwrap_or(0);
            return (1..=most as u32)
                .map(|n| (column.at(&[7, from + n]), Value::Number(1)))
                .collect();
        }
        let later = self
            .objects
            .range((std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded));
        let mut got: Bindings = later.take(most).map(|(o, v)| (o.clone(), v.clone())).collect();
        if got.len() < most {
            got.push((at.clone(), Value::End));
        }
        got
    }
}

impl Agent for Played {
    fn get<'a>(&'a self, oids: &'a [Oid]) -> Reply<'a> {
        let s = self.0.lock().unwrap();
        let value = |o: &Oid| s.objects.get(o).cloned().unwrap_or(Value::Missing);
        let got = oids.iter().map(|o| (o.clone(), value(o))).collect();
        Box::pin(async move { Ok(got) })
    }

    fn get_next<'a>(&'a self, oid: &'a Oid) -> Reply<'a> {
        let got = self.0.lock().unwrap().after(oid, 1);
        Box::pin(async move { Ok(got) })
    }

    fn get_bulk<'a>(&'a self, oid: &'a Oid, most: u32) -> Reply<'a> {
        let s = self.0.lock().unwrap();
        let got = if s.no_bulk {
            Err(Trouble::Status { status: 5 })
        } else {
            Ok(s.after(oid, most as usize))
        };
        Box::pin(async move { got })
    }

    fn set<'a>(&'a self, oid: &'a Oid, value: i64) -> Reply<'a> {
        let mut s = self.0.lock().unwrap();
        s.writes.push((oid.clone(), value));
        if let Some((written, order, state, becomes)) = s.follow.clone()
            && written == *oid
            && order == value
        {
            s.objects.insert(state, Value::Number(becomes));
        }
        Box::pin(async { Ok(Vec::new()) })
    }
}
