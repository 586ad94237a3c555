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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    /// An opening as ipmitool 1.8.19 made it; its computations were printed by `-vvvvv`.
    fn handshake(suite: Suite, bmc: u32, console_random: &str, bmc_random: u8) -> Handshake {
        let mut password = [0; PASSWORD];
        password[..6].copy_from_slice(b"secret");
        Handshake {
            suite,
            console: 0xa0a2_a3a4,
            bmc,
            console_random: bytes(console_random).try_into().unwrap(),
            bmc_random: [bmc_random; 16],
            guid: [0x42; 16],
            role: 0x14,
            user: b"admin".to_vec(),
            password,
        }
    }

    #[test]
    fn suite_17_computes_what_ipmitool_does() {
        let h = handshake(Suite::Seventeen, 0x1000, "af090a99a99d61dadc114d189626acf2", 1);
        let told = |hex| bytes(hex);
        let rakp2 = "6f58596443329b68a0a8199be3455182 95aafc9bb42d4ada7a81719db65a3374";
        let rakp3 = "ec38e2c4e93521bcda50621a9c76c30d 46e72dadbf81201a1b49faeaebe21237";
        let sik = "389b1db96bd07b7b00e037af07afe582 0c9196e37797e5e31f3c35898213c89c";
        assert_eq!(h.rakp2(), told(rakp2));
        assert_eq!(h.rakp3(), told(rakp3));
        assert_eq!(h.session_key(), told(sik));
        assert_eq!(h.rakp4(), told("4f5fd3bbcbe3c6be91920b237be93f6e"));
        assert_eq!(h.keys().cipher.to_vec(), told("840b4fc2ef32e0cd091f049060ef2e42"));
    }

    #[test]
    fn suite_3_computes_what_ipmitool_does() {
        let h = handshake(Suite::Three, 0x1001, "7eeaf4507077abb6599db3fe785dac72", 2);
        assert_eq!(h.rakp2(), bytes("be94dc6750243da8a159e3c28e4aa193dc222315"));
        assert_eq!(h.rakp3(), bytes("62aaf7fa4d0a097af9cf50ec64fbad5e4f3426b6"));
        assert_eq!(h.session_key(), bytes("0f59aa22e2f7496b7a36a635ee10970c67e69694"));
        assert_eq!(h.rakp4(), bytes("90e61ac2b527b43c0ed28d0a"));
        assert_eq!(h.keys().cipher.to_vec(), bytes("ccd9536b8fe75c1b038c62130a53e8c7"));
    }

    #[test]
    fn what_was_changed_on_its_way_or_sent_in_the_clear_is_refused() {
        for suite in [Suite::Seventeen, Suite::Three] {
            let keys = handshake(suite, 1, "7eeaf4507077abb6599db3fe785dac72", 2).keys();
            let good = keys.seal(0, 5, 1, b"hello", [3; BLOCK]);
            assert_eq!(keys.open(&Packet::parse(&good).unwrap()).unwrap(), b"hello");
            for at in 4..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                let opened = Packet::parse(&bad).and_then(|p| keys.open(&p));
                assert!(opened.is_err(), "{suite:?}, byte {at}");
            }
            let clear = rmcp_plus(0, 5, 1, b"hello");
            assert_eq!(keys.open(&Packet::parse(&clear).unwrap()), Err(Malformed::Forged));
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let h = handshake(Suite::Three, 1, "7eeaf4507077abb6599db3fe785dac72", 2);
        let printed = format!("{h:?} {:?}", h.keys());
        assert_eq!(printed, "Handshake { suite: Three, .. } Keys { suite: Three, .. }");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(body in proptest::collection::vec(any::<u8>(), 0..200), iv: [u8; BLOCK], session: u32) {
            for suite in [Suite::Seventeen, Suite::Three] {
                let keys = handshake(suite, 1, "7eeaf4507077abb6599db3fe785dac72", 2).keys();
                let packet = keys.seal(1, session, 9, &body, iv);
                // The code is computed over whole words (§13.28.4).
                prop_assert_eq!((packet.len() - 4 - suite.code_length()) % 4, 0);
                let parsed = Packet::parse(&packet).unwrap();
                prop_assert_eq!((parsed.payload, parsed.session, parsed.sequence), (1, session, 9));
                prop_assert_eq!(keys.open(&parsed).unwrap(), body.clone());
            }
        }

        #[test]
        fn no_bytes_make_a_session_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let keys = handshake(Suite::Three, 1, "7eeaf4507077abb6599db3fe785dac72", 2).keys();
            let mut framed = vec![6, 0, 0xff, 7, 6, 0xc0];
            framed.extend(bytes);
            let _ = Packet::parse(&framed).map(|p| keys.open(&p));
        }
    }
}
