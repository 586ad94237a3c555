//! Keys and what they protect: credentials at rest (AES-256-GCM), tokens of a boot (HMAC-SHA256), tokens of users (only
//! their SHA-256 is kept). One master key of 32 bytes lies beside the store in a file of its own, mode 0600; the others
//! are derived from it by label.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rack::NodeId;
use ring::{aead, digest, hmac};
use serde::{Deserialize, Serialize};

/// Why a secret could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file can't be read or written.
    #[error("can't {attempt} the key file {path}: {source}")]
    File {
        /// `read` or `write`.
        attempt: &'static str,
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file has another length.
    #[error(
        "the key file {path} does not hold 32 bytes: restore it from where it was backed up, or set every credential anew"
    )]
    Damaged {
        /// Which.
        path: String,
    },
    /// A sealed value was not sealed with this key, or was changed.
    #[error("the sealed credential can't be opened with this key: set it anew with `busbar credential set`")]
    Sealed,
}

/// A value that only the holder of the master key can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    nonce: String,
    data: String,
}

/// The keys.
pub struct Secrets {
    seal: aead::LessSafeKey,
    boot: hmac::Key,
    metadata: [u8; 32],
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// The keys derived from a master key.
    pub fn from_master(master: &[u8; 32]) -> Secrets {
        let root = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derive = |label: &str| -> [u8; 32] {
            let tag = hmac::sign(&root, label.as_bytes());
            tag.as_ref().try_into().expect("HMAC-SHA256 is 32 bytes long")
        };
        let seal =
            aead::UnboundKey::new(&aead::AES_256_GCM, &derive("busbar seal v1")).expect("the key is 32 bytes long");
        Secrets {
            seal: aead::LessSafeKey::new(seal),
            boot: hmac::Key::new(hmac::HMAC_SHA256, &derive("busbar boot v1")),
            metadata: derive("busbar metadata v1"),
        }
    }

    /// The keys of a state folder; a master key is made with `random` at first start.
    pub fn open(file: &Path, random: impl FnOnce(&mut [u8])) -> Result<Secrets, SecretError> {
        let path = || file.display().to_string();
        match std::fs::read(file) {
            Ok(bytes) => {
                let master: [u8; 32] = bytes.try_into().map_err(|_| SecretError::Damaged { path: path() })?;
                Ok(Secrets::from_master(&master))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut master = [0; 32];
                random(&mut master);
                write_private(file, &master).map_err(|source| SecretError::File {
                    attempt: "write",
                    path: path(),
                    source,
                })?;
                Ok(Secrets::from_master(&master))
            }
            Err(source) => Err(SecretError::File {
                attempt: "read",
                path: path(),
                source,
            }),
        }
    }

    /// Seals `plain` for the object `about`; it opens for no other.
    pub fn seal(&self, about: &str, plain: &[u8], random: impl FnOnce(&mut [u8])) -> Sealed {
        let mut nonce = [0; aead::NONCE_LEN];
        random(&mut nonce);
        let mut data = plain.to_vec();
        self.seal
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(about.as_bytes()),
                &mut data,
            )
            .expect("a credential is far below the cipher's limit");
        Sealed {
            nonce: URL_SAFE_NO_PAD.encode(nonce),
            data: URL_SAFE_NO_PAD.encode(data),
        }
    }

    /// Opens what was sealed for `about`.
    pub fn open_sealed(&self, about: &str, sealed: &Sealed) -> Result<Vec<u8>, SecretError> {
        let nonce = URL_SAFE_NO_PAD.decode(&sealed.nonce).map_err(|_| SecretError::Sealed)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).map_err(|_| SecretError::Sealed)?;
        let mut data = URL_SAFE_NO_PAD.decode(&sealed.data).map_err(|_| SecretError::Sealed)?;
        let plain = self
            .seal
            .open_in_place(nonce, aead::Aad::from(about.as_bytes()), &mut data)
            .map_err(|_| SecretError::Sealed)?;
        Ok(plain.to_vec())
    }

    /// The token of one boot of a node. Nothing of it is stored: the same question gives the same token after a restart,
    /// and the next boot's is another.
    pub fn boot_token(&self, node: &NodeId, boot: u64) -> String {
        let tag = hmac::sign(&self.boot, format!("{node}\n{boot}").as_bytes());
        format!("{node}~{boot}~{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The node and boot that a token was made for, when it was made here.
    pub fn boot_of(&self, token: &str) -> Option<(NodeId, u64)> {
        let mut parts = token.splitn(3, '~');
        let (node, boot, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let (node, boot): (NodeId, u64) = (node.parse().ok()?, boot.parse().ok()?);
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.boot, format!("{node}\n{boot}").as_bytes(), &tag).ok()?;
        Some((node, boot))
    }

    /// Key of the metadata service's session tokens.
    pub fn metadata_key(&self) -> [u8; 32] {
        self.metadata
    }
}

/// What is kept of a user's token.
pub fn fingerprint(secret: &str) -> String {
    digest::digest(&digest::SHA256, secret.as_bytes())
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A secret for a new token: 256 random bits behind a prefix that scanners for leaked secrets can find.
pub fn new_secret(random: impl FnOnce(&mut [u8])) -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    format!("busbar_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = file.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let mut f = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    f.write_all(bytes)?;
    f.sync_all()?;
    std::fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::from_master(&[7; 32])
    }

    #[test]
    fn a_sealed_credential_opens_only_where_it_belongs_and_unchanged() {
        let sealed = secrets().seal("credential/a", b"hunter2", |n| n.fill(3));
        assert_eq!(
            secrets().open_sealed("credential/a", &sealed).expect("opens"),
            b"hunter2"
        );
        assert!(secrets().open_sealed("credential/b", &sealed).is_err());
        assert!(
            Secrets::from_master(&[8; 32])
                .open_sealed("credential/a", &sealed)
                .is_err()
        );
        let text = serde_json::to_string(&sealed).expect("serialises");
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn a_boot_token_is_good_for_its_boot_and_no_other() {
        let node: NodeId = "n1".parse().expect("an id");
        let token = secrets().boot_token(&node, 4);
        assert_eq!(secrets().boot_of(&token), Some((node.clone(), 4)));
        assert_ne!(secrets().boot_token(&node, 5), token);
        assert_eq!(secrets().boot_of(&token.replace("~4~", "~5~")), None);
        assert_eq!(secrets().boot_of("garbage"), None);
    }
}
