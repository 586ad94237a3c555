//! One column of a block: whole numbers, some of them missing, as few bits as they need.
//!
//! Sensors are rounded and noisy: what is left of a value after its neighbour and the common step are taken away is a few
//! bits, and nearly geometric, which Rice codes (R. F. Rice, JPL 79-22, 1979) fit without a table. Blocks are short, so a
//! table is what they can't pay for: on the traces of `examples/history.rs`, 60 to 240 rows a block, pco 1.1 took 1.4 to
//! 1.6 times the bytes, zstd 19 1.2 to 1.4 times.

/// Largest magnitude of a value: differences of differences still fit an `i64`.
pub const LARGEST: i64 = 1 << 53;

/// A quotient this long is written as a number instead: an outlier costs bits, not the block.
const LONGEST: u64 = 12;
/// Bits that say how long a number is.
const WIDTH: u32 = 6;

/// Which of a column's values are there.
const NONE: u64 = 0;
const ALL: u64 = 1;
const SOME: u64 = 2;

/// Bits, most significant first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    free: u32,
}

impl Writer {
    fn put(&mut self, value: u64, width: u32) {
        for i in (0..width).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> i & 1) as u8) << self.free;
            }
        }
    }

    /// A number with its length before it.
    fn number(&mut self, value: u64) {
        let width = u64::BITS - value.leading_zeros();
        // 63 bits hold every number that is written here: magnitudes are bounded by `LARGEST`.
        self.put(u64::from(width), WIDTH);
        self.put(value, width);
    }

    fn rice(&mut self, value: u64, k: u32) {
        let quotient = value >> k;
        if quotient < LONGEST {
            self.put((1 << (quotient + 1)) - 2, quotient as u32 + 1);
            self.put(value & ((1 << k) - 1), k);
        } else {
            self.put((1 << LONGEST) - 1, LONGEST as u32);
            self.number(value);
        }
    }
}

/// What [`Writer`] wrote. Past its end there are only zeros.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, width: u32) -> u64 {
        (0..width).fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            value << 1 | u64::from(bit)
        })
    }

    fn number(&mut self) -> u64 {
        let width = self.take(WIDTH) as u32;
        self.take(width)
    }

    fn rice(&mut self, k: u32) -> u64 {
        let mut quotient = 0;
        while quotient < LONGEST && self.take(1) == 1 {
            quotient += 1;
        }
        if quotient == LONGEST {
            return self.number();
        }
        quotient << k | self.take(k)
    }
}

/// Small magnitudes as small numbers, whatever their sign.
pub fn fold(signed: i64) -> u64 {
    (signed << 1 ^ signed >> 63) as u64
}

/// What [`fold`] folded.
pub fn unfold(folded: u64) -> i64 {
    (folded >> 1) as i64 ^ -((folded & 1) as i64)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn middle(values: &[i64]) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// The best parameter for what is left over, and the bits that it then takes.
fn best(left: &[u64]) -> (u32, u64) {
    let mean = left.iter().sum::<u64>() / left.len().max(1) as u64;
    let near = u64::BITS - mean.leading_zeros();
    let cost = |k: u32| {
        let one = |v: &u64| match v >> k {
            q if q < LONGEST => q + 1 + u64::from(k),
            _ => LONGEST + u64::from(WIDTH + u64::BITS - v.leading_zeros()),
        };
        left.iter().map(one).sum::<u64>()
    };
    (near.saturating_sub(2)..=near)
        .map(|k| (k, cost(k)))
        .min_by_key(|(_, bits)| *bits)
        .unwrap_or((0, 0))
}

/// What is left of numbers around their middle.
fn around(values: &[i64], centre: i64) -> Vec<u64> {
    values.iter().map(|v| fold(v - centre)).collect()
}

/// Encodes a column. Magnitudes are at most [`LARGEST`].
pub fn encode(values: &[Option<i64>]) -> Vec<u8> {
    let mut out = Writer::default();
    let there: Vec<i64> = values.iter().flatten().copied().collect();
    let Some(&first) = there.first() else {
        out.put(NONE, 2);
        return out.bytes;
    };
    if there.len() == values.len() {
        out.put(ALL, 2);
    } else {
        out.put(SOME, 2);
        values.iter().for_each(|v| out.put(v.is_some().into(), 1));
    }
    let step = there
        .iter()
        .fold(0, |step, v| common_divisor(step, (v - first).unsigned_abs()));
    out.number(fold(first));
    out.number(step);
    if step == 0 {
        return out.bytes;
    }
    let steps: Vec<i64> = there.iter().map(|v| (v - first) / step as i64).collect();
    let moves: Vec<i64> = steps.windows(2).map(|w| w[1] - w[0]).collect();
    let (level, slope) = (middle(&steps), middle(&moves));
    let (by_level, by_move) = (around(&steps, level), around(&moves, slope));
    let ((level_k, level_bits), (move_k, move_bits)) = (best(&by_level), best(&by_move));
    let moving = move_bits < level_bits;
    let (k, centre, left) = if moving {
        (move_k, slope, by_move)
    } else {
        (level_k, level, by_level)
    };
    out.put(moving.into(), 1);
    out.put(k.into(), WIDTH);
    out.number(fold(centre));
    left.iter().for_each(|v| out.rice(*v, k));
    out.bytes
}

/// Decodes a column of `rows` rows.
pub fn decode(bytes: &[u8], rows: usize) -> Vec<Option<i64>> {
    let mut from = Reader { bytes, at: 0 };
    let there: Vec<bool> = match from.take(2) {
        NONE => return vec![None; rows],
        ALL => vec![true; rows],
        _ => (0..rows).map(|_| from.take(1) == 1).collect(),
    };
    let (first, step) = (unfold(from.number()), from.number() as i64);
    if step == 0 {
        return there.iter().map(|t| t.then_some(first)).collect();
    }
    let moving = from.take(1) == 1;
    let (k, centre) = (from.take(WIDTH) as u32, unfold(from.number()));
    let (mut at, mut begun) = (0, false);
    let next = |there: &bool| {
        if !there {
            return None;
        }
        at = if !moving {
            centre + unfold(from.rice(k))
        } else if begun {
            at + centre + unfold(from.rice(k))
        } else {
            0
        };
        begun = true;
        Some(first + at * step)
    };
    there.iter().map(next).collect()
}

/// Appends a number, seven bits a byte.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes what [`put_varint`] appended.
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![
            1 => Just(None),
            4 => (-500..500_i64).prop_map(Some),
            2 => (-400..400_i64).prop_map(|v| Some(v * 1000)),
            1 => (-LARGEST..=LARGEST).prop_map(Some),
        ]
    }

    proptest! {
        #[test]
        fn what_went_in_comes_out(values in prop::collection::vec(any_value(), 0..150)) {
            prop_assert_eq!(decode(&encode(&values), values.len()), values);
        }

        #[test]
        fn a_varint_comes_back(value: u64, other: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_varint(&mut out, other);
            let mut rest = out.as_slice();
            prop_assert_eq!((take_varint(&mut rest), take_varint(&mut rest)), (Some(value), Some(other)));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_does_not_change_takes_a_few_bytes_and_a_rounded_value_a_few_bits_each() {
        assert!(encode(&[Some(35_000); 120]).len() <= 6);
        let fan: Vec<_> = (0..120).map(|i| Some(7_200_000 + (i * 7 % 5) * 60_000)).collect();
        assert!(encode(&fan).len() <= 60, "{}", encode(&fan).len());
        let counter: Vec<_> = (0..120).map(|i| Some(1_234_000 + i * 100)).collect();
        assert!(encode(&counter).len() <= 28, "{}", encode(&counter).len());
    }
}
