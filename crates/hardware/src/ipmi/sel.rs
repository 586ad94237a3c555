//! The system event log (IPMI 2.0 §31, §32): its newest entries, in words.

use rack::{Health, Time};

use crate::capability::LogEntry;
use crate::error::Error;
use crate::ipmi::client::Client;
use crate::ipmi::command;
use crate::ipmi::packet::completion;
use crate::ipmi::sdr::{Sensor, kind};

/// Entries answered at most: a log is looked at by people.
pub const MOST: usize = 512;
/// Record ids tried in a row, backwards, that do not exist; ids are consecutive on almost every BMC.
const GAP: usize = 16;
/// Records read at most when a log must be walked from its first: each is a request.
const WALK: usize = 4096;
/// Ids of the first and the last entry, and what follows the last (§31.5).
const FIRST: u16 = 0x0000;
const LAST: u16 = 0xffff;
/// There is no such record.
const ABSENT: u8 = 0xcb;
/// Times below are seconds since the BMC started, not since 1970 (§37).
const INITIALISED: u32 = 0x2000_0000;

/// Sensor types in words (§42.2), for events that no sensor record explains.
const KINDS: &[&str] = &[
    "",
    "temperature",
    "voltage",
    "current",
    "fan",
    "physical security",
    "platform security",
    "processor",
    "power supply",
    "power unit",
    "cooling",
    "other unit",
    "memory",
    "drive",
    "memory size",
    "system firmware",
    "event log",
    "watchdog",
    "system event",
    "critical interrupt",
    "button",
    "module",
    "microcontroller",
    "add-in card",
    "chassis",
    "chip set",
    "other FRU",
    "cable",
    "terminator",
    "system boot",
    "boot error",
    "base OS boot",
    "OS stop",
    "slot",
    "ACPI power state",
    "watchdog",
    "platform alert",
    "entity presence",
    "monitor ASIC",
    "LAN",
    "management subsystem health",
    "battery",
    "session audit",
    "version change",
    "FRU state",
];

/// Generic events (§42.1): type, offset, words, how bad.
const GENERIC: &[(u8, u8, &str, Health)] = &[
    (0x01, 0, "below its lower warning threshold", Health::Warning),
    (0x01, 2, "below its lower critical threshold", Health::Critical),
    (0x01, 4, "below its lower fatal threshold", Health::Critical),
    (0x01, 7, "above its upper warning threshold", Health::Warning),
    (0x01, 9, "above its upper critical threshold", Health::Critical),
    (0x01, 11, "above its upper fatal threshold", Health::Critical),
    (0x03, 0, "state deasserted", Health::Ok),
    (0x03, 1, "state asserted", Health::Ok),
    (0x04, 1, "failure predicted", Health::Warning),
    (0x05, 1, "limit exceeded", Health::Warning),
    (0x07, 0, "ok", Health::Ok),
    (0x07, 1, "worse than ok", Health::Warning),
    (0x07, 2, "critical", Health::Critical),
    (0x07, 3, "fatal", Health::Critical),
    (0x08, 0, "removed", Health::Ok),
    (0x08, 1, "inserted", Health::Ok),
    (0x0b, 0, "fully redundant", Health::Ok),
    (0x0b, 1, "redundancy lost", Health::Warning),
    (0x0b, 2, "redundancy degraded", Health::Warning),
];

/// Events of one sensor type (§42.2): type, offset, words, how bad.
const SPECIFIC: &[(u8, u8, &str, Health)] = &[
    (kind::PROCESSOR, 0, "internal error", Health::Critical),
    (kind::PROCESSOR, 1, "thermal trip", Health::Critical),
    (kind::PROCESSOR, 5, "configuration error", Health::Critical),
    (kind::PROCESSOR, 7, "present", Health::Ok),
    (kind::PROCESSOR, 10, "throttled", Health::Warning),
    (kind::SUPPLY, 0, "present", Health::Ok),
    (kind::SUPPLY, 1, "failed", Health::Critical),
    (kind::SUPPLY, 2, "failure predicted", Health::Warning),
    (kind::SUPPLY, 3, "input lost", Health::Warning),
    (kind::SUPPLY, 4, "input lost or out of range", Health::Warning),
    (kind::SUPPLY, 6, "configuration error", Health::Warning),
    (0x05, 0, "chassis opened", Health::Warning),
    (0x09, 0, "powered off", Health::Ok),
    (0x09, 1, "power cycled", Health::Ok),
    (0x09, 4, "power lost", Health::Warning),
    (0x09, 6, "power unit failed", Health::Critical),
    (kind::MEMORY, 0, "correctable error", Health::Warning),
    (kind::MEMORY, 1, "uncorrectable error", Health::Critical),
    (kind::MEMORY, 5, "too many correctable errors", Health::Warning),
    (kind::DRIVE, 0, "present", Health::Ok),
    (kind::DRIVE, 1, "failed", Health::Critical),
    (kind::DRIVE, 2, "failure predicted", Health::Warning),
    (0x0f, 0, "firmware error at start", Health::Critical),
    (0x0f, 1, "firmware hangs", Health::Critical),
    (0x10, 2, "log cleared", Health::Ok),
    (0x10, 4, "log full", Health::Warning),
    (0x13, 0, "front panel interrupt", Health::Warning),
    (0x13, 4, "PCI parity error", Health::Critical),
    (0x13, 5, "PCI system error", Health::Critical),
    (0x13, 8, "uncorrectable bus error", Health::Critical),
    (0x20, 1, "operating system stopped", Health::Critical),
    (0x22, 0, "working", Health::Ok),
    (0x23, 0, "watchdog expired", Health::Warning),
    (0x23, 1, "watchdog reset the system", Health::Critical),
    (0x23, 2, "watchdog switched the system off", Health::Critical),
    (0x23, 3, "watchdog cycled the power", Health::Critical),
];

/// Reads a record of 16 bytes (§32.1). Names of sensors are taken from `sensors`.
pub fn entry(record: &[u8], sensors: &[Sensor]) -> Option<LogEntry> {
    let r: &[u8; 16] = record.get(..16)?.try_into().ok()?;
    let id = u16::from_le_bytes([r[0], r[1]]).to_string();
    let seconds = u32::from_le_bytes([r[3], r[4], r[5], r[6]]);
    let at = (seconds >= INITIALISED && seconds != u32::MAX).then(|| Time::from_millis(i64::from(seconds) * 1000));
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    // Types with a time but a maker's own contents, and those without even a time (§32.2, §32.3).
    if r[2] != 0x02 {
        let timed = (0xc0..=0xdf).contains(&r[2]);
        return Some(LogEntry {
            id,
            at: at.filter(|_| timed),
            severity: Health::Unknown,
            message: format!("a record of the maker's own: {}", hex(&r[if timed { 7 } else { 3 }..])),
            message_id: Some(format!("record type {:02X}h", r[2])),
        });
    }
    let (kind, number, gone, event) = (r[10], r[11], r[12] & 0x80 != 0, r[12] & 0x7f);
    let offset = r[13] & 0x0f;
    let table = if event == 0x6f { SPECIFIC } else { GENERIC };
    let key = if event == 0x6f { kind } else { event };
    let known = table.iter().find(|e| e.0 == key && e.1 == offset);
    let sensor = sensors
        .iter()
        .find(|s| s.owner == r[7] && s.number == number && !s.name.is_empty());
    let what = KINDS.get(usize::from(kind)).copied().unwrap_or_default();
    let subject = match (sensor, what) {
        (Some(s), _) => s.name.clone(),
        (None, "") => format!("sensor {number:02X}h"),
        (None, what) => format!("{what} {number:02X}h"),
    };
    let words = known.map_or_else(|| format!("event {offset} of type {event:02X}h"), |k| k.2.to_owned());
    // A threshold event carries reading and threshold in raw units; with the sensor's factors, they are values.
    let value = sensor
        .and_then(|s| s.analog)
        .filter(|a| event == 0x01 && r[13] & 0xc0 == 0x40 && !a.is_non_linear())
        .and_then(|a| a.value(r[14], a.factors).zip(a.counts()))
        .map(|(v, unit)| format!(" ({v} {unit})"))
        .unwrap_or_default();
    Some(LogEntry {
        id,
        at,
        severity: match known {
            _ if gone => Health::Ok,
            Some(k) => k.3,
            None => Health::Unknown,
        },
        message: format!("{subject}: {words}{value}{}", if gone { ", no longer" } else { "" }),
        message_id: Some(format!("{event:02X}h/{kind:02X}h/{offset}")),
    })
}

/// One record, and the id of the next; nothing when there is none of that id.
async fn record(client: &Client, id: u16) -> Result<Option<(u16, Vec<u8>)>, Error> {
    let [low, high] = id.to_le_bytes();
    // Whole records need no reservation (§31.5).
    let answer = client.ask(command::GET_SEL, &[0, 0, low, high, 0, 0xff]).await?;
    match (answer.code, answer.data.as_slice()) {
        (0, [low, high, record @ ..]) if record.len() >= 16 => {
            Ok(Some((u16::from_le_bytes([*low, *high]), record.to_vec())))
        }
        (0, _) => Err(client.broken(command::GET_SEL, "the record is cut short")),
        (ABSENT | 0xc9 | 0xcc, _) => Ok(None),
        (0x81, _) => Err(client.rejected_as(command::GET_SEL, 0x81, "the log is being cleared")),
        (code, _) => Err(client.rejected_as(command::GET_SEL, code, completion(code))),
    }
}

/// The newest entries, newest first.
pub async fn entries(client: &Client, sensors: &[Sensor], most: usize) -> Result<Vec<LogEntry>, Error> {
    let most = most.min(MOST);
    let info = client.get(command::SEL_INFO, &[]).await?;
    let count = match info.as_slice() {
        [_, low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])),
        _ => return Err(client.broken(command::SEL_INFO, "the answer is cut short")),
    };
    let wanted = most.min(count);
    let mut out: Vec<LogEntry> = Vec::new();
    if wanted == 0 {
        return Ok(out);
    }
    // From the last one backwards, as a full log has thousands of entries.
    let Some((_, last)) = record(client, LAST).await? else {
        return Ok(out);
    };
    let mut id = u16::from_le_bytes([last[0], last[1]]);
    out.extend(entry(&last, sensors));
    let mut missing = 0;
    while out.len() < wanted && id > 1 && missing < GAP {
        id -= 1;
        match record(client, id).await? {
            // Some answer an id that does not exist with another record.
            Some((_, r)) if [r[0], r[1]] == id.to_le_bytes() => {
                out.extend(entry(&r, sensors));
                missing = 0;
            }
            _ => missing += 1,
        }
    }
    if out.len() >= wanted {
        return Ok(out);
    }
    // Ids are not consecutive, or have wrapped round: from the first one on, keeping the last ones.
    let mut kept = std::collections::VecDeque::new();
    let mut id = FIRST;
    for _ in 0..WALK {
        let Some((next, r)) = record(client, id).await? else {
            break;
        };
        kept.extend(entry(&r, sensors));
        if kept.len() > wanted {
            kept.pop_front();
        }
        if next == LAST || next == id {
            break;
        }
        id = next;
    }
    Ok(kept.into_iter().rev().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_told_in_words() {
        let record = [
            0x12, 0x00, 0x02, 0x00, 0x2b, 0x69, 0x5e, 0x20, 0x00, 0x04, 0x08, 0x61, 0x6f, 0x03, 0xff, 0xff,
        ];
        let e = entry(&record, &[]).unwrap();
        assert_eq!(e.id, "18");
        assert_eq!(e.severity, Health::Warning);
        assert_eq!(e.message, "power supply 61h: input lost");
        assert_eq!(e.at.unwrap().to_string(), "2020-03-11T18:16:32Z");
        let mut gone = record;
        gone[12] |= 0x80;
        let e = entry(&gone, &[]).unwrap();
        assert_eq!(
            (e.severity, e.message.as_str()),
            (Health::Ok, "power supply 61h: input lost, no longer")
        );
        let mut early = record;
        early[6] = 0;
        assert_eq!(entry(&early, &[]).unwrap().at, None, "the BMC's clock was not set");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = entry(&bytes, &[]);
        }
    }
}
