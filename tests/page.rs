//! What the console stands on, asked of a real daemon: the link logs in, the rack is drawn as it is and as it was, and no
//! secret is in a log.

#![allow(clippy::unwrap_used)]

mod common;

use common::Rack;
use serde_json::Value;

const FAST: f64 = 20.0;

fn elevation(rack: &Rack, query: &str) -> Value {
    let answer = rack.api(
        "GET",
        &format!("/v1/racks/r1/elevation?{query}"),
        Some(&rack.token()),
        Vec::new(),
    );
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

fn number(drawn: &Value, place: &str) -> Option<f64> {
    let boxes = drawn["boxes"].as_array().unwrap();
    boxes.iter().find(|b| b["place"] == place).unwrap()["value"]["number"].as_f64()
}

#[test]
fn a_rack_is_drawn_as_it_is_and_as_it_was() {
    let rack = Rack::start(3, FAST);
    rack.until("every box is read", || {
        let drawn = elevation(&rack, "by=power");
        drawn["totals"]["unknown"] == 0 && drawn["boxes"].as_array().unwrap().len() == 4
    });
    let idle = number(&elevation(&rack, "by=power"), "r1/u1").unwrap();
    let before = elevation(&rack, "by=power")["at"].as_str().unwrap().to_owned();
    rack.busbar("run demo --name web-1 --on r1/u1").ok();
    rack.until("the machine draws more", || {
        number(&elevation(&rack, "by=power"), "r1/u1").is_some_and(|w| w > 5.0 * idle)
    });
    let now = elevation(&rack, "by=use");
    let first = &now["boxes"][0];
    assert_eq!(
        (&first["place"], &first["machine"], &first["state"]),
        (&"r1/u1".into(), &"web-1".into(), &"running".into())
    );
    assert_eq!(
        (&first["value"]["class"], &first["value"]["text"]),
        (&"used".into(), &"web-1".into())
    );
    // every server hangs on both PDUs, and they say so
    let flanks = now["flanks"].as_array().unwrap();
    assert_eq!(flanks.len(), 2);
    assert!(
        flanks
            .iter()
            .all(|f| f["outlets"].as_array().unwrap().iter().any(|o| o["feeds"] == "r1/u1"))
    );
    let gpus = now["boxes"][3]["cells"].as_array().unwrap();
    assert_eq!((gpus.len(), &gpus[0]["kind"]), (8, &"gpu".into()));

    let then = elevation(&rack, &format!("by=power&at={before}"));
    assert_eq!(then["past"], true);
    let was = number(&then, "r1/u1").unwrap();
    assert!(was < 2.0 * idle, "{was} W then, {idle} W read then");
    assert_eq!(
        number(&elevation(&rack, "by=power&at=23h"), "r1/u1"),
        None,
        "before anything was read"
    );

    let racks = rack.api("GET", "/v1/racks", Some(&rack.token()), Vec::new());
    let racks: Value = serde_json::from_str(&racks.body).unwrap();
    assert_eq!(
        (&racks[0]["name"], &racks[0]["emulated"], &racks[0]["nodes"]),
        (&"r1".into(), &true.into(), &4.into())
    );
}

#[test]
fn the_link_logs_in_and_its_token_is_in_no_log_and_no_greeting() {
    let rack = Rack::start(1, FAST);
    let link = rack.busbar("token show-context --link").ok().out;
    let (url, token) = link.trim().split_once("/login?token=").unwrap();
    assert_eq!(token, rack.token());
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let answer = rack.api("GET", &format!("/login?token={token}"), None, Vec::new());
    assert_eq!(answer.status, 303, "{answer:?}");
    let answer = rack.api("GET", "/login?token=busbar_wrong", None, Vec::new());
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!rack.greeting().contains(token) && rack.greeting().contains("busbar token show-context --link"));
    assert!(!rack.log().contains(token), "the log has the token");
    assert!(!rack.log().contains("busbar_wrong"), "nor has it what was tried");
    let none = rack.as_token("", "token show-context --link");
    assert_eq!(none.code, 8, "{none:?}");
}
