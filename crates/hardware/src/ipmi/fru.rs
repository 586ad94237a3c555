//! What a part says it is: FRU information (IPMI Platform Management FRU Information Storage Definition 1.0). Pure.

/// Fields taken of one area; those of makers come after.
const FIELDS: usize = 8;
/// Records taken of the multi-record area.
const RECORDS: usize = 32;
/// Longest text kept; a field has at most 63 bytes.
const TEXT: usize = 128;

/// What is told of one part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fru {
    /// Maker of the product, else of the board.
    pub maker: Option<String>,
    /// Name of the product, else of the board.
    pub model: Option<String>,
    /// Serial number of the product, else of the chassis, else of the board.
    pub serial: Option<String>,
    /// Capacity of a supply in watts, when it is one (§18.1).
    pub watts: Option<u16>,
}

impl Fru {
    /// Whether it tells nothing.
    pub fn is_empty(&self) -> bool {
        *self == Fru::default()
    }
}

/// Reads the data of one FRU device. An area that is damaged costs nothing but itself.
pub fn parse(data: &[u8]) -> Fru {
    let Some(header) = data.get(..8).filter(|h| h[0] & 0x0f == 1 && sums_up(h)) else {
        return Fru::default();
    };
    let start = |i: usize| Some(usize::from(header[i]) * 8).filter(|o| *o != 0);
    let chassis = start(2).and_then(|o| area(data, o)).map(|a| fields(a, 3, 0x19));
    let board = start(3).and_then(|o| area(data, o)).map(|a| fields(a, 6, a[2]));
    let product = start(4).and_then(|o| area(data, o)).map(|a| fields(a, 3, a[2]));
    let field = |area: &Option<Vec<Option<String>>>, i: usize| area.as_ref().and_then(|f| f.get(i).cloned().flatten());
    Fru {
        maker: field(&product, 0).or_else(|| field(&board, 0)),
        model: field(&product, 1).or_else(|| field(&board, 1)),
        serial: field(&product, 4)
            .or_else(|| field(&chassis, 1))
            .or_else(|| field(&board, 2)),
        watts: start(5).and_then(|o| supply(data.get(o..)?)),
    }
}

fn sums_up(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)) == 0
}

/// An area with its length and checksum (§10 to §12). Some makers write wrong checksums: the texts are worth having
/// all the same, as each has a length of its own.
fn area(data: &[u8], at: usize) -> Option<&[u8]> {
    let rest = data.get(at..)?;
    let length = usize::from(*rest.get(1)?) * 8;
    rest.get(..length.min(rest.len()))
        .filter(|a| a.len() >= 8 && a[0] & 0x0f == 1)
}

fn fields(area: &[u8], mut at: usize, language: u8) -> Vec<Option<String>> {
    let mut out = Vec::new();
    while out.len() < FIELDS {
        // C1h ends the fields.
        let Some(&kind) = area.get(at).filter(|k| **k != 0xc1) else {
            break;
        };
        let length = usize::from(kind & 0x3f);
        let Some(bytes) = area.get(at + 1..at + 1 + length) else {
            break;
        };
        out.push(text(kind, bytes, matches!(language, 0 | 0x19)));
        at += 1 + length;
    }
    out
}

/// A type/length-coded text (§13; the same in sensor records, IPMI 2.0 §43.15).
pub fn text(kind: u8, bytes: &[u8], english: bool) -> Option<String> {
    let raw: String = match kind >> 6 {
        0 => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        1 => bytes
            .iter()
            .flat_map(|b| [b >> 4, b & 0x0f])
            .map(|n| char::from(b"0123456789 -.:,_"[usize::from(n)]))
            .collect(),
        2 => six_bit(bytes),
        _ if english => bytes.iter().map(|b| char::from(*b)).collect(),
        // Other languages are in UTF-16, low byte first; but many write ASCII all the same.
        _ if bytes.len().is_multiple_of(2) && bytes.iter().skip(1).step_by(2).any(|b| *b == 0) => {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|c| u16::from_le_bytes([c[0], c[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => bytes.iter().map(|b| char::from(*b)).collect(),
    };
    let clean: String = raw.chars().filter(|c| !c.is_control()).take(TEXT).collect();
    Some(clean.trim().to_owned()).filter(|t| !t.is_empty())
}

/// Six bits a character, from 20h on, low bits first.
fn six_bit(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut bits, mut held) = (0u32, 0);
    for b in bytes {
        bits |= u32::from(*b) << held;
        held += 8;
        while held >= 6 {
            out.push(char::from(0x20 + u8::try_from(bits & 0x3f).unwrap_or(0)));
            bits >>= 6;
            held -= 6;
        }
    }
    out
}

/// Capacity out of the supply's record (type 00h) of the multi-record area (§16, §18.1).
fn supply(mut records: &[u8]) -> Option<u16> {
    for _ in 0..RECORDS {
        let (header, rest) = records.split_at_checked(5)?;
        if !sums_up(header) {
            return None;
        }
        let body = rest.get(..usize::from(header[2]))?;
        if header[0] == 0 {
            let capacity = u16::from_le_bytes([*body.first()?, *body.get(1)?]) & 0x0fff;
            return Some(capacity).filter(|w| *w != 0 && *w != 0x0fff);
        }
        if header[1] & 0x80 != 0 {
            return None;
        }
        records = rest.get(body.len()..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ascii(s: &str) -> Vec<u8> {
        let mut out = vec![0xc0 | u8::try_from(s.len()).unwrap()];
        out.extend(s.bytes());
        out
    }

    fn closed(mut area: Vec<u8>) -> Vec<u8> {
        area.push(0xc1);
        while area.len() % 8 != 7 {
            area.push(0);
        }
        area[1] = u8::try_from((area.len() + 1) / 8).unwrap();
        let sum = area.iter().fold(0u8, |s, b| s.wrapping_sub(*b));
        area.push(sum);
        area
    }

    fn sample() -> Vec<u8> {
        let mut board = vec![1, 0, 0x19, 0, 0, 0];
        for s in ["Board Maker", "X9", "B-1"] {
            board.extend(ascii(s));
        }
        let board = closed(board);
        let mut product = vec![1, 0, 0x19];
        for s in ["Maker", "Box 2000", "P/N", "", "S-42"] {
            product.extend(ascii(s));
        }
        let product = closed(product);
        let mut record = vec![0x00, 0x82, 24, 0, 0];
        record[4] = record.iter().fold(0u8, |s, b| s.wrapping_sub(*b));
        record.extend(1600u16.to_le_bytes());
        record.extend([0; 22]);
        let (b, p) = (board.len() / 8, product.len() / 8);
        let at = |n: usize| u8::try_from(n).unwrap();
        let mut out = vec![1, 0, 0, 1, at(1 + b), at(1 + b + p), 0, 0];
        out[7] = out.iter().fold(0u8, |s, b| s.wrapping_sub(*b));
        out.extend(board);
        out.extend(product);
        out.extend(record);
        out
    }

    #[test]
    fn a_product_is_named_before_its_board() {
        let fru = parse(&sample());
        assert_eq!(fru.maker.as_deref(), Some("Maker"));
        assert_eq!(fru.model.as_deref(), Some("Box 2000"));
        assert_eq!(fru.serial.as_deref(), Some("S-42"));
        assert_eq!(fru.watts, Some(1600));
    }

    #[test]
    fn texts_come_in_four_codes() {
        assert_eq!(text(0x42, &[0x12, 0x3b], true).as_deref(), Some("123-"));
        // The example of IPMI 2.0 §43.15: "IPMI" in packed ASCII.
        assert_eq!(text(0x83, &[0x29, 0xdc, 0xa6], true).as_deref(), Some("IPMI"));
        assert_eq!(text(0x02, &[0xab, 0x01], true).as_deref(), Some("ab01"));
        assert_eq!(text(0xc4, b"ab \0", true).as_deref(), Some("ab"));
        assert_eq!(text(0xc4, &[0x41, 0, 0x42, 0], false).as_deref(), Some("AB"));
        assert_eq!(text(0xc0, &[], true), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_change_of_good_data_makes_it_panic(at in 0usize..100, value: u8, cut in 0usize..200) {
            let mut data = sample();
            let at = at % data.len();
            data[at] = value;
            // The header's checksum is put right, so that what follows is read.
            let sum = data[..7].iter().fold(0u8, |s, b| s.wrapping_sub(*b));
            data[7] = sum;
            data.truncate(cut.max(8));
            let _ = parse(&data);
        }
    }
}
