//! Any body: what serde_json reads is read the same, mending never fails on what it made, and what comes out is bounded.
#![no_main]

use hardware::redfish::json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let ours = json::parse(body);
    if let Ok(strict) = serde_json::from_slice::<Value>(body) {
        assert_eq!(ours.as_ref(), Ok(&strict));
    }
    let Ok(value) = ours else { return };
    let again = json::parse(value.to_string().as_bytes());
    assert!(again.is_ok());
    assert!(json::weight(&value) >= 16);
    if let Some(text) = json::text(&value) {
        assert!(text.chars().count() <= json::TEXT && !text.chars().any(char::is_control));
    }
    assert!(json::number(&value).is_none_or(f64::is_finite));
    if let Some(path) = json::link(&value) {
        assert!(path.starts_with("/redfish") && !path.split(['/', '?']).any(json::leads_up));
        let url: http::Uri = format!("https://bmc.test{path}").parse().expect("a path is one");
        assert_eq!(url.host(), Some("bmc.test"));
    }
});
