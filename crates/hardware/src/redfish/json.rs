//! Tolerant reading of JSON: what is there is used, what is odd is left out, and nothing panics.
//!
//! Seen in the field: trailing commas, numbers as strings, `Id: 1`, UUID `"NULL"`, `NaN`, raw control characters.

use serde_json::Value;

/// Longest text taken from a BMC; longer ones are cut, as they end up in tables and logs.
pub const TEXT: usize = 256;

/// Reads a document, mending known breakage when it does not parse. The error is short.
pub fn parse(body: &[u8]) -> Result<Value, String> {
    let strict = match serde_json::from_slice(body) {
        Ok(v) => return Ok(v),
        Err(e) => e,
    };
    serde_json::from_str(&mend(&String::from_utf8_lossy(body))).map_err(|_| format!("not JSON: {strict}"))
}

/// Drops a byte order mark and trailing commas, escapes control characters in strings, turns `NaN` and infinities
/// into null.
fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    let mut word = String::new();
    for c in text.trim_start_matches('\u{feff}').chars() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            if c.is_control() {
                out.push_str(&format!("\\u{:04x}", c as u32));
            } else {
                out.push(c);
            }
            continue;
        }
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.') {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut out);
        match c {
            '"' => in_string = true,
            '}' | ']' => {
                let kept = out.trim_end().trim_end_matches(',').len();
                out.truncate(kept);
            }
            _ => {}
        }
        out.push(c);
    }
    flush(&mut word, &mut out);
    out
}

fn flush(word: &mut String, out: &mut String) {
    let bare = word.trim_start_matches(['-', '+']);
    if ["nan", "inf", "infinity", "none", "undefined"].contains(&bare.to_ascii_lowercase().as_str()) {
        out.push_str("null");
    } else {
        out.push_str(word);
    }
    word.clear();
}

/// The value at `path`, whose steps are separated by `/`; null when a step is missing.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/')
        .fold(value, |v, step| v.get(step).unwrap_or(&Value::Null))
}

/// A text that says something: trimmed, without control characters, at most [`TEXT`] long. A number counts as text.
pub fn text(value: &Value) -> Option<String> {
    let raw = match value {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        _ => return None,
    };
    let clean: String = raw.trim().chars().filter(|c| !c.is_control()).take(TEXT).collect();
    (!EMPTY.contains(&clean.to_ascii_lowercase().as_str())).then_some(clean)
}

/// What firmware writes where it has nothing to say, in lower case.
const EMPTY: [&str; 19] = [
    "",
    "null",
    "n/a",
    "na",
    "none",
    "unknown",
    "undefined",
    "unspecified",
    "not available",
    "not applicable",
    "not present",
    "not specified",
    "version not available",
    "to be filled by o.e.m.",
    "to be filled by oem",
    "default string",
    "system serial number",
    "chassis serial number",
    "base board serial number",
];

/// A serial number that can tell two pieces apart: no row of one digit, and not the counting that board makers leave
/// for the box's maker to overwrite.
pub fn serial(value: &Value) -> Option<String> {
    let told = text(value)?;
    let lower = told.to_ascii_lowercase();
    let first = lower.bytes().find(u8::is_ascii_alphanumeric)?;
    let one_digit = lower.bytes().filter(u8::is_ascii_alphanumeric).all(|b| b == first);
    let counting = ["0123456789", "1234567890"].iter().any(|c| lower.starts_with(c));
    let short = lower.len() < 2;
    (!(counting || one_digit && !short)).then_some(told)
}

/// A UUID in lower case; none when it is one that boxes share: all of one digit, or the sample of a BIOS vendor.
pub fn uuid(value: &Value) -> Option<String> {
    const SAMPLE: &str = "03000200-0400-0500-0006-000700080009";
    serial(value).map(|u| u.to_ascii_lowercase()).filter(|u| u != SAMPLE)
}

/// A finite number, also when written as a string with or without a unit behind it (`"412"`, `"412 W"`).
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.split_whitespace().next()?.parse().ok(),
        _ => None,
    }
    .filter(|n: &f64| n.is_finite())
}

/// A number of things: not negative, whole after rounding.
pub fn count(value: &Value) -> Option<u64> {
    number(value)
        .filter(|n| (0.0..1.8e19).contains(n))
        .map(|n| n.round() as u64)
}

/// A truth value, also when written as a string.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
        Value::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The elements of an array; none when it is not one.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The elements of an array, or the one value that stands in its place.
pub fn several(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        Value::Object(_) | Value::String(_) => std::slice::from_ref(value),
        _ => &[],
    }
}

/// Where the service links to under `name`: among `Links`, which was `links` before Redfish 1.0.
pub fn links<'a>(doc: &'a Value, name: &str) -> &'a [Value] {
    ["Links", "links"]
        .iter()
        .map(|l| several(&doc[*l][name]))
        .find(|l| !l.is_empty())
        .unwrap_or_default()
}

/// The path that `name` leads to: the property itself, else one link, else one that a maker adds. A list of links
/// leads to many places and to none.
pub fn leads(doc: &Value, name: &str) -> Option<String> {
    let makers = || doc["Oem"].as_object().into_iter().flat_map(|o| o.values());
    let one = |d: &Value| {
        ["Links", "links"]
            .iter()
            .map(|l| &d[*l][name])
            .find(|v| v.is_object())
            .and_then(link)
    };
    link(at(doc, name))
        .or_else(|| one(doc))
        .or_else(|| makers().find_map(one))
}

/// The texts in an array.
pub fn texts(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// The path that a link leads to, without fragment and trailing slash: always starts with `/redfish`, so that a
/// hostile answer can't send a request (and its credential) anywhere else.
pub fn link(value: &Value) -> Option<String> {
    let raw = match value {
        Value::String(s) => s.as_str(),
        Value::Object(o) => o.get("@odata.id").or_else(|| o.get("href"))?.as_str()?,
        _ => return None,
    };
    path(raw)
}

/// Checks a path given by a BMC; the query is kept, as `@odata.nextLink` needs it (DSP0266 §7.6).
pub fn path(raw: &str) -> Option<String> {
    const LONGEST: usize = 1024;
    let raw = raw.split('#').next()?.trim();
    let fits = raw.len() <= LONGEST
        && (raw.starts_with("/redfish/") || raw == "/redfish")
        && !raw.split(['/', '?']).any(|s| s == "..")
        && raw.bytes().all(|b| {
            b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        });
    fits.then(|| raw.trim_end_matches('/').to_owned())
}

/// Last step of a path.
pub fn last(path: &str) -> &str {
    path.split('?')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn known_breakage_is_mended() {
        assert_eq!(
            parse(b"{\"a\":[1,2,],\"b\":{\"c\":1,},}").unwrap(),
            json!({"a":[1,2],"b":{"c":1}})
        );
        assert_eq!(
            parse(b"\xef\xbb\xbf{\"a\":NaN,\"b\":-inf}").unwrap(),
            json!({"a":null,"b":null})
        );
        assert_eq!(parse(b"{\"a\":\"x\ny,}\"}").unwrap(), json!({"a":"x\ny,}"}));
        assert!(parse(b"{\"a\":").is_err());
        assert!(parse(b"<html>").is_err());
    }

    #[test]
    fn a_deep_document_is_refused_and_not_recursed_into() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn odd_values_are_read_or_left_out() {
        assert_eq!(text(&json!("NULL")), None);
        assert_eq!(text(&json!(1)), Some("1".into()));
        assert_eq!(number(&json!("412 W")), Some(412.0));
        assert_eq!(number(&json!("1e999")), None);
        assert_eq!(count(&json!(-1)), None);
        assert_eq!(truth(&json!("True")), Some(true));
    }

    #[test]
    fn what_two_boxes_share_tells_nobody_apart() {
        for shared in [
            "0123456789",
            "01234567890123456789AB",
            "00000000000000",
            "XXXXXXXX",
            "System Serial Number",
        ] {
            assert_eq!(serial(&json!(shared)), None, "{shared}");
        }
        assert_eq!(serial(&json!("S889914X3710910")).as_deref(), Some("S889914X3710910"));
        for shared in [
            "00000000-0000-0000-0000-000000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "03000200-0400-0500-0006-000700080009",
        ] {
            assert_eq!(uuid(&json!(shared)), None, "{shared}");
        }
    }

    #[test]
    fn a_link_is_found_where_old_services_and_makers_put_it() {
        let old = json!({"links": {"Chassis": [{"href": "/redfish/v1/Chassis/1"}]},
            "Oem": {"A": {"links": {"Memory": {"href": "/redfish/v1/Systems/1/Memory"}}}}});
        assert_eq!(links(&old, "Chassis").len(), 1);
        assert_eq!(leads(&old, "Memory").as_deref(), Some("/redfish/v1/Systems/1/Memory"));
    }

    #[test]
    fn a_link_never_leaves_the_service() {
        for bad in [
            "http://evil/redfish/v1",
            "//evil/redfish",
            "/redfish/../x",
            "/other",
            "/redfish/v1\r\nX: y",
            "/redfish/a b",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
        assert_eq!(
            link(&json!({"@odata.id": "/redfish/v1/Systems/1/#/Fans/0"})),
            Some("/redfish/v1/Systems/1".into())
        );
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn mending_never_changes_what_was_good(keys in proptest::collection::vec("[ -~]{0,12}", 0..6), n in any::<i32>()) {
            let mut map = serde_json::Map::new();
            for k in &keys { map.insert(k.clone(), json!([n, k, {"x": k}])); }
            let good = Value::Object(map);
            let mended: Value = serde_json::from_str(&mend(&good.to_string())).unwrap();
            prop_assert_eq!(mended, good);
        }

        #[test]
        fn a_trailing_comma_costs_nothing(items in proptest::collection::vec("[a-z,\\]}]{0,8}", 1..6)) {
            let inner: Vec<String> = items.iter().map(|i| format!("{i:?}")).collect();
            let broken = format!("{{\"a\": [{},\n ] ,\n}}", inner.join(","));
            prop_assert_eq!(parse(broken.as_bytes()).unwrap(), json!({"a": items}));
        }
    }
}
