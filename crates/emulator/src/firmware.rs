//! What firmware says on the network: DHCP messages as UEFI HTTP boot and iPXE send them, and iPXE's script language as
//! far as boot scripts use it. Functions only, no sockets.

use std::net::Ipv4Addr;

use rack::Mac;
use uuid::Uuid;

/// RFC 2131 §2: fixed fields before the options.
const FIXED: usize = 236;
/// RFC 2131 §3.
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Most lines of a script that are carried out, so that a loop ends.
const STEPS: usize = 500;

/// Who asks for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// UEFI's HTTP boot (architecture 16 of RFC 5970's registry).
    UefiHttp,
    /// iPXE on a UEFI machine (option 175, architecture 7).
    Ipxe,
    /// The DHCP client of an installed system.
    System,
}

/// What a DHCP reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 2 offer, 5 acknowledge, 6 refuse.
    pub kind: u8,
    /// The address.
    pub address: Ipv4Addr,
    /// Who gave it.
    pub server: Option<Ipv4Addr>,
    /// What to boot: option 67, else the `file` field.
    pub file: Option<String>,
    /// Vendor class: `HTTPClient` in answers to HTTP boot.
    pub class: Option<String>,
}

/// A DISCOVER, or a REQUEST when an offer is given, as it leaves the relay agent.
pub fn dhcp(
    client: Client,
    mac: Mac,
    uuid: Uuid,
    xid: u32,
    relay: Ipv4Addr,
    offer: Option<(Ipv4Addr, Ipv4Addr)>,
) -> Vec<u8> {
    let mut p = vec![0u8; FIXED];
    // BOOTREQUEST over Ethernet, one hop
    p[..4].copy_from_slice(&[1, 1, 6, 1]);
    p[4..8].copy_from_slice(&xid.to_be_bytes());
    p[24..28].copy_from_slice(&relay.octets());
    p[28..34].copy_from_slice(&mac.0);
    p.extend(MAGIC);
    let mut option = |code: u8, value: &[u8]| {
        p.extend([code, value.len() as u8]);
        p.extend(value);
    };
    option(53, &[if offer.is_some() { 3 } else { 1 }]);
    option(55, &[1, 3, 6, 12, 51, 54, 60, 66, 67, 121, 175]);
    option(57, &1472u16.to_be_bytes());
    if let Some((address, server)) = offer {
        option(50, &address.octets());
        option(54, &server.octets());
    }
    let arch: Option<(u16, &str)> = match client {
        Client::UefiHttp => Some((16, "HTTPClient:Arch:00016:UNDI:003016")),
        Client::Ipxe => Some((7, "PXEClient:Arch:00007:UNDI:003016")),
        Client::System => None,
    };
    if let Some((arch, class)) = arch {
        option(60, class.as_bytes());
        option(93, &arch.to_be_bytes());
        option(94, &[1, 3, 16]);
        let mut id = vec![0u8];
        // the first three fields are little-endian on the wire, as in SMBIOS
        id.extend(uuid.to_bytes_le());
        option(97, &id);
    }
    if client == Client::Ipxe {
        option(77, b"iPXE");
        // its features: HTTP (19) and EFI (36)
        option(175, &[19, 1, 1, 36, 1, 1]);
    }
    // relay agent information: RFC 8357's source port, so that the reply comes to this socket and not to port 67
    option(82, &[19, 0]);
    p.push(255);
    p
}

/// Reads a reply, when it is one to `xid`.
pub fn reply(p: &[u8], xid: u32) -> Option<Reply> {
    if p.len() < FIXED + 4 || p[0] != 2 || p[4..8] != xid.to_be_bytes() || p[FIXED..FIXED + 4] != MAGIC {
        return None;
    }
    let address = Ipv4Addr::new(p[16], p[17], p[18], p[19]);
    let mut out = Reply {
        kind: 0,
        address,
        server: None,
        file: text(&p[108..236]),
        class: None,
    };
    let mut rest = &p[FIXED + 4..];
    loop {
        match rest {
            [] | [255, ..] => break,
            [0, tail @ ..] => rest = tail,
            [code, length, tail @ ..] => {
                let value = tail.get(..usize::from(*length))?;
                match (code, value) {
                    (53, [kind]) => out.kind = *kind,
                    (54, &[a, b, c, d]) => out.server = Some(Ipv4Addr::new(a, b, c, d)),
                    (60, value) => out.class = text(value),
                    (67, value) => out.file = text(value),
                    _ => {}
                }
                rest = &tail[value.len()..];
            }
            [_] => return None,
        }
    }
    (out.kind != 0).then_some(out)
}

fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    (end > 0).then(|| String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// What a script wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Start this kernel.
    Kernel {
        /// Its URL.
        kernel: String,
        /// Its command line. May hold a token: not for logs.
        line: String,
        /// What is loaded beside it.
        initrds: Vec<String>,
    },
    /// Go on with another script.
    Chain(String),
    /// Boot the disk.
    Disk,
    /// Back to firmware, which goes on with the next in its order: the disk.
    Exit,
}

/// A script that can't be carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScript {
    /// Not one.
    #[error("it does not begin with #!ipxe")]
    NotAScript,
    /// A loop.
    #[error("it did not come to an end in {STEPS} lines")]
    Endless,
    /// A label that is not there.
    #[error("it has no label {0}")]
    NoLabel(String),
}

/// Carries out a script up to where it boots something. `settings` are iPXE's, such as `net0/mac`.
pub fn script(text: &str, settings: &[(&str, String)]) -> Result<Wanted, BadScript> {
    if !text.starts_with("#!ipxe") {
        return Err(BadScript::NotAScript);
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut set: Vec<(String, String)> = settings.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let (mut kernel, mut initrds): (Option<(String, String)>, Vec<String>) = (None, Vec::new());
    let mut at = 0;
    for _ in 0..STEPS {
        let Some(line) = lines.get(at) else {
            // iPXE starts a kernel that was loaded when its script ends
            return Ok(kernel.map_or(Wanted::Exit, |(kernel, line)| Wanted::Kernel { kernel, line, initrds }));
        };
        at += 1;
        if line.starts_with('#') || line.starts_with(':') || line.is_empty() {
            continue;
        }
        let line = expand(line, &set);
        // `a || b && c`: from left to right, each command looks at how the one before ended
        let mut ok = true;
        let mut join = "&&";
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.push("&&");
        for command in words.split_inclusive(|w| *w == "&&" || *w == "||") {
            let (next, command) = command.split_last().unwrap_or((&"&&", &[]));
            let skip = (join == "&&") != ok;
            join = next;
            let Some((name, arguments)) = command.split_first().filter(|_| !skip) else {
                continue;
            };
            let plain: Vec<&str> = arguments.iter().filter(|a| !a.starts_with("--")).copied().collect();
            let first = plain.first().copied().unwrap_or_default();
            ok = true;
            match *name {
                "kernel" => kernel = Some((first.to_string(), plain.get(1..).unwrap_or_default().join(" "))),
                "initrd" => initrds.push(first.to_string()),
                "boot" => {
                    if let Some((kernel, line)) = kernel.take() {
                        return Ok(Wanted::Kernel { kernel, line, initrds });
                    }
                    return Ok(if first.is_empty() {
                        Wanted::Exit
                    } else {
                        Wanted::Chain(first.to_string())
                    });
                }
                "chain" => return Ok(Wanted::Chain(first.to_string())),
                "sanboot" => return Ok(Wanted::Disk),
                "exit" => return Ok(Wanted::Exit),
                "set" => set.push((first.to_string(), plain.get(1..).unwrap_or_default().join(" "))),
                "isset" => ok = !first.is_empty(),
                "iseq" => ok = plain.len() == 2 && plain[0] == plain[1],
                "goto" => {
                    let label = format!(":{first}");
                    at = lines
                        .iter()
                        .position(|l| *l == label)
                        .ok_or_else(|| BadScript::NoLabel(first.to_string()))?;
                    break;
                }
                "reboot" | "poweroff" => return Ok(Wanted::Exit),
                // echo, sleep, dhcp, ifopen and others change nothing here
                _ => {}
            }
        }
    }
    Err(BadScript::Endless)
}

fn expand(line: &str, set: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        // `uuid`, `net0/mac:hexhyp`: the type after a colon is a way to write it
        let (key, form) = name.split_once(':').unwrap_or((name, ""));
        if let Some((_, value)) = set
            .iter()
            .rev()
            .find(|(k, _)| k == key || k.strip_prefix("net0/") == Some(key))
        {
            out.push_str(&if form == "hexhyp" {
                value.replace(':', "-")
            } else {
                value.clone()
            });
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_script_is_followed_to_what_it_boots() {
        let settings = [("net0/mac", "02:00:00:00:00:01".to_string())];
        let text = "#!ipxe\nset base http://127.0.0.1:1\niseq 1 2 && goto disk ||\nkernel --name k ${base}/k \
                    mac=${mac:hexhyp} busbar.token=x || exit\ninitrd ${base}/i\nboot || goto disk\n:disk\nsanboot --drive 0x80\n";
        assert_eq!(
            script(text, &settings).unwrap(),
            Wanted::Kernel {
                kernel: "k".into(),
                line: "http://127.0.0.1:1/k mac=02-00-00-00-00-01 busbar.token=x".into(),
                initrds: vec!["http://127.0.0.1:1/i".into()]
            }
        );
    }

    #[test]
    fn jumps_ends_and_loops() {
        assert_eq!(
            script("#!ipxe\niseq a a && goto d ||\nexit\n:d\nsanboot", &[]).unwrap(),
            Wanted::Disk
        );
        assert_eq!(script("#!ipxe\n:a\ngoto a", &[]), Err(BadScript::Endless));
        assert_eq!(script("#!ipxe\ngoto b", &[]), Err(BadScript::NoLabel("b".into())));
        assert_eq!(script("<html>", &[]), Err(BadScript::NotAScript));
        assert_eq!(
            script("#!ipxe\nchain http://x/${uuid}", &[]).unwrap(),
            Wanted::Chain("http://x/".into())
        );
    }

    #[test]
    fn a_question_is_well_formed_and_garbage_is_no_reply() {
        let p = dhcp(
            Client::Ipxe,
            Mac([2, 0, 0, 0, 0, 1]),
            Uuid::nil(),
            7,
            Ipv4Addr::LOCALHOST,
            None,
        );
        assert_eq!((p[0], &p[236..240], p.last()), (1, &MAGIC[..], Some(&255)));
        assert_eq!(reply(&p, 7), None, "a question");
        let mut r = p.clone();
        r[0] = 2;
        assert_eq!(reply(&r, 8), None, "another's");
        assert_eq!(reply(&r, 7).unwrap().kind, 1);
        for n in 0..r.len() {
            let _ = reply(&r[..n], 7);
        }
    }
}
