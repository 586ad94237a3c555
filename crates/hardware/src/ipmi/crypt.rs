//! Cipher suites 3 and 17: who is who (RAKP, IPMI 2.0 §13.20 to §13.24, §13.31) and what nobody else may read or
//! change (§13.28, §13.29). Pure: randomness comes in as an argument.

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ring::hmac;

use crate::ipmi::packet::{Malformed, Packet, rmcp_plus};

/// Block of AES; also the length of its key here, and of an initialisation vector.
pub const BLOCK: usize = 16;
/// Keys K1 and K2 are made of constants of this length, whatever the digest (§13.32).
const CONSTANT: usize = 20;
/// Passwords count as this many bytes, filled up with zeros.
pub const PASSWORD: usize = 20;
/// The integrity trailer's next header, always this.
const NEXT_HEADER: u8 = 0x07;

/// A cipher suite (§22.15.2, table 22-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Seventeen,
    /// RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128: what every BMC of IPMI 2.0 has.
    Three,
}

impl Suite {
    /// Algorithm numbers for authentication, integrity, confidentiality.
    pub fn algorithms(self) -> [u8; 3] {
        match self {
            Suite::Seventeen => [0x03, 0x04, 0x01],
            Suite::Three => [0x01, 0x01, 0x01],
        }
    }

    fn digest(self) -> hmac::Algorithm {
        match self {
            Suite::Seventeen => hmac::HMAC_SHA256,
            // What the specification demands; it protects a session, not a signature.
            Suite::Three => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }

    /// Bytes of an authentication code, in packets and in RAKP message 4.
    pub fn code_length(self) -> usize {
        match self {
            Suite::Seventeen => 16,
            Suite::Three => 12,
        }
    }

    fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.digest(), key));
        parts.iter().for_each(|p| context.update(p));
        context.sign().as_ref().to_vec()
    }
}

/// What both sides know while they find out whether the other one is who it says.
#[derive(Clone)]
pub struct Handshake {
    /// The suite they agreed on.
    pub suite: Suite,
    /// Session id that the console chose.
    pub console: u32,
    /// Session id that the BMC chose.
    pub bmc: u32,
    /// Random number of the console.
    pub console_random: [u8; 16],
    /// Random number of the BMC.
    pub bmc_random: [u8; 16],
    /// GUID of the system, as the BMC says.
    pub guid: [u8; 16],
    /// Privilege asked for, with the flag for a look-up by name only.
    pub role: u8,
    /// User name.
    pub user: Vec<u8>,
    /// Its password, filled up with zeros.
    pub password: [u8; PASSWORD],
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    fn name(&self) -> [u8; 2] {
        [self.role, u8::try_from(self.user.len()).unwrap_or(u8::MAX)]
    }

    /// What RAKP message 2 proves: the BMC knows the password.
    pub fn rakp2(&self) -> Vec<u8> {
        self.suite.mac(
            &self.password,
            &[
                &self.console.to_le_bytes(),
                &self.bmc.to_le_bytes(),
                &self.console_random,
                &self.bmc_random,
                &self.guid,
                &self.name(),
                &self.user,
            ],
        )
    }

    /// What RAKP message 3 proves: the console knows the password.
    pub fn rakp3(&self) -> Vec<u8> {
        self.suite.mac(
            &self.password,
            &[&self.bmc_random, &self.console.to_le_bytes(), &self.name(), &self.user],
        )
    }

    fn session_key(&self) -> Vec<u8> {
        self.suite.mac(
            &self.password,
            &[&self.console_random, &self.bmc_random, &self.name(), &self.user],
        )
    }

    /// What RAKP message 4 proves: both have the same session key.
    pub fn rakp4(&self) -> Vec<u8> {
        let mut code = self.suite.mac(
            &self.session_key(),
            &[&self.console_random, &self.bmc.to_le_bytes(), &self.guid],
        );
        code.truncate(self.suite.code_length());
        code
    }

    /// The keys of the session.
    pub fn keys(&self) -> Keys {
        let sik = self.session_key();
        let k1 = self.suite.mac(&sik, &[&[1; CONSTANT]]);
        let k2 = self.suite.mac(&sik, &[&[2; CONSTANT]]);
        let mut cipher = [0; BLOCK];
        cipher.copy_from_slice(&k2[..BLOCK]);
        Keys {
            suite: self.suite,
            integrity: hmac::Key::new(self.suite.digest(), &k1),
            cipher,
        }
    }
}

/// Whether two codes are equal, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

/// Keys of a session.
#[derive(Clone)]
pub struct Keys {
    suite: Suite,
    integrity: hmac::Key,
    cipher: [u8; BLOCK],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// The suite they belong to.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// A packet of the session: encrypted, then signed. `iv` must be unpredictable.
    pub fn seal(&self, payload: u8, session: u32, sequence: u32, body: &[u8], iv: [u8; BLOCK]) -> Vec<u8> {
        let mut packet = rmcp_plus(payload | 0xc0, session, sequence, &self.encrypt(body, iv));
        let covered = packet.len() - 4;
        let pad = (4 - (covered + 2) % 4) % 4;
        packet.extend(std::iter::repeat_n(0xff, pad));
        packet.extend([u8::try_from(pad).unwrap_or(0), NEXT_HEADER]);
        let code = hmac::sign(&self.integrity, &packet[4..]);
        packet.extend_from_slice(&code.as_ref()[..self.suite.code_length()]);
        packet
    }

    /// Checks and decrypts a packet of the session. One that is not signed is refused, as is one that is not encrypted.
    pub fn open(&self, packet: &Packet<'_>) -> Result<Vec<u8>, Malformed> {
        if !packet.authenticated || !packet.encrypted {
            return Err(Malformed::Forged);
        }
        let end = packet.rest.len().checked_sub(self.suite.code_length());
        let (covered, code) = packet.rest.split_at(end.ok_or(Malformed::Short)?);
        let expected = hmac::sign(&self.integrity, covered);
        if !same(code, &expected.as_ref()[..code.len()]) {
            return Err(Malformed::Forged);
        }
        self.decrypt(packet.body)
    }

    /// §13.29: the initialisation vector, then data, padding 1, 2, 3… and its length in whole blocks.
    fn encrypt(&self, body: &[u8], iv: [u8; BLOCK]) -> Vec<u8> {
        let pad = (BLOCK - (body.len() + 1) % BLOCK) % BLOCK;
        let mut text = body.to_vec();
        text.extend((1u8..).take(pad));
        text.push(u8::try_from(pad).unwrap_or(0));
        let mut out = iv.to_vec();
        let cipher = cbc::Encryptor::<Aes128>::new(&self.cipher.into(), &iv.into());
        out.extend(cipher.encrypt_padded_vec::<NoPadding>(&text));
        out
    }

    fn decrypt(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (iv, text) = body.split_at_checked(BLOCK).ok_or(Malformed::Short)?;
        let iv: [u8; BLOCK] = iv.try_into().map_err(|_| Malformed::Short)?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.cipher.into(), &iv.into());
        let mut out = cipher
            .decrypt_padded_vec::<NoPadding>(text)
            .map_err(|_| Malformed::Forged)?;
        let pad = usize::from(out.pop().ok_or(Malformed::Short)?);
        // The padding's own bytes are not looked at: the packet was signed, and BMCs differ in what they put there.
        out.truncate(out.len().checked_sub(pad).ok_or(Malformed::Forged)?);
        Ok(out)
    }
}
