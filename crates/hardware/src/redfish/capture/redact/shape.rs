//! Telling by the shape of a text what it is: addresses, identifiers, mail addresses, keys.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest run of characters looked at as one word.
const WORD: usize = 128;

/// Finds everything in a text that has a telling shape. `numbers`: whether four numbers with dots are an address here.
pub(super) fn scan(text: &str, numbers: bool, found: &mut dyn FnMut(&str)) {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '@' | '+');
    for run in text.split(|c| !word(c)).filter(|r| (6..=WORD).contains(&r.len())) {
        if let Some(mail) = mail(run) {
            found(mail);
            continue;
        }
        for part in run.split(['@', '+']) {
            let bare = part.trim_matches(['.', ':', '-', '_']);
            if is_ipv6(part) || is_ipv6(bare) {
                found(if is_ipv6(part) { part } else { bare });
                continue;
            }
            ipv4_and_hexes(bare, numbers, found);
        }
    }
}

fn ipv4_and_hexes(text: &str, numbers: bool, found: &mut dyn FnMut(&str)) {
    // an address may have its port behind it, or a name before
    for piece in text.split(['_', ':', '-']) {
        if numbers && is_ipv4(piece) {
            found(piece);
        }
    }
    if is_uuid(text) || pairs(text) {
        return found(text);
    }
    // inside longer names: NIC.aa:bb:cc:dd:ee:ff, urn:uuid:4c4c4544-…
    for start in 0..text.len() {
        let boundary = start == 0 || !text.as_bytes()[start - 1].is_ascii_hexdigit();
        for length in [36, 23, 17] {
            let Some(piece) = text.get(start..start + length).filter(|_| boundary) else {
                continue;
            };
            let ends = text
                .as_bytes()
                .get(start + length)
                .is_none_or(|b| !b.is_ascii_hexdigit());
            if ends && (length == 36 && is_uuid(piece) || length != 36 && pairs(piece)) {
                return found(piece);
            }
        }
    }
}

fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok_and(|a| {
        let [first, ..] = a.octets();
        // nothing of anybody's: unset, this host, masks
        first != 0 && first != 127 && first != 255
    })
}

fn is_ipv6(text: &str) -> bool {
    text.matches(':').count() >= 2
        && text
            .parse::<Ipv6Addr>()
            .is_ok_and(|a| !a.is_loopback() && !a.is_unspecified() && text.len() > 5)
}

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
        && telling(text)
}

/// Six or eight pairs of hexadecimal digits: a MAC address, a world wide name.
fn pairs(text: &str) -> bool {
    let bytes = text.as_bytes();
    let by = bytes.get(2).copied().unwrap_or_default();
    matches!(bytes.len(), 17 | 23)
        && matches!(by, b':' | b'-')
        && bytes.iter().enumerate().all(|(i, b)| match i % 3 {
            2 => *b == by,
            _ => b.is_ascii_hexdigit(),
        })
        && telling(text)
}

/// A UUID, a MAC address or a world wide name, with or without what stands between its digits.
pub(super) fn is_id(text: &str) -> bool {
    let bare = matches!(text.len(), 12 | 16 | 32) && text.bytes().all(|b| b.is_ascii_hexdigit());
    bare || is_uuid(text) || pairs(text)
}

/// All zeros, or all ones, is nobody's.
fn telling(text: &str) -> bool {
    let digits = || {
        text.bytes()
            .filter(u8::is_ascii_hexdigit)
            .map(|b| b.to_ascii_lowercase())
    };
    !(digits().all(|b| b == b'0') || digits().all(|b| b == b'f'))
}

fn mail(text: &str) -> Option<&str> {
    let text = text.trim_matches(['.', ':', '-', '_', '+']);
    let (user, domain) = text.split_once('@')?;
    let (_, top) = domain.rsplit_once('.')?;
    let annotation = ["odata.", "Redfish.", "Message.", "Privileges."]
        .iter()
        .any(|a| domain.starts_with(a));
    let fits =
        !user.is_empty() && !domain.contains('@') && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
    (fits && !annotation).then_some(text)
}

/// A certificate or a key, wherever it stands.
pub(super) fn is_blob(text: &str) -> bool {
    text.contains("-----BEGIN ")
        || ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-"]
            .iter()
            .any(|k| text.starts_with(k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_is_found_inside_texts_and_what_does_not_is_left() {
        let all = |text: &str| {
            let mut list = Vec::new();
            scan(text, true, &mut |found| list.push(found.to_owned()));
            list
        };
        for (text, want) in [
            ("at 10.1.2.3, port 4", vec!["10.1.2.3"]),
            ("https://10.1.2.3:443/x", vec!["10.1.2.3"]),
            ("fe80::1ff:fe23:4567:890a/64", vec!["fe80::1ff:fe23:4567:890a"]),
            ("NIC.aa:bb:cc:dd:ee:0f", vec!["aa:bb:cc:dd:ee:0f"]),
            (
                "urn:uuid:4c4c4544-0051-3510-8052-b4c04f4e3732",
                vec!["4c4c4544-0051-3510-8052-b4c04f4e3732"],
            ),
            ("mail ada@example.org.", vec!["ada@example.org"]),
            ("2024-01-02T10:20:30+00:00", vec![]),
            ("00:00:00:00:00:00 127.0.0.1 255.255.0.0 ::1", vec![]),
            ("0000:17:00.0", vec![]),
            ("Members@odata.count", vec![]),
            ("06.00.30.00", vec![]),
        ] {
            assert_eq!(all(text), want, "{text}");
        }
    }
}
