//! Any document that was captured: redaction ends, and the secret that was put into it is gone.
#![no_main]

use hardware::redfish::capture::redact;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let _ = redact::alone(body.to_vec(), [1; 32]);
    let Ok(mut document) = serde_json::from_slice::<Value>(body) else { return };
    if redact::without_secrets(&mut document) {
        assert!(!redact::without_secrets(&mut document), "what is empty is no secret");
    }
    let whole = json!({"Password": "Hunter2-Secret", "SerialNumber": "J900ABCDEF", "Told": document,
        "Text": "the box J900ABCDEF stands here"});
    let told = String::from_utf8(redact::alone(whole.to_string().into_bytes(), [1; 32])).expect("text");
    let given = |word: &str| document.to_string().contains(word);
    assert!(given("Hunter2") || !told.contains("Hunter2-Secret"));
    assert!(given("J900ABCDEF") || !told.contains("J900ABCDEF"));
    assert!(serde_json::from_str::<Value>(&told).is_ok());
});
