//! Which serial consoles a service offers: `ComputerSystem.SerialConsole` (DSP0266, ComputerSystem 1.13 and 1.26), else the
//! older `Manager.SerialConsole`, whose ports stand in `ManagerNetworkProtocol`.

use serde_json::Value;

use super::json;

/// Longest command that is typed to enter a console.
const COMMAND: usize = 200;

/// One way to a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// `SerialConsole.WebSocket`.
    WebSocket {
        /// Path on the service.
        path: String,
        /// Whether something can be typed.
        interactive: bool,
    },
    /// `SerialConsole.SSH`.
    Ssh {
        /// TCP port.
        port: u16,
        /// What to type to get from the BMC's command line to the console.
        entry: Option<String>,
    },
    /// `SerialConsole.IPMI`: Serial over LAN.
    Ipmi {
        /// UDP port.
        port: u16,
    },
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Offer::WebSocket { path, .. } => write!(f, "WebSocket {path}"),
            Offer::Ssh { port, .. } => write!(f, "SSH port {port}"),
            Offer::Ipmi { port } => write!(f, "IPMI SOL port {port}"),
        }
    }
}

/// The ways to the console of a system, the best first. What is switched off is left out.
pub fn offers(system: &Value, manager: Option<&Value>, protocols: Option<&Value>) -> Vec<Offer> {
    let own = &system["SerialConsole"];
    if own.is_object() {
        return of_system(own);
    }
    manager.map_or_else(Vec::new, |m| of_manager(&m["SerialConsole"], protocols))
}

fn enabled(service: &Value) -> bool {
    service.is_object() && json::truth(&service["ServiceEnabled"]) != Some(false)
}

fn port(service: &Value, usual: u16) -> u16 {
    let told = json::count(&service["Port"]).and_then(|p| u16::try_from(p).ok());
    told.filter(|p| *p != 0).unwrap_or(usual)
}

fn of_system(console: &Value) -> Vec<Offer> {
    let mut offers = Vec::new();
    let socket = &console["WebSocket"];
    if enabled(socket)
        && let Some(path) = console_path(&socket["ConsoleURI"])
    {
        offers.push(Offer::WebSocket {
            path,
            interactive: json::truth(&socket["Interactive"]) != Some(false),
        });
    }
    let ssh = &console["SSH"];
    if enabled(ssh) {
        let entry = ssh["ConsoleEntryCommand"].as_str().map(str::trim);
        offers.push(Offer::Ssh {
            port: port(ssh, 22),
            entry: entry
                .filter(|e| !e.is_empty() && e.len() <= COMMAND && !e.chars().any(char::is_control))
                .map(str::to_owned),
        });
    }
    let ipmi = &console["IPMI"];
    if enabled(ipmi) {
        offers.push(Offer::Ipmi { port: port(ipmi, 623) });
    }
    offers
}

/// `Manager.SerialConsole` (deprecated in Manager 1.10) says nothing of how the console is entered from SSH's command
/// line, so that IPMI, which leads straight to it, comes first.
fn of_manager(console: &Value, protocols: Option<&Value>) -> Vec<Offer> {
    if !enabled(console) {
        return Vec::new();
    }
    let kinds: Vec<&str> = json::list(&console["ConnectTypesSupported"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let protocol = |name: &str| protocols.map_or(&Value::Null, |p| &p[name]);
    let on = |name: &str| json::truth(&protocol(name)["ProtocolEnabled"]) != Some(false);
    let mut offers = Vec::new();
    if kinds.contains(&"IPMI") && on("IPMI") {
        offers.push(Offer::Ipmi {
            port: port(protocol("IPMI"), 623),
        });
    }
    if kinds.contains(&"SSH") && on("SSH") {
        offers.push(Offer::Ssh {
            port: port(protocol("SSH"), 22),
            entry: None,
        });
    }
    offers
}

/// The path of a console's URI. It may lie outside of `/redfish`; scheme and host are dropped, as the password goes to no
/// other host than the service's own.
fn console_path(uri: &Value) -> Option<String> {
    const LONGEST: usize = 512;
    let raw = uri.as_str()?.trim();
    let local = match raw.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => raw,
    };
    let plain = |b: u8| {
        b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#')
    };
    let fits = local.starts_with('/')
        && !local.starts_with("//")
        && local.len() <= LONGEST
        && local.bytes().all(plain)
        && !local.split(['/', '?']).any(json::leads_up);
    fits.then(|| local.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_system_says_which_consoles_it_has_and_the_best_is_first() {
        let system = json!({"SerialConsole": {
            "IPMI": {"ServiceEnabled": true},
            "SSH": {"ServiceEnabled": true, "Port": 22, "SharedWithManagerCLI": true, "ConsoleEntryCommand": "cd system1/sol1; start"},
            "WebSocket": {"ServiceEnabled": true, "ConsoleURI": "/console/default", "Interactive": true},
            "Telnet": {"ServiceEnabled": true},
        }});
        let expected = [
            Offer::WebSocket {
                path: "/console/default".into(),
                interactive: true,
            },
            Offer::Ssh {
                port: 22,
                entry: Some("cd system1/sol1; start".into()),
            },
            Offer::Ipmi { port: 623 },
        ];
        assert_eq!(offers(&system, None, None), expected);
    }

    #[test]
    fn what_is_switched_off_or_hostile_is_no_offer() {
        let system = json!({"SerialConsole": {
            "IPMI": {"ServiceEnabled": false},
            "SSH": {"ServiceEnabled": true, "Port": 99999, "ConsoleEntryCommand": "x\ry"},
            "WebSocket": {"ServiceEnabled": true, "ConsoleURI": "//evil/../console"},
        }});
        assert_eq!(offers(&system, None, None), [Offer::Ssh { port: 22, entry: None }]);
        assert_eq!(
            console_path(&json!("wss://elsewhere/console0")).as_deref(),
            Some("/console0")
        );
        for odd in [
            json!("https://host"),
            json!("console"),
            json!("/a/../b"),
            json!("/a b"),
            json!(7),
        ] {
            assert_eq!(console_path(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_manager_speaks_for_a_system_that_says_nothing() {
        let manager =
            json!({"SerialConsole": {"ServiceEnabled": true, "ConnectTypesSupported": ["SSH", "IPMI", "Oem"]}});
        let protocols = json!({"SSH": {"ProtocolEnabled": true, "Port": 2022}, "IPMI": {"ProtocolEnabled": false}});
        assert_eq!(
            offers(&json!({}), Some(&manager), Some(&protocols)),
            [Offer::Ssh {
                port: 2022,
                entry: None
            }]
        );
        let off = json!({"SerialConsole": {"ServiceEnabled": false, "ConnectTypesSupported": ["SSH"]}});
        assert_eq!(offers(&json!({}), Some(&off), None), []);
    }
}
