//! Reading what a BMC stores in pieces: its sensor records (IPMI 2.0 §33) and FRU information (§34).

use crate::error::Error;
use crate::ipmi::client::Client;
use crate::ipmi::command;
use crate::ipmi::fru::{self, Fru};
use crate::ipmi::sdr::{self, HEADER, Locator, Record, Sensor};

/// Records read of one repository. The largest boxes have some 400; a repository that goes round in circles ends here.
const RECORDS: usize = 1024;
/// Bytes asked for at once; halved when the BMC can't.
const CHUNK: u8 = 32;
/// Below this, it is given up.
const LEAST: u8 = 4;
/// Times that a reservation is made again because records moved.
const RESERVATIONS: u32 = 8;
/// Bytes read of one FRU device: what is told stands in the first areas.
const FRU: usize = 2048;
/// The last record's successor.
const END: u16 = 0xffff;

const RESERVATION_LOST: u8 = 0xc5;

/// Whether a completion code says that fewer bytes may work: too many to return, length out of range, unspecified.
fn is_too_long(code: u8) -> bool {
    matches!(code, 0xc7 | 0xc8 | 0xca | 0xff)
}

/// What the repository held, and how it said that it has not changed since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Repository {
    /// Counts and times of the last addition and erasure.
    pub stamp: Vec<u8>,
    /// Its sensors.
    pub sensors: Vec<Sensor>,
    /// Where FRU information is.
    pub parts: Vec<Locator>,
    /// Records that could not be read.
    pub lost: usize,
}

/// Record count, and the times of the last addition and erasure.
pub async fn stamp(client: &Client) -> Result<Vec<u8>, Error> {
    let info = client.get(command::SDR_INFO, &[]).await?;
    let count = info.get(1..3).unwrap_or_default();
    let times = info.get(5..13).unwrap_or_default();
    Ok([count, times].concat())
}

/// Reads all records.
pub async fn read(client: &Client) -> Result<Repository, Error> {
    let mut out = Repository {
        stamp: stamp(client).await?,
        ..Repository::default()
    };
    let mut reader = Reader {
        client,
        reservation: [0; 2],
        left: RESERVATIONS,
        chunk: CHUNK,
    };
    reader.reserve().await?;
    let mut id = 0;
    for _ in 0..RECORDS {
        let (next, record) = reader.record(id).await?;
        match record.as_deref().and_then(sdr::parse) {
            Some(Record::Sensors(sensors)) => out.sensors.extend(sensors),
            Some(Record::Fru(locator)) => out.parts.push(locator),
            Some(Record::Other) => {}
            None => out.lost += 1,
        }
        // An empty repository may answer with the id that was asked for.
        if next == END || next == id {
            break;
        }
        id = next;
    }
    Ok(out)
}

struct Reader<'a> {
    client: &'a Client,
    reservation: [u8; 2],
    left: u32,
    chunk: u8,
}

impl Reader<'_> {
    async fn reserve(&mut self) -> Result<(), Error> {
        let answer = self.client.ask(command::RESERVE_SDR, &[]).await?;
        // A BMC without reservations reads with zero (§33.11).
        self.reservation = match (answer.code, answer.data.as_slice()) {
            (0, [low, high, ..]) => [*low, *high],
            _ => [0; 2],
        };
        Ok(())
    }

    /// One piece of a record; the next record's id comes with it.
    async fn piece(&mut self, id: u16, offset: u8, length: u8) -> Result<Result<(u16, Vec<u8>), u8>, Error> {
        loop {
            let [low, high] = id.to_le_bytes();
            let data = [self.reservation[0], self.reservation[1], low, high, offset, length];
            let answer = self.client.ask(command::GET_SDR, &data).await?;
            match (answer.code, answer.data.as_slice()) {
                (0, [low, high, rest @ ..]) => {
                    return Ok(Ok((u16::from_le_bytes([*low, *high]), rest.to_vec())));
                }
                (0, _) => return Err(self.client.broken(command::GET_SDR, "the answer is cut short")),
                (RESERVATION_LOST, _) if self.left > 0 => {
                    self.left -= 1;
                    self.reserve().await?;
                }
                (code, _) => return Ok(Err(code)),
            }
        }
    }

    /// A whole record, or none when its body can't be read; fails when its header can't, as the next one is unknown.
    async fn record(&mut self, id: u16) -> Result<(u16, Option<Vec<u8>>), Error> {
        let header = self.piece(id, 0, u8::try_from(HEADER).unwrap_or(5)).await?;
        let (next, mut record) = header.map_err(|code| self.client.rejected(command::GET_SDR, code))?;
        if record.len() < HEADER {
            return Ok((next, None));
        }
        record.truncate(HEADER);
        let end = HEADER + usize::from(record[4]);
        while record.len() < end {
            // An offset has one byte.
            let Ok(offset) = u8::try_from(record.len()) else {
                return Ok((next, None));
            };
            let want = usize::from(self.chunk).min(end - record.len());
            match self.piece(id, offset, u8::try_from(want).unwrap_or(self.chunk)).await? {
                Ok((_, piece)) if piece.is_empty() => return Ok((next, None)),
                Ok((_, piece)) => record.extend(piece.iter().take(want)),
                Err(code) if is_too_long(code) && self.chunk > LEAST => self.chunk /= 2,
                Err(_) => return Ok((next, None)),
            }
        }
        Ok((next, Some(record)))
    }
}

/// Reads and understands the FRU information of one device; empty when there is none.
pub async fn fru(client: &Client, device: u8) -> Result<Fru, Error> {
    let info = client.ask(command::FRU_INFO, &[device]).await?;
    let (0, [low, high, access, ..]) = (info.code, info.data.as_slice()) else {
        return Ok(Fru::default());
    };
    let size = usize::from(u16::from_le_bytes([*low, *high])).min(FRU);
    // Offsets and counts are in words on some (§34.1).
    let unit = if access & 1 == 1 { 2 } else { 1 };
    let (mut data, mut chunk) = (Vec::new(), CHUNK);
    while data.len() < size {
        let [low, high] = u16::try_from(data.len() / unit).unwrap_or(u16::MAX).to_le_bytes();
        let want = usize::from(chunk).min(size - data.len()).div_ceil(unit);
        let request = [device, low, high, u8::try_from(want).unwrap_or(chunk)];
        let answer = client.ask(command::READ_FRU, &request).await?;
        match (answer.code, answer.data.as_slice()) {
            (0, [_, rest @ ..]) if rest.len() >= unit => data.extend(&rest[..rest.len() - rest.len() % unit]),
            (code, _) if is_too_long(code) && chunk > LEAST => chunk /= 2,
            // What came so far may do.
            _ => break,
        }
    }
    data.truncate(size);
    Ok(fru::parse(&data))
}
