//! Rows of one box: a time, and a value for each of its sensors. A block grows by rows, and is packed by columns when it
//! is full.

use std::sync::Arc;

use rack::Unit;

use super::column::{self, put_varint, take_varint};

/// Rows of a full block. Longer ones pack a little better, and hold more in the open one, which is packed badly; measured
/// by `examples/history.rs`.
pub const ROWS: u16 = 64;

/// What a column is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sensor {
    /// The reading's name.
    pub name: Box<str>,
    /// What it counts in.
    pub unit: Unit,
}

/// The columns of a block, shared by all boxes of a kind.
pub type Schema = Arc<[Sensor]>;

/// Rows that can be read: in both kinds of block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Seconds since the Unix epoch, each row's.
    pub times: Vec<u32>,
    /// Values in thousandths, each row's.
    pub values: Vec<Option<i64>>,
}

/// A block that is still written to, row by row: each value as its difference to the first row's.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its columns.
    pub schema: Schema,
    /// Time of its first row.
    pub first: u32,
    /// Time of its last row.
    pub last: u32,
    rows: u16,
    log: Vec<u8>,
}

impl Open {
    /// A block without rows.
    pub fn new(schema: Schema, first: u32) -> Open {
        Open {
            schema,
            first,
            last: first,
            rows: 0,
            log: Vec::new(),
        }
    }

    /// Whether it is to be packed.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS
    }

    /// Adds a row, a value for each column.
    pub fn push(&mut self, at: u32, values: &[Option<i64>]) {
        let start = self.start();
        // The first row's differences are its values: they are to what the block starts with, which is nothing.
        put_varint(&mut self.log, u64::from(at.saturating_sub(self.last)));
        for (i, value) in values.iter().enumerate() {
            let from = start.get(i).copied().unwrap_or(0);
            put_varint(&mut self.log, value.map_or(0, |v| column::fold(v - from) + 1));
        }
        self.last = at;
        self.rows += 1;
    }

    /// The first row's values, zero where it has none.
    fn start(&self) -> Vec<i64> {
        let mut log = self.log.as_slice();
        if take_varint(&mut log).is_none() {
            return Vec::new();
        }
        let value = |_| take_varint(&mut log).map_or(0, |v| v.checked_sub(1).map_or(0, column::unfold));
        (0..self.schema.len()).map(value).collect()
    }

    /// Every row: its time and values.
    fn unrolled(&self) -> Vec<(u32, Vec<Option<i64>>)> {
        let start = self.start();
        let (mut log, mut at) = (self.log.as_slice(), self.first);
        let mut all = Vec::with_capacity(self.rows.into());
        for row in 0..self.rows {
            at += take_varint(&mut log).unwrap_or(0) as u32;
            let value = |from: &i64| {
                let from = if row == 0 { 0 } else { *from };
                let told = take_varint(&mut log)?.checked_sub(1)?;
                Some(from + column::unfold(told))
            };
            all.push((at, start.iter().map(value).collect()));
        }
        all
    }

    /// One column.
    pub fn column(&self, index: usize) -> Rows {
        let all = self.unrolled().into_iter();
        let (times, values) = all.map(|(at, v)| (at, v.get(index).copied().flatten())).unzip();
        Rows { times, values }
    }

    /// Packs it. Columns without any value are left out; `share` finds the schema of the others.
    pub fn seal(&self, share: impl FnOnce(Vec<Sensor>) -> Schema) -> Sealed {
        let all = self.unrolled();
        let times: Vec<_> = all.iter().map(|(at, _)| Some(i64::from(*at))).collect();
        let mut parts = vec![column::encode(&times)];
        let mut sensors = Vec::new();
        for (i, sensor) in self.schema.iter().enumerate() {
            let values: Vec<_> = all.iter().map(|(_, v)| v.get(i).copied().flatten()).collect();
            if values.iter().any(Option::is_some) {
                sensors.push(sensor.clone());
                parts.push(column::encode(&values));
            }
        }
        let mut packed = Vec::new();
        put_varint(&mut packed, all.len() as u64);
        parts.iter().for_each(|p| put_varint(&mut packed, p.len() as u64));
        packed.extend(parts.concat());
        let schema = if sensors[..] == self.schema[..] {
            Arc::clone(&self.schema)
        } else {
            share(sensors)
        };
        Sealed {
            schema,
            first: self.first,
            last: self.last,
            packed: packed.into(),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.log.capacity()
    }

    /// Values in it.
    pub fn samples(&self) -> usize {
        usize::from(self.rows) * self.schema.len()
    }
}

/// A block that is packed and changes no more.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Its columns.
    pub schema: Schema,
    /// Time of its first row.
    pub first: u32,
    /// Time of its last row.
    pub last: u32,
    packed: Arc<[u8]>,
}

impl Sealed {
    /// One column.
    pub fn column(&self, index: usize) -> Rows {
        let (rows, parts) = self.parts();
        let decode = |n: usize| parts.get(n).map_or_else(Vec::new, |p| column::decode(p, rows));
        let time = |t: &Option<i64>| t.map_or(0, |t| t as u32);
        Rows {
            times: decode(0).iter().map(time).collect(),
            values: decode(index + 1),
        }
    }

    /// How many rows there are; the times, and each column.
    fn parts(&self) -> (usize, Vec<&[u8]>) {
        let mut rest = &self.packed[..];
        let mut next = || take_varint(&mut rest).unwrap_or(0) as usize;
        let rows = next();
        let lengths: Vec<usize> = (0..=self.schema.len()).map(|_| next()).collect();
        let mut cut = |length| {
            let (part, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            part
        };
        (rows, lengths.into_iter().map(&mut cut).collect())
    }

    /// Bytes that it holds, with what the allocation and its place in the list take.
    pub fn bytes(&self) -> usize {
        /// Counters of an `Arc`.
        const COUNTERS: usize = 16;
        self.packed.len() + COUNTERS + size_of::<Sealed>()
    }

    /// Values in it.
    pub fn samples(&self) -> usize {
        self.parts().0 * self.schema.len()
    }
}
