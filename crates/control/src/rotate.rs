//! A new password for every BMC that shares a credential, one BMC after the other, safe to stop anywhere.
//!
//! The next password is sealed in the store before the first BMC gets it, and each BMC that has it is noted. After a
//! crash between the two, the BMC refuses the old password, takes the next, and is noted then.

use std::collections::BTreeSet;
use std::sync::Arc;

use hardware::{Driver, Error, Receipt};
use rack::Name;
use rack::request::{CredentialRequest, Rotated, Who};
use store::Txn;

use crate::House;
use crate::act::WISH;
use crate::house::HouseError;
use crate::keys;
use crate::record::{StoredCredential, WatchedBmc};
use crate::targets;

/// Length of a made password: IPMI 2.0 takes at most 20 bytes, many BMCs only 16.
const LENGTH: usize = 16;

impl House {
    /// Rotates a credential: goes on with the rotation that is under way, or begins one.
    pub async fn rotate(&self, who: &Who, name: &Name) -> Result<Rotated, HouseError> {
        let _alone = self.inner.rotating.try_lock().map_err(|_| HouseError::Conflict {
            what: "a rotation is under way; ask again when it has ended".into(),
        })?;
        self.begin_rotation(who, name).await?;
        let bmcs: Vec<(String, Arc<WatchedBmc>)> = self.record(|r| {
            // What asks for no login has no password to move, whatever credential its line names.
            let mine = |b: &WatchedBmc| b.credential == *name && targets::needs_login(&b.url);
            let mine = r.bmcs.iter().filter(|(_, b)| mine(b));
            mine.map(|(k, b)| (k.clone(), Arc::clone(b))).collect()
        });
        let mut result = Rotated::default();
        for (key, bmc) in &bmcs {
            let moved = self.record(|r| r.credentials.get(name).is_some_and(|c| c.moved.contains(key)));
            let outcome = if moved {
                Ok(())
            } else {
                self.move_over(who, name, key, bmc).await
            };
            match outcome {
                Ok(()) => result.done.push(bmc.url.clone()),
                Err(HouseError::Store(error)) => return Err(error.into()),
                Err(HouseError::Policy { what, hint }) => result.left.push(format!("{}: {what}: {hint}", bmc.url)),
                Err(error) => result.left.push(format!("{}: {error}", bmc.url)),
            }
        }
        if result.left.is_empty() {
            self.end_rotation(who, name).await?;
        }
        Ok(result)
    }

    async fn begin_rotation(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        let key = keys::credential(name);
        let mut bytes = [0; LENGTH];
        self.inner.env.random.fill(&mut bytes);
        let next = password(&bytes);
        self.transact(|_| {
            let stored = self.stored(name)?;
            if stored.next.is_some() {
                return Ok((Txn::new(), ()));
            }
            let now = self.open_credential(name, &stored.sealed)?;
            let request = CredentialRequest {
                user: now.user,
                password: next.clone(),
            };
            let plain = serde_json::to_vec(&request).map_err(|e| HouseError::Invalid { what: e.to_string() })?;
            let random = |b: &mut [u8]| self.inner.env.random.fill(b);
            let after = StoredCredential {
                next: Some(self.inner.env.secrets.seal(&key, &plain, random)),
                moved: BTreeSet::new(),
                ..StoredCredential::clone(&stored)
            };
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
            Ok((
                self.tell(txn, &self.audit(who, format!("credential {name}"), "rotation begins"))?,
                (),
            ))
        })
        .await
    }

    /// Gives one BMC the next password, unless it has it already.
    async fn move_over(&self, who: &Who, name: &Name, key: &str, bmc: &WatchedBmc) -> Result<(), HouseError> {
        let stored = self.stored(name)?;
        let next = stored.next.as_ref().ok_or_else(|| HouseError::Conflict {
            what: "the rotation was ended by someone else".into(),
        })?;
        let behind = self.record(|r| {
            r.armed_behind(&bmc.url)
                .ok_or_else(|| r.to_arm_for(&bmc.url, bmc.rack.as_str()))
        });
        let (node, place) = behind.map_err(|to_arm| HouseError::Policy {
            what: "nothing behind it is armed, so its password is left as it is".into(),
            hint: match to_arm {
                Some(place) => format!("busbar arm {place}"),
                None => format!(
                    "no node in {} could be armed: change the password at the box itself, and give it a credential of its own",
                    bmc.rack
                ),
            },
        })?;
        let secret = self.open_credential(name, next)?;
        let driver = self.bmc(&bmc.url, name, bmc.certificate.as_deref()).await?;
        // A driver of its own for each try: one that was refused keeps quiet for a while, so that no account is locked.
        let has_next = async || -> Result<bool, HouseError> {
            let observe = hardware::Mode::Observe;
            let fresh = self.connect(&bmc.url, bmc.certificate.as_deref(), secret.clone(), observe)?;
            Ok(lets_in(fresh.as_ref()).await)
        };
        if lets_in(driver.as_ref()).await || !has_next().await? {
            let until = tokio::time::Instant::now() + WISH;
            let what = format!("new password for {}", secret.user);
            let permit = self
                .permit(&node.id, place.as_ref(), what, "rotation", who.name.as_str())
                .await?;
            let accounts = driver
                .accounts()
                .ok_or_else(|| Error::lacks(driver.url(), "accounts"))?;
            let set = tokio::time::timeout_at(until, accounts.set_password(&secret.password, &permit)).await;
            let Ok(receipt) = set else {
                // Which of the two passwords it was left with is found out when it is asked again, as after a crash.
                self.inner.fleet.close(&bmc.url);
                return Err(HouseError::Unreachable(format!(
                    "it was not done in {} s; rotate again when it answers sooner",
                    WISH.as_secs()
                )));
            };
            let receipt = receipt?;
            if let Receipt::Blocked { by } = receipt {
                return Err(HouseError::Conflict { what: by });
            }
            if !has_next().await? {
                return Err(HouseError::Unreachable(
                    "it took the new password but does not let it in".into(),
                ));
            }
        }
        let credential = keys::credential(name);
        self.transact(|_| {
            let mut after = StoredCredential::clone(self.stored(name)?.as_ref());
            after.moved.insert(key.to_owned());
            Ok((
                Txn::new()
                    .check(&credential, self.unchanged(&credential))
                    .put(&credential, &after)?,
                (),
            ))
        })
        .await?;
        self.inner.fleet.close(&bmc.url);
        Ok(())
    }

    async fn end_rotation(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        let key = keys::credential(name);
        self.transact(|_| {
            let stored = self.stored(name)?;
            let Some(next) = stored.next.clone() else {
                return Ok((Txn::new(), ()));
            };
            let after = StoredCredential {
                name: name.clone(),
                sealed: next,
                next: None,
                moved: BTreeSet::new(),
            };
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &after)?;
            Ok((
                self.tell(txn, &self.audit(who, format!("credential {name}"), "rotated"))?,
                (),
            ))
        })
        .await
    }

    fn stored(&self, name: &Name) -> Result<Arc<StoredCredential>, HouseError> {
        self.record(|r| r.credentials.get(name).cloned())
            .ok_or_else(|| HouseError::NotFound {
                kind: "credential",
                name: name.to_string(),
            })
    }
}

/// Whether a driver's password is let in. An inventory does not tell: it makes do with what anyone may read.
async fn lets_in(driver: &dyn Driver) -> bool {
    match driver.accounts() {
        Some(accounts) => accounts.log_in().await.is_ok(),
        None => false,
    }
}

/// A password out of random bytes that every BMC's rules take: upper and lower case letters, a digit and a mark, none of
/// them easily mistaken for another.
fn password(bytes: &[u8; LENGTH]) -> String {
    const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    const LOWER: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
    const DIGIT: &[u8] = b"23456789";
    const MARK: &[u8] = b"-_";
    const ALL: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789-_";
    let pick = |set: &[u8], b: u8| set[usize::from(b) % set.len()] as char;
    bytes
        .iter()
        .enumerate()
        .map(|(i, b)| match i {
            0 => pick(LOWER, *b),
            1 => pick(UPPER, *b),
            2 => pick(DIGIT, *b),
            3 => pick(MARK, *b),
            _ => pick(ALL, *b),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_keeps_every_rule() {
        for seed in 0..=255u8 {
            let made = password(&std::array::from_fn(|i| {
                seed.wrapping_mul(31).wrapping_add(i as u8 * 17)
            }));
            assert_eq!(made.len(), LENGTH);
            assert!(made.chars().any(|c| c.is_ascii_uppercase()) && made.chars().any(|c| c.is_ascii_lowercase()));
            assert!(made.chars().any(|c| c.is_ascii_digit()) && made.contains(['-', '_']));
        }
    }
}
