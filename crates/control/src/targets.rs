//! Where BMCs may be: single addresses, ranges and networks, as users write them.

use std::net::Ipv4Addr;

/// Most addresses that one request may name: a /22. Larger sweeps are several requests, on purpose.
pub const TARGETS: usize = 1024;

/// What needs no credential: nothing there asks who is calling.
const WITHOUT_LOGIN: &str = "wol://";

/// Whether someone must log in there.
pub fn needs_login(url: &str) -> bool {
    !url.starts_with(WITHOUT_LOGIN)
}

/// The URLs that `target` names.
///
/// # Errors
/// Says what is wrong with it and how it is written.
pub fn urls(target: &str) -> Result<Vec<String>, String> {
    let text = target.trim().trim_end_matches('/');
    let bad = |why: &str| {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
        Err(format!(
            "`{shown}` {why}: write 10.0.0.5, 10.0.0.5:8000, https://bmc7:8443, 10.0.0.5-20, 10.0.0.0/26, \
             ipmi://10.0.0.5, snmp://10.0.0.5 or, for a box without BMC, wol://52-54-00-12-34-56"
        ))
    };
    if text.starts_with(WITHOUT_LOGIN) {
        return hardware::wol::packet::target(text).map(|_| vec![text.to_owned()]);
    }
    let schemes = ["https://", "http://", "ipmi://", "snmp://"];
    if let Some(rest) = schemes.iter().find_map(|s| text.strip_prefix(s)) {
        let fine = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
        return if fine {
            Ok(vec![text.to_owned()])
        } else {
            bad("is not the address of a service")
        };
    }
    if let Some((base, bits)) = text.split_once('/') {
        let (Ok(base), Ok(bits)) = (base.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
            return bad("is not a network");
        };
        if !(22..=32).contains(&bits) {
            return bad("is too large a network (a /22 at most)");
        }
        let size = 1u32 << (32 - bits);
        let first = u32::from(base) & !(size - 1);
        // The network's own address and its broadcast address are nobody's, but in /31 and /32 (RFC 3021).
        let hosts = if size > 2 {
            first + 1..first + size - 1
        } else {
            first..first + size
        };
        return Ok(hosts.map(|h| https(Ipv4Addr::from(h))).collect());
    }
    if let Some((base, last)) = text.split_once('-')
        && let Ok(base) = base.parse::<Ipv4Addr>()
    {
        let [a, b, c, from] = base.octets();
        let Ok(last) = last.parse::<u8>() else {
            return bad("does not end in a number up to 255");
        };
        if last < from {
            return bad("runs backwards");
        }
        return Ok((from..=last).map(|d| https(Ipv4Addr::new(a, b, c, d))).collect());
    }
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
    let host_fine = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if !host_fine || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return bad("is not an address");
    }
    Ok(vec![format!("https://{text}")])
}

fn https(address: Ipv4Addr) -> String {
    format!("https://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_ranges_and_networks_are_understood() {
        for (text, count, first) in [
            ("10.0.0.5", 1, "https://10.0.0.5"),
            ("10.0.0.5:8000", 1, "https://10.0.0.5:8000"),
            ("https://bmc7:8443/", 1, "https://bmc7:8443"),
            ("10.0.0.5-20", 16, "https://10.0.0.5"),
            ("10.0.0.0/26", 62, "https://10.0.0.1"),
            ("bmc-7.lab", 1, "https://bmc-7.lab"),
            ("ipmi://10.0.0.5", 1, "ipmi://10.0.0.5"),
            ("snmp://10.0.0.5:1161", 1, "snmp://10.0.0.5:1161"),
            (
                "wol://52-54-00-12-34-56/10.77.0.255",
                1,
                "wol://52-54-00-12-34-56/10.77.0.255",
            ),
        ] {
            let urls = urls(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((urls.len(), urls[0].as_str()), (count, first), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            "10.0.0.0/8",
            "10.0.0.9-5",
            "10.0.0.5-300",
            "a b",
            "host:99999",
            "https://user@host/x",
            "../etc",
        ] {
            let error = urls(text).expect_err(text);
            assert!(error.contains("write 10.0.0.5"), "{error}");
        }
    }
}
