//! Whether a cable ends where it should: LLDP (IEEE 802.1AB) tells a system's name and a port's id as its maker writes
//! them, owners write them shorter.

use rack::intent::Intent;
use rack::node::Neighbour;

/// Whether what a port hears is what was written down.
pub fn ends_at(intent: &Intent, wanted: &Neighbour, heard: &Neighbour) -> bool {
    let slot = wanted
        .system
        .strip_prefix(&format!("{}/", intent.rack))
        .unwrap_or(&wanted.system);
    let called = intent.at(slot).and_then(|b| b.name.as_deref());
    let place = format!("{}/{slot}", intent.rack);
    let names = [Some(wanted.system.as_str()), Some(slot), called, Some(place.as_str())];
    let system = names.into_iter().flatten().any(|n| same_system(n, &heard.system));
    system && same_port(&wanted.port, &heard.port)
}

/// `sw1` is `SW1.lab.example`.
fn same_system(a: &str, b: &str) -> bool {
    let host = |s: &str| s.split('.').next().unwrap_or_default().to_ascii_lowercase();
    a.eq_ignore_ascii_case(b) || (host(a) == host(b) && a.contains('.') != b.contains('.'))
}

/// `Eth1/7`, `Ethernet1/7` and `ethernet 1/7` are one port; `Eth1/7` and `Eth1/17` are not.
fn same_port(a: &str, b: &str) -> bool {
    let split = |s: &str| {
        let s: String = s.to_ascii_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
        let at = s.find(|c: char| c.is_ascii_digit()).unwrap_or(s.len());
        (s[..at].to_owned(), s[at..].to_owned())
    };
    let ((head_a, tail_a), (head_b, tail_b)) = (split(a), split(b));
    let short = head_a.len().min(head_b.len());
    // Two letters tell `Eth` from `Gi`; a bare number is any kind.
    let heads =
        head_a == head_b || (short >= 2 || short == 0) && (head_a.starts_with(&head_b) || head_b.starts_with(&head_a));
    heads && tail_a == tail_b && (!tail_a.is_empty() || head_a == head_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_port_are_the_same_and_of_two_are_not() {
        for (a, b, same) in [
            ("Eth1/7", "Ethernet1/7", true),
            ("ethernet 1/7", "Ethernet1/7", true),
            ("7", "Ethernet7", true),
            ("swp1", "swp1", true),
            ("Eth1/7", "Eth1/17", false),
            ("Gi0/1", "Eth0/1", false),
            ("mgmt", "mgm", false),
            ("E1", "Ethernet1", false),
        ] {
            assert_eq!(same_port(a, b), same, "{a} {b}");
        }
        assert!(same_system("sw1", "SW1.lab") && !same_system("sw1.a", "sw1.b"));
    }
}
