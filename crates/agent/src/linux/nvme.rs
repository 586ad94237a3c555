//! Erasing NVMe by its own means: Sanitize, else Format with secure erase (NVM Express Base 2.0 §5.24, §5.14).

use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rack::agent::WipeMethod;
use tracing::{info, warn};

use super::ioctl::{Admin, admin};

const IDENTIFY: u8 = 0x06;
const GET_LOG_PAGE: u8 = 0x02;
const FORMAT: u8 = 0x80;
const SANITIZE: u8 = 0x84;
/// Log page of Sanitize Status; 20 bytes serve, read as a whole number of dwords.
const SANITIZE_STATUS: u32 = 0x81;
/// Format answers when it is done; a block erase of a large drive takes minutes.
const FORMAT_TIME: Duration = Duration::from_secs(3600);
/// Sanitize answers at once and goes on behind; a block erase takes minutes, hours on a broken drive.
const SANITIZE_TIME: Duration = Duration::from_secs(4 * 3600);
const SANITIZE_POLL: Duration = Duration::from_secs(2);

/// What the device offers, from its Identify data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offers {
    /// SANICAP bit 1: Sanitize by block erase.
    block_erase: bool,
    /// SANICAP bit 0: Sanitize by crypto erase.
    crypto_erase: bool,
    /// OACS bit 1: Format.
    format: bool,
    /// FNA bit 2: Format with crypto erase.
    format_crypto: bool,
}

fn offers(controller: &[u8; 4096]) -> Offers {
    let sanitize = controller[328];
    Offers {
        block_erase: sanitize & 2 != 0,
        crypto_erase: sanitize & 1 != 0,
        format: controller[256] & 2 != 0,
        format_crypto: controller[524] & 4 != 0,
    }
}

/// CDW10 of a Format that keeps the namespace as it is: block format, metadata and protection from Identify Namespace.
fn format_word(namespace: &[u8; 4096], crypto: bool) -> u32 {
    let (flbas, dps) = (u32::from(namespace[26]), u32::from(namespace[29]));
    let erase = if crypto { 2 } else { 1 };
    (flbas & 0xf)
        | (flbas >> 4 & 1) << 4
        | (dps & 7) << 5
        | (dps >> 3 & 1) << 8
        | erase << 9
        // FLBAS bits 6:5 are the upper bits of the format's index, where there are more than 16
        | (flbas >> 5 & 3) << 12
}

/// Erases a namespace, best method first. `None` when the device has none that works. Blocks.
pub(super) fn erase(device: &File, name: &str, namespace: u32) -> io::Result<Option<WipeMethod>> {
    let mut controller = [0u8; 4096];
    admin(
        device,
        Admin {
            opcode: IDENTIFY,
            cdw10: 1,
            ..Admin::default()
        },
        &mut controller,
    )?;
    let offers = offers(&controller);
    info!("{name} offers {offers:?}");
    // block erase first: what it leaves can be read back and proven, what a crypto erase leaves is noise
    for (offered, action) in [(offers.block_erase, 2), (offers.crypto_erase, 4)] {
        if !offered {
            continue;
        }
        match sanitize(device, action) {
            Ok(()) => return Ok(Some(WipeMethod::NvmeSanitize)),
            Err(e) => warn!("{name} does not sanitize: {e}"),
        }
    }
    if offers.format {
        let mut identity = [0u8; 4096];
        admin(
            device,
            Admin {
                opcode: IDENTIFY,
                namespace,
                ..Admin::default()
            },
            &mut identity,
        )?;
        for crypto in [false, true] {
            if crypto && !offers.format_crypto {
                continue;
            }
            let command = Admin {
                opcode: FORMAT,
                namespace,
                cdw10: format_word(&identity, crypto),
                timeout_ms: FORMAT_TIME.as_millis() as u32,
            };
            match admin(device, command, &mut []) {
                Ok(()) => return Ok(Some(WipeMethod::NvmeFormat)),
                Err(e) => warn!("{name} does not format with secure erase: {e}"),
            }
        }
    }
    Ok(None)
}

fn sanitize(device: &File, action: u32) -> io::Result<()> {
    admin(
        device,
        Admin {
            opcode: SANITIZE,
            cdw10: action,
            ..Admin::default()
        },
        &mut [],
    )?;
    let began = Instant::now();
    loop {
        sleep(SANITIZE_POLL);
        let mut log = [0u8; 512];
        let dwords = (log.len() / 4 - 1) as u32;
        let command = Admin {
            opcode: GET_LOG_PAGE,
            namespace: u32::MAX,
            cdw10: SANITIZE_STATUS | dwords << 16,
            ..Admin::default()
        };
        admin(device, command, &mut log)?;
        // SSTAT bits 2:0: 1 done, 2 under way, 3 failed, 4 done without deallocation
        match log[2] & 7 {
            1 | 4 => return Ok(()),
            2 if began.elapsed() < SANITIZE_TIME => {}
            state => return Err(io::Error::other(format!("sanitize ended in state {state}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_format_keeps_the_namespace_as_it_is() {
        let mut namespace = [0u8; 4096];
        assert_eq!(format_word(&namespace, false), 1 << 9);
        namespace[26] = 0b0011_0011;
        namespace[29] = 0b1001;
        assert_eq!(
            format_word(&namespace, true),
            3 | 1 << 4 | 1 << 5 | 1 << 8 | 2 << 9 | 1 << 12
        );
    }

    #[test]
    fn offers_are_read_from_identify_data() {
        let mut controller = [0u8; 4096];
        controller[256] = 2;
        controller[328] = 3;
        assert_eq!(
            offers(&controller),
            Offers {
                block_erase: true,
                crypto_erase: true,
                format: true,
                format_crypto: false
            }
        );
    }
}
