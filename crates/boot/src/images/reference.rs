//! References into a registry: `registry:5000/name:tag` or `registry:5000/name@sha256:…` (distribution-spec §Pulling).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Digest;

/// Longest tag (distribution-spec: 128 characters).
const TAG_MAX: usize = 128;
/// Longest name that clients accept, registry and all (distribution-spec: 255 characters).
const NAME_MAX: usize = 255;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub(super) host: String,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: Option<Digest>,
}

/// A reference that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an image in a registry: {rule}; write registry:5000/name:tag or registry/name@sha256:…")]
pub struct BadReference {
    given: String,
    rule: &'static str,
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(s: &str) -> Result<Self, BadReference> {
        let bad = |rule| BadReference {
            given: s.chars().filter(|c| !c.is_control()).take(80).collect(),
            rule,
        };
        if s.len() > NAME_MAX + TAG_MAX {
            return Err(bad("it is too long"));
        }
        let (name, digest) = match s.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(digest.parse().map_err(|_| bad("what follows @ is not a digest"))?),
            ),
            None => (s, None),
        };
        let (host, path) = name.split_once('/').ok_or_else(|| bad("it names no registry"))?;
        let host_fits = !host.is_empty()
            && (host.contains(['.', ':']) || host == "localhost")
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
        if !host_fits {
            return Err(bad("its registry needs a dot or a port, or must be localhost"));
        }
        let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
        let part_fits = |part: &str| {
            let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            edge(part.bytes().next())
                && edge(part.bytes().next_back())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
        };
        if !repository.split('/').all(part_fits) {
            return Err(bad("its name has parts of a-z, 0-9, `.`, `_` and `-`"));
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let tag_fits = tag.len() <= TAG_MAX
            && tag.bytes().next().is_some_and(word)
            && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
        if !tag_fits {
            return Err(bad("its tag has up to 128 of letters, digits, `_`, `.` and `-`"));
        }
        let (host, repository, tag) = (host.to_owned(), repository.to_owned(), tag.to_owned());
        Ok(Self {
            host,
            repository,
            tag,
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => write!(f, ":{}", self.tag),
        }
    }
}

impl Reference {
    /// Whether the registry is on this very machine, so that nobody can listen.
    pub(super) fn is_loopback(&self) -> bool {
        let name = match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => &self.host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || address.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_are_read_as_written() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, host, loopback) in [
            ("registry:5000/name:tag".to_owned(), "registry:5000", false),
            ("127.0.0.1:5000/a/b_c:v1.2".to_owned(), "127.0.0.1:5000", true),
            ("[::1]:5000/a:1".to_owned(), "[::1]:5000", true),
            ("localhost/a:1".to_owned(), "localhost", true),
            (format!("ghcr.io/a/b@{digest}"), "ghcr.io", false),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string(), reference.host.as_str()), (text, host));
            assert_eq!(reference.is_loopback(), loopback);
        }
        assert_eq!("r.io/a".parse::<Reference>().unwrap().tag, "latest");
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for wrong in [
            "",
            "debian",
            "debian:12",
            "library/debian",
            "r.io/",
            "r.io/../x:1",
            "r.io/A:1",
            "r.io/a:",
            "r.io/a:../x",
            "r.io/a@sha256:12",
            "u@r.io/a",
            "r.io/a?x",
            "r.io/a b",
            "r.io//a",
            "https://r.io/a",
        ] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,100}") {
            let _ = text.parse::<Reference>().map(|r| r.is_loopback());
        }
    }
}
