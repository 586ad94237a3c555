//! Tolerant reading of JSON: what is there is used, what is odd is left out, and nothing panics.
//!
//! Seen in the field: trailing commas, numbers as strings, `Id: 1`, UUID `"NULL"`, `NaN`, raw control characters.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Longest text taken from a BMC; longer ones are cut, as they end up in tables and logs.
pub const TEXT: usize = 256;

/// Elements kept of one array; the rest is passed over unread. The longest measured, of a metric report, has 2,880, and
/// every caller takes fewer.
pub const ELEMENTS: usize = 16_384;
/// Values of one document; the most measured are 22,605. A few bytes of text can cost a hundred times as much memory.
pub const VALUES: usize = 200_000;

/// Reads a document, mending known breakage when it does not parse. The error is short. Bounded by [`ELEMENTS`] and
/// [`VALUES`]; of a name that is there twice, the last value counts.
pub fn parse(body: &[u8]) -> Result<Value, String> {
    within(body, ELEMENTS, VALUES)
}

/// The same with nothing left out: for what is written again, where what was not read would stand as it was. One document
/// takes up to a hundred times its size in memory.
pub fn parse_whole(body: &[u8]) -> Result<Value, String> {
    within(body, usize::MAX, usize::MAX)
}

fn within(body: &[u8], elements: usize, values: usize) -> Result<Value, String> {
    let read = |body: &[u8]| read(body, elements, values);
    let strict = match read(body) {
        Ok(v) => return Ok(v),
        Err(e) => e.to_string(),
    };
    if strict.starts_with(FLOOD) {
        return Err(format!("more than {VALUES} values in one document"));
    }
    read(mend(&String::from_utf8_lossy(body)).as_bytes()).map_err(|_| format!("not JSON: {strict}"))
}

/// What the parser says of a document with too many values.
const FLOOD: &str = "too many values";

fn read(body: &[u8], elements: usize, values: usize) -> Result<Value, serde_json::Error> {
    let left = Cell::new(values);
    let mut from = serde_json::Deserializer::from_slice(body);
    let value = Bounded { left: &left, elements }.deserialize(&mut from)?;
    from.end()?;
    Ok(value)
}

/// Makes a [`Value`] as serde_json does, within bounds. Depth is bounded by serde_json itself (128).
#[derive(Clone, Copy)]
struct Bounded<'a> {
    /// Values that may still come.
    left: &'a Cell<usize>,
    /// Elements kept of an array.
    elements: usize,
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom(FLOOD))?;
        self.left.set(left);
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while out.len() < self.elements {
            match from.next_element_seed(self)? {
                Some(v) => out.push(v),
                None => return Ok(Value::Array(out)),
            }
        }
        while from.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut out = serde_json::Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(self)?;
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}

/// About how much memory a document takes, in bytes.
pub fn weight(value: &Value) -> usize {
    /// What a map takes before its second handful of entries.
    const MAP: usize = 640;
    let own = std::mem::size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => own,
        Value::String(s) => own + s.len(),
        Value::Array(items) => own + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => own + MAP + map.iter().map(|(k, v)| k.len() + 24 + weight(v)).sum::<usize>(),
    }
}

/// Drops a byte order mark and trailing commas, escapes control characters in strings, turns `NaN`, infinities and
/// numbers that no computer holds into null, and what is no escape into what it says.
fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut word = String::new();
    let mut chars = text.trim_start_matches('\u{feff}').chars();
    while let Some(c) = chars.next() {
        if in_string {
            match c {
                '\\' => escape(&mut chars, &mut out),
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => {
                    in_string = c != '"';
                    out.push(c);
                }
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

/// What follows a backslash: as it is when JSON has it; half of a surrogate pair is a replacement character.
fn escape(chars: &mut std::str::Chars<'_>, out: &mut String) {
    let unit = |rest: &str| {
        let digits = rest.strip_prefix('u')?.get(..4)?;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let rest = chars.as_str();
    let taken = match rest.bytes().next() {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
        Some(b'u') => match unit(rest) {
            Some(0xd800..=0xdbff) => {
                let low = rest[5..].strip_prefix('\\').and_then(unit);
                if low.is_some_and(|l| (0xdc00..=0xdfff).contains(&l)) {
                    11
                } else {
                    0
                }
            }
            Some(0xdc00..=0xdfff) | None => 0,
            Some(_) => 5,
        },
        _ => 0,
    };
    let (kept, after) = rest.split_at(taken);
    if taken > 0 {
        out.push('\\');
        out.push_str(kept);
        *chars = after.chars();
    } else if unit(rest).is_some() {
        out.push('\u{fffd}');
        *chars = rest[5..].chars();
    } else {
        out.push_str("\\\\");
    }
}

fn flush(word: &mut String, out: &mut String) {
    let bare = word.trim_start_matches(['-', '+']);
    let nothing = ["nan", "inf", "infinity", "none", "undefined"].contains(&bare.to_ascii_lowercase().as_str());
    let number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match word.parse::<f64>() {
        _ if nothing => out.push_str("null"),
        Ok(n) if number && !n.is_finite() => out.push_str("null"),
        // `+5`, `007`, `.5`, `5.`
        Ok(n) if number && serde_json::from_str::<serde_json::Number>(word).is_err() => out.push_str(&format!("{n:?}")),
        _ if word.as_str() == "True" || word.as_str() == "False" => out.push_str(&word.to_ascii_lowercase()),
        _ => out.push_str(word),
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
        && !raw.split(['/', '?']).any(leads_up)
        && raw.bytes().all(|b| {
            b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        });
    fits.then(|| raw.trim_end_matches('/').to_owned())
}

/// Whether a step leads to the folder above, also written in per cents (WHATWG URL, double-dot path segment).
pub fn leads_up(step: &str) -> bool {
    ["..", ".%2e", "%2e.", "%2e%2e"]
        .iter()
        .any(|up| step.eq_ignore_ascii_case(up))
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
        assert_eq!(
            parse(b"{\"a\":1e999,\"b\":-1e400,\"c\":+5,\"d\":007,\"e\":.5,\"f\":True,}").unwrap(),
            json!({"a":null,"b":null,"c":5.0,"d":7.0,"e":0.5,"f":true})
        );
        assert_eq!(
            parse(br#"{"a":"C:\x\\y\ud800z\ud83d\ude00\u00e9\q\u12","b":"\udc00"}"#).unwrap(),
            json!({"a":"C:\\x\\y\u{fffd}z\u{1f600}\u{e9}\\q\\u12","b":"\u{fffd}"})
        );
        assert_eq!(
            parse(b"{\"a\":\"x\xff\xfey\"}").unwrap(),
            json!({"a":"x\u{fffd}\u{fffd}y"})
        );
        assert_eq!(parse(b"{\"a\":1,\"a\":2}").unwrap(), json!({"a":2}));
        assert!(parse(b"{\"a\":").is_err());
        assert!(parse(b"<html>").is_err());
    }

    #[test]
    fn a_deep_document_is_refused_and_not_recursed_into() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_flood_of_values_is_cut_or_refused() {
        let long = format!("{{\"a\":[{}1],\"b\":7}}", "0,".repeat(1_000_000));
        let read = parse(long.as_bytes()).unwrap();
        assert_eq!((list(&read["a"]).len(), &read["b"]), (ELEMENTS, &json!(7)));
        let wide = format!("{{\"x\":0{}}}", ",\"\":{\"\":0}".repeat(VALUES));
        assert!(parse(wide.as_bytes()).unwrap_err().contains("more than"));
        assert!(weight(&read) > ELEMENTS * 16 && weight(&json!({"a": {}})) > 1280);
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
            "/redfish/%2e%2E/x",
            "/redfish/.%2e",
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
        fn what_serde_json_reads_is_read_the_same(text in r#"[\[\]{}",:\\u0-9a-fdDtrue. eE+-]{0,24}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(text.as_bytes()), Ok(value));
            }
            let _ = parse(text.as_bytes());
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
