//! I4, seen from the wire: nothing is sent to a node that isn't armed, and nothing that is not in the audit log by then.

use std::time::Duration;

use rack::Node;
use tokio::time::Instant;

use super::witness::Witness;

/// An act of the life cycle is over in a minute; what is sent once, on a user's wish, in two. A line of the log that is
/// older is no permit for what is sent now.
const ACT: Duration = Duration::from_secs(61);
const WISH: Duration = Duration::from_secs(121);

/// Where the first PDU answers; the second follows.
const PDUS: [&str; 2] = ["127.10.1.200", "127.10.1.201"];

/// A request leaves for a BMC. What is wrong with it, in words.
pub fn request(witness: &mut Witness, request: &http::Request<bytes::Bytes>) -> Result<(), String> {
    if matches!(*request.method(), http::Method::GET | http::Method::HEAD) {
        return Ok(());
    }
    // A login that was begun while something was armed is ended whenever: an open session is what would be left behind.
    if *request.method() == http::Method::DELETE && request.uri().path().contains("/SessionService/Sessions/") {
        return Ok(());
    }
    witness.catch_up();
    let (path, host) = (request.uri().path(), request.uri().host().unwrap_or_default());
    // An outlet is switched for the sake of the box that it feeds, and a session is opened for any.
    let fed = path
        .split_once("/Outlets/")
        .and_then(|(_, rest)| rest.split('/').next());
    let unit = fed.or_else(|| host.rsplit('.').next()).unwrap_or_default();
    let place = format!("r1/u{unit}");
    let at_pdu = PDUS.contains(&host);
    let meant = |n: &Node| n.place.as_str() == place || (at_pdu && fed.is_none() && !n.outlets.is_empty());
    let world = witness.world();
    if !world.nodes.values().any(|n| n.armed && meant(n)) {
        return Err(format!(
            "{} {path} to {host}, behind which nothing is armed",
            request.method()
        ));
    }
    let Some((what, within)) = permit(path, request.body()) else {
        return Ok(());
    };
    let about = |about: &str| at_pdu && fed.is_none() || about == place;
    if recorded(witness, within, |e| about(&e.about) && e.what.starts_with(what)) {
        return Ok(());
    }
    Err(format!(
        "{} {path} to {host} is not in the audit log as `{what}…`",
        request.method()
    ))
}

/// How the audit log's line about such a request begins, and how old it may be; `None` for what changes nothing.
fn permit(path: &str, body: &[u8]) -> Option<(&'static str, Duration)> {
    let says = |word: &str| body.windows(word.len()).any(|part| part == word.as_bytes());
    Some(match path {
        p if p.contains("/SessionService") => return None,
        p if p.contains("/Outlets/") => ("outlet r1/pdu-", ACT),
        p if p.ends_with("/ComputerSystem.Reset") => ("reset ", ACT),
        p if p.ends_with("/Manager.Reset") => ("reset of the BMC", ACT),
        p if p.contains("/AccountService") => ("new password", WISH),
        p if p.contains("/UpdateService") => ("firmware ", WISH),
        p if p.contains("/Bios") => ("BIOS ", WISH),
        p if p.contains("/Chassis/") && !says("LocationIndicatorActive") => ("cap ", WISH),
        _ if says("LocationIndicatorActive") => ("light ", WISH),
        _ => ("next boot ", ACT),
    })
}

/// A wake-up leaves for the network port with this address.
pub fn wake(witness: &mut Witness, mac: rack::Mac) -> Result<(), String> {
    witness.catch_up();
    let world = witness.world();
    let node = world.nodes.values().find(|n| n.macs().any(|m| m == mac));
    let Some(node) = node.filter(|n| n.armed) else {
        return Err(format!("{mac} is woken, and is of no armed node"));
    };
    let woken = |e: &rack::Event| e.about == node.place.as_str() && e.what.starts_with("reset ");
    if recorded(witness, ACT, woken) {
        return Ok(());
    }
    Err(format!("the wake-up of {} is not in the audit log", node.place))
}

/// Whether the audit log says lately that something like this is done.
fn recorded(witness: &Witness, within: Duration, like: impl Fn(&rack::Event) -> bool) -> bool {
    let now = Instant::now();
    let fresh = witness.audits.iter().rev().take_while(|(at, _)| *at + within >= now);
    fresh.into_iter().any(|(_, event)| like(event))
}
