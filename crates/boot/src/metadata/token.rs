//! Session tokens of the metadata service, without any state: a token is an expiry and a seal over it, so that it
//! survives a restart of the daemon and is worth nothing on any machine but the one that asked for it.
//!
//! The protocol is AWS's IMDSv2; its corner cases are those of Firecracker's MMDS v2.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rack::Time;
use ring::hmac;

/// Longest life of a token: six hours, as on EC2.
pub const TTL_MAX_SECONDS: u64 = 21_600;

/// What is sealed begins with this, so that the key can't be made to seal anything else.
const PURPOSE: &[u8] = b"busbar metadata token 1\0";

/// Bytes of the expiry at the head of a token.
const EXPIRY: usize = size_of::<u64>();

/// The key that seals tokens, and the clock that they expire by.
#[derive(Clone)]
pub struct TokenKey {
    key: hmac::Key,
    now: Arc<dyn Fn() -> Time + Send + Sync>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl TokenKey {
    /// A key from 32 secret bytes, which should last as long as the daemon's state does.
    pub fn new(secret: &[u8; 32], now: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            key,
            now: Arc::new(now),
        }
    }

    /// A token for the instance at this address, good for `ttl` seconds.
    pub(super) fn seal(&self, address: IpAddr, instance: &str, ttl: u64) -> String {
        let expiry = self.seconds().saturating_add(ttl);
        let tag = hmac::sign(&self.key, &message(expiry, address, instance));
        let mut token = expiry.to_be_bytes().to_vec();
        token.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether the token was sealed for this instance at this address and still holds.
    pub(super) fn opens(&self, token: &str, address: IpAddr, instance: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let Some((expiry, tag)) = bytes.split_first_chunk::<EXPIRY>() else {
            return false;
        };
        let expiry = u64::from_be_bytes(*expiry);
        hmac::verify(&self.key, &message(expiry, address, instance), tag).is_ok() && self.seconds() < expiry
    }

    fn seconds(&self) -> u64 {
        u64::try_from((self.now)().as_millis()).unwrap_or(0) / 1_000
    }
}

/// The instance is sealed in too: an address that was given to another machine takes no old token along.
fn message(expiry: u64, address: IpAddr, instance: &str) -> Vec<u8> {
    let address: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut message = PURPOSE.to_vec();
    message.extend_from_slice(&expiry.to_be_bytes());
    message.extend_from_slice(&address.octets());
    message.extend_from_slice(instance.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicI64, Ordering};

    use proptest::prelude::*;

    use super::*;

    fn key_at(millis: i64) -> TokenKey {
        TokenKey::new(&[7; 32], move || Time::from_millis(millis))
    }

    #[test]
    fn a_token_survives_a_restart_and_ends_at_its_second() {
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let read = clock.clone();
        let key = TokenKey::new(&[7; 32], move || Time::from_millis(read.load(Ordering::Relaxed)));
        let address: IpAddr = "10.77.0.9".parse().unwrap();
        let token = key.seal(address, "i-1", 60);
        assert!(key_at(1_059_999).opens(&token, address, "i-1"));
        clock.store(1_060_000, Ordering::Relaxed);
        assert!(!key.opens(&token, address, "i-1"));
    }

    #[test]
    fn a_token_is_refused_from_another_address_another_machine_and_under_another_key() {
        let key = key_at(0);
        let address: IpAddr = "10.77.0.9".parse().unwrap();
        let token = key.seal(address, "i-1", 60);
        assert!(!key.opens(&token, "10.77.0.8".parse().unwrap(), "i-1"));
        assert!(!key.opens(&token, address, "i-2"));
        assert!(!TokenKey::new(&[8; 32], || Time::from_millis(0)).opens(&token, address, "i-1"));
        assert_eq!(format!("{key:?}"), "TokenKey(..)");
    }

    proptest! {
        #[test]
        fn no_text_is_a_token_and_no_change_is_forgiven(text in ".{0,80}", at in 0usize..54, other in "[A-Za-z0-9_-]") {
            let key = key_at(0);
            let address: IpAddr = "10.77.0.9".parse().unwrap();
            prop_assert!(!key.opens(&text, address, "i-1"));
            let token = key.seal(address, "i-1", 60);
            let mut changed = token.clone();
            changed.replace_range(at..at + 1, &other);
            prop_assert_eq!(key.opens(&changed, address, "i-1"), changed == token);
        }
    }
}
