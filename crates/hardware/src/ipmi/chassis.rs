//! Orders to the chassis: power, boot device, light (IPMI 2.0 §28). Each observes first and is sent at most once.

use rack::{BootTarget, Health, PowerState, ResetKind};

use crate::error::Error;
use crate::found::Receipt;
use crate::ipmi::client::Client;
use crate::ipmi::command;
use crate::ipmi::packet::completion;
use crate::permit::Permit;

/// Resets that IPMI knows.
pub const RESETS: [ResetKind; 6] = [
    ResetKind::On,
    ResetKind::ForceOff,
    ResetKind::PowerCycle,
    ResetKind::ForceRestart,
    ResetKind::Nmi,
    ResetKind::GracefulShutdown,
];

/// Targets that IPMI knows.
pub const TARGETS: [BootTarget; 5] = [
    BootTarget::None,
    BootTarget::Pxe,
    BootTarget::Hdd,
    BootTarget::Cd,
    BootTarget::BiosSetup,
];

/// What the chassis says of itself (§28.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// On or off.
    pub power: PowerState,
    /// Faults of power, drives, fans.
    pub health: Health,
    /// Whether the light is on; nothing when the chassis does not tell.
    pub lit: Option<bool>,
}

impl Status {
    /// Reads an answer to Get Chassis Status.
    pub fn read(data: &[u8]) -> Option<Status> {
        let (power, misc) = (*data.first()?, data.get(2).copied().unwrap_or(0));
        // Overload, interlock, main power fault, control fault; drive fault, fan fault.
        let health = if power & 0b1_1110 != 0 {
            Health::Critical
        } else if misc & 0b1100 != 0 {
            Health::Warning
        } else {
            Health::Ok
        };
        Some(Status {
            power: if power & 1 != 0 {
                PowerState::On
            } else {
                PowerState::Off
            },
            health,
            lit: (misc & 0x40 != 0).then_some(misc & 0x30 != 0),
        })
    }
}

/// Reads the status of the chassis.
pub async fn status(client: &Client) -> Result<Status, Error> {
    let data = client.get(command::CHASSIS_STATUS, &[]).await?;
    Status::read(&data).ok_or_else(|| client.broken(command::CHASSIS_STATUS, "the answer is cut short"))
}

/// What observing says of a reset before it is sent.
fn already(kind: ResetKind, power: PowerState) -> Option<Receipt> {
    use PowerState::{Off, On};
    match (kind, power) {
        (ResetKind::On, On) | (ResetKind::ForceOff | ResetKind::GracefulShutdown, Off) => Some(Receipt::Done),
        (ResetKind::ForceRestart | ResetKind::Nmi, Off) => Some(Receipt::Blocked {
            by: "the system is off: switch it on instead".into(),
        }),
        _ => None,
    }
}

fn control(kind: ResetKind) -> Option<u8> {
    match kind {
        ResetKind::ForceOff => Some(0),
        ResetKind::On => Some(1),
        ResetKind::PowerCycle => Some(2),
        ResetKind::ForceRestart => Some(3),
        ResetKind::Nmi => Some(4),
        ResetKind::GracefulShutdown => Some(5),
        ResetKind::GracefulRestart | ResetKind::PushPowerButton => None,
    }
}

/// Switches or resets the system (§28.3).
pub async fn reset(client: &Client, kind: ResetKind, permit: &Permit) -> Result<Receipt, Error> {
    client.gate(command::CHASSIS_CONTROL)?;
    let value = control(kind).ok_or_else(|| Error::NotOffered {
        address: client.line.url().into(),
        what: format!("reset {kind:?}"),
        have: RESETS.iter().map(|k| format!("{k:?}")).collect(),
    })?;
    if let Some(receipt) = already(kind, status(client).await?.power) {
        return Ok(receipt);
    }
    let accepted = Receipt::Accepted { task: None };
    match client.order(command::CHASSIS_CONTROL, &[value], permit).await {
        Ok(answer) if answer.code == 0xd5 => Ok(Receipt::Blocked {
            by: completion(answer.code).into(),
        }),
        Ok(answer) => client.accepted(command::CHASSIS_CONTROL, answer).map(|_| accepted),
        // Whether it was done is open: what the chassis shows now decides.
        Err(e) if e.is_transient() => match status(client).await.map(|s| already(kind, s.power)) {
            Ok(Some(Receipt::Done)) => Ok(Receipt::Done),
            _ => Err(e),
        },
        Err(e) => Err(e),
    }
}

/// Boot flags: parameter 5 (§28.12, table 28-14).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BootFlags {
    /// Whether the rest counts.
    pub valid: bool,
    /// For all boots, not only the next.
    pub persistent: bool,
    /// By EFI, not by the BIOS of old.
    pub efi: bool,
    /// Device selector.
    pub device: u8,
}

impl BootFlags {
    /// Reads an answer to Get System Boot Options for parameter 5; nothing when it says that the parameter is invalid.
    pub fn read(data: &[u8]) -> Option<BootFlags> {
        let (parameter, flags, device) = (*data.get(1)?, *data.get(2)?, *data.get(3)?);
        (parameter & 0x80 == 0).then_some(BootFlags {
            valid: flags & 0x80 != 0,
            persistent: flags & 0x40 != 0,
            efi: flags & 0x20 != 0,
            device: device >> 2 & 0x0f,
        })
    }

    /// The target in force; nothing when it is one without a name here.
    pub fn target(self) -> Option<BootTarget> {
        if !self.valid || self.device == 0 {
            return Some(BootTarget::None);
        }
        TARGETS.into_iter().find(|t| selector(*t) == Some(self.device))
    }

    /// Whether a read-back shows what was written. A BMC that keeps the device and drops every flag is believed, as it
    /// accepted both.
    fn shows(self, target: BootTarget) -> bool {
        let flagless = !self.valid && !self.persistent && !self.efi;
        match target {
            BootTarget::None => self.target() == Some(BootTarget::None),
            _ => selector(target) == Some(self.device) && (self.valid || flagless),
        }
    }

    fn encode(self) -> [u8; 5] {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let flags = flag(self.valid, 0x80) | flag(self.persistent, 0x40) | flag(self.efi, 0x20);
        [flags, self.device << 2, 0, 0, 0]
    }
}

fn selector(target: BootTarget) -> Option<u8> {
    match target {
        BootTarget::None => Some(0),
        BootTarget::Pxe => Some(1),
        BootTarget::Hdd => Some(2),
        BootTarget::Cd => Some(5),
        BootTarget::BiosSetup => Some(6),
        BootTarget::UefiHttp => None,
    }
}

/// Parameters of the boot options.
const SET_IN_PROGRESS: u8 = 0;
const VALID_BIT_CLEARING: u8 = 3;
const ACKNOWLEDGE: u8 = 4;
const FLAGS: u8 = 5;

/// Reads the boot flags; nothing when the BMC has none.
pub async fn boot(client: &Client) -> Result<Option<BootFlags>, Error> {
    let answer = client.ask(command::GET_BOOT, &[FLAGS, 0, 0]).await?;
    Ok((answer.code == 0).then(|| BootFlags::read(&answer.data)).flatten())
}

/// Sets what the system boots from next, for one boot. Firmware that was told to boot by EFI before is told so again:
/// IPMI alone can't say which of both a box has.
pub async fn set_boot(client: &Client, target: BootTarget, permit: &Permit) -> Result<Receipt, Error> {
    client.gate(command::SET_BOOT)?;
    let device = selector(target).ok_or_else(|| Error::NotOffered {
        address: client.line.url().into(),
        what: format!("booting from {target:?}"),
        have: TARGETS.iter().map(|t| format!("{t:?}")).collect(),
    })?;
    let before = boot(client).await?;
    // An override for one boot that is set already still is: it is cleared by the boot.
    if before.is_some_and(|b| b.target() == Some(target)) {
        return Ok(Receipt::Done);
    }
    let wanted = BootFlags {
        valid: device != 0,
        persistent: false,
        efi: before.is_some_and(|b| b.efi),
        device,
    };
    let set = async |parameter: u8, data: &[u8]| {
        let whole = [&[parameter], data].concat();
        client.order(command::SET_BOOT, &whole, permit).await
    };
    // Optional for a BMC: that others write at the same time is told; that the flags outlive 60 s without a reset; and
    // that no handler has read them yet. What it refuses of these, it does not need.
    set(SET_IN_PROGRESS, &[1]).await?;
    set(VALID_BIT_CLEARING, &[0x08]).await?;
    set(ACKNOWLEDGE, &[0x01, 0x01]).await?;
    let answer = set(FLAGS, &wanted.encode()).await?;
    set(SET_IN_PROGRESS, &[0]).await?;
    client.accepted(command::SET_BOOT, answer)?;
    match boot(client).await? {
        Some(now) if now.shows(target) => Ok(Receipt::Done),
        _ => Err(client.broken(command::GET_BOOT, "it took the boot device but does not show it")),
    }
}

/// Lights the box, or puts the light out (§28.5).
pub async fn light(client: &Client, on: bool, permit: &Permit) -> Result<Receipt, Error> {
    client.gate(command::IDENTIFY)?;
    if status(client).await?.lit == Some(on) {
        return Ok(Receipt::Done);
    }
    let answer = client.order(command::IDENTIFY, &[0, u8::from(on)], permit).await?;
    // BMCs of IPMI 1.5 days know no light that stays on: then for as long as they can.
    let answer = match (answer.code, on) {
        (0xc7 | 0xcc, true) => client.order(command::IDENTIFY, &[u8::MAX], permit).await?,
        (0xc7 | 0xcc, false) => client.order(command::IDENTIFY, &[0], permit).await?,
        _ => answer,
    };
    client.accepted(command::IDENTIFY, answer)?;
    Ok(match status(client).await?.lit {
        Some(now) if now == on => Receipt::Done,
        _ => Receipt::Accepted { task: None },
    })
}

/// Restarts the BMC itself (§20.2). It may forget to answer.
pub async fn reset_manager(client: &Client, permit: &Permit) -> Result<Receipt, Error> {
    match client.order(command::COLD_RESET, &[], permit).await {
        Ok(answer) => {
            client.accepted(command::COLD_RESET, answer)?;
            client.hang_up().await;
            Ok(Receipt::Accepted { task: None })
        }
        // It went down with the answer unsent.
        Err(Error::Timeout { .. }) => Ok(Receipt::Accepted { task: None }),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_count_only_while_they_are_valid() {
        let read = |flags, device| BootFlags::read(&[1, 5, flags, device, 0, 0, 0]).unwrap();
        assert_eq!(read(0x80, 0x04).target(), Some(BootTarget::Pxe));
        assert_eq!(read(0x00, 0x04).target(), Some(BootTarget::None));
        assert_eq!(read(0xe0, 0x18).target(), Some(BootTarget::BiosSetup));
        assert_eq!(read(0x80, 0x3c).target(), None, "a floppy");
        assert_eq!(BootFlags::read(&[1, 0x85, 0x80, 0x04, 0, 0, 0]), None);
        assert!(read(0x00, 0x04).shows(BootTarget::Pxe));
        assert!(!read(0x40, 0x04).shows(BootTarget::Pxe));
        let flags = read(0xe0, 0x14);
        assert_eq!(flags.encode(), [0xe0, 0x14, 0, 0, 0]);
    }

    #[test]
    fn a_chassis_status_tells_power_faults_and_light() {
        let s = Status::read(&[0x21, 0x00, 0x50]).unwrap();
        assert_eq!((s.power, s.health, s.lit), (PowerState::On, Health::Ok, Some(true)));
        let s = Status::read(&[0x08, 0x00, 0x08]).unwrap();
        assert_eq!((s.power, s.health, s.lit), (PowerState::Off, Health::Critical, None));
        assert_eq!(Status::read(&[]), None);
    }
}
