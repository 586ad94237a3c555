//! Watts read and limited as data centres asked for it (DCMI 1.5 §6.6).

use std::sync::atomic::Ordering;

use crate::capability::Cap;
use crate::error::Error;
use crate::found::Receipt;
use crate::ipmi::client::Client;
use crate::ipmi::command;
use crate::permit::Permit;

/// Begins each DCMI message (§5.1).
const GROUP: u8 = 0xdc;
/// There is a limit, but it is not active.
const INACTIVE: u8 = 0x80;
/// How soon the limit must be reached, when none was set before; the least that BMCs are known to take is about 6 s.
const CORRECTION_MS: u32 = 6_000;
/// Over how long the power is averaged, when none was set before.
const SAMPLING_S: u16 = 5;
/// The one limit that DCMI has.
pub const SYSTEM: &str = "system";

/// Watts now; nothing when the BMC has no DCMI, or measures nothing now.
pub async fn watts(client: &Client) -> Result<Option<f64>, Error> {
    if client.no_dcmi.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let answer = client.ask(command::DCMI_POWER, &[GROUP, 1, 0, 0]).await;
    // It does not know the command, or drops it: neither is waited for at each poll.
    if matches!(&answer, Err(Error::Timeout { .. })) || answer.as_ref().is_ok_and(|a| a.code == 0xc1) {
        client.no_dcmi.store(true, Ordering::Relaxed);
    }
    let answer = answer?;
    // Bit 6 of the last byte: the measurement is active.
    Ok(match (answer.code, answer.data.as_slice()) {
        (0, [GROUP, low, high, rest @ ..]) if rest.get(14).is_none_or(|state| state & 0x40 != 0) => {
            Some(f64::from(u16::from_le_bytes([*low, *high]))).filter(|w| *w > 0.0)
        }
        _ => None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    active: bool,
    action: u8,
    watts: u16,
    correction: u32,
    sampling: u16,
}

/// The limit; nothing when the BMC knows none.
async fn limit(client: &Client) -> Result<Option<Limit>, Error> {
    let answer = client.ask(command::DCMI_GET_LIMIT, &[GROUP, 0, 0]).await?;
    let d = match (answer.code, answer.data.as_slice()) {
        (0 | INACTIVE, d) if d.first() == Some(&GROUP) && d.len() >= 14 => d,
        // No limit was ever set: some answer with the code alone.
        (INACTIVE, _) => {
            return Ok(Some(Limit {
                active: false,
                action: 0,
                watts: 0,
                correction: CORRECTION_MS,
                sampling: SAMPLING_S,
            }));
        }
        _ => return Ok(None),
    };
    Ok(Some(Limit {
        active: answer.code == 0,
        action: d[3],
        watts: u16::from_le_bytes([d[4], d[5]]),
        correction: u32::from_le_bytes([d[6], d[7], d[8], d[9]]),
        sampling: u16::from_le_bytes([d[12], d[13]]),
    }))
}

fn cap(limit: Limit) -> Cap {
    Cap {
        id: SYSTEM.into(),
        watts: Some(f64::from(limit.watts)).filter(|w| limit.active && *w > 0.0),
        range: None,
        writable: true,
    }
}

/// The limit as a cap; empty when the BMC has none.
pub async fn caps(client: &Client) -> Result<Vec<Cap>, Error> {
    Ok(limit(client).await?.map(cap).into_iter().collect())
}

/// Sets the limit and puts it in force, or lifts it; reads it back.
pub async fn set(client: &Client, id: &str, watts: Option<f64>, permit: &Permit) -> Result<Receipt, Error> {
    client.gate(command::DCMI_SET_LIMIT)?;
    let before = limit(client)
        .await?
        .ok_or_else(|| client.lacks("a limit on its power (DCMI)"))?;
    if id != SYSTEM {
        return Err(Error::NotOffered {
            address: client.line.url().into(),
            what: format!("a limit named {id}"),
            have: vec![SYSTEM.into()],
        });
    }
    let wanted = match watts.map(f64::round) {
        None => None,
        Some(w) if (1.0..=f64::from(u16::MAX)).contains(&w) => Some(w as u16),
        Some(w) => return Err(client.lacks(&format!("a limit of {w} W; it takes 1 to 65535"))),
    };
    let holds = |now: Limit| match wanted {
        None => !now.active || now.watts == 0,
        Some(w) => now.active && now.watts == w,
    };
    if holds(before) {
        return Ok(Receipt::Done);
    }
    if let Some(watts) = wanted {
        let or = |told: u32, default: u32| if told == 0 { default } else { told };
        let sampling = if before.sampling == 0 {
            SAMPLING_S
        } else {
            before.sampling
        };
        let mut data = vec![GROUP, 0, 0, 0, before.action];
        data.extend(watts.to_le_bytes());
        data.extend(or(before.correction, CORRECTION_MS).to_le_bytes());
        data.extend([0, 0]);
        data.extend(sampling.to_le_bytes());
        let answer = client.order(command::DCMI_SET_LIMIT, &data, permit).await?;
        match answer.code {
            0x84 => return Err(client.rejected_as(command::DCMI_SET_LIMIT, 0x84, "the limit is out of its range")),
            0x85 => {
                return Err(client.rejected_as(command::DCMI_SET_LIMIT, 0x85, "its correction time is out of range"));
            }
            0x89 => return Err(client.rejected_as(command::DCMI_SET_LIMIT, 0x89, "its sampling time is out of range")),
            _ => client.accepted(command::DCMI_SET_LIMIT, answer)?,
        };
    }
    let activate = [GROUP, u8::from(wanted.is_some()), 0, 0];
    let answer = client.order(command::DCMI_ACTIVATE, &activate, permit).await?;
    client.accepted(command::DCMI_ACTIVATE, answer)?;
    match limit(client).await? {
        Some(now) if holds(now) => Ok(Receipt::Done),
        _ => Err(client.broken(command::DCMI_GET_LIMIT, "it took the limit but does not show it")),
    }
}
