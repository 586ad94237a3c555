//! Quirks as data: what `quirks.toml` says of a box. Code asks for a quirk by its name and never for a maker.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::redfish::json::text;

/// Caps through attributes of the manager, with a switch of their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapAttributes {
    /// Where the attributes are, below the manager.
    pub path: String,
    /// The attribute that says whether the cap holds.
    pub switch: String,
    /// Its value when it does.
    pub on: String,
    /// Its value when it does not.
    pub off: String,
    /// The attribute with the watts.
    pub watts: String,
    /// The attribute with the lowest cap.
    pub lowest: String,
    /// The attribute with the highest cap.
    pub highest: String,
}

/// A limit that is reported although nobody set it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitPlaceholder {
    /// Its watts.
    pub watts: f64,
    /// Its `LimitException`.
    pub exception: String,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quirk {
    #[serde(default = "any")]
    maker: String,
    #[serde(default = "any")]
    model: String,
    #[serde(default = "any")]
    firmware: String,
    cap_attributes: Option<CapAttributes>,
    limit_placeholder: Option<LimitPlaceholder>,
    drives_behind: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    quirk: Vec<Quirk>,
}

fn any() -> String {
    "*".into()
}

static QUIRKS: LazyLock<Vec<Quirk>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("quirks.toml")).expect("quirks.toml is checked by a test");
    file.quirk
});

/// Every quirk of one box; of two entries with the same quirk the later one counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quirks {
    /// Caps through attributes of the manager.
    pub cap_attributes: Option<CapAttributes>,
    /// A limit that nobody set.
    pub limit_placeholder: Option<LimitPlaceholder>,
    /// Links from the system to its drives, one after the other, where the standard's storage shows none.
    pub drives_behind: Option<Vec<String>>,
}

/// The quirks of a box by what it says of itself.
pub fn of(maker: Option<&str>, model: Option<&str>, firmware: Option<&str>) -> Quirks {
    let mut found = Quirks::default();
    let fits = |pattern: &str, value: Option<&str>| pattern == "*" || value.is_some_and(|v| glob(pattern, v));
    for quirk in QUIRKS.iter() {
        if fits(&quirk.maker, maker) && fits(&quirk.model, model) && fits(&quirk.firmware, firmware) {
            found.cap_attributes = quirk.cap_attributes.clone().or(found.cap_attributes);
            found.drives_behind = quirk.drives_behind.clone().or(found.drives_behind);
            found.limit_placeholder = quirk.limit_placeholder.clone().or(found.limit_placeholder);
        }
    }
    found
}

/// The quirks of a system by its document and its manager's firmware.
pub fn of_system(system: &Value, firmware: Option<&str>) -> Quirks {
    let (maker, model) = (text(&system["Manufacturer"]), text(&system["Model"]));
    of(maker.as_deref(), model.as_deref(), firmware)
}

/// Whether `text` fits `pattern`, in which `*` stands for anything. Case does not count.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(end) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(i) => rest = &rest[i + piece.len()..],
            None => return false,
        }
    }
    rest.len() >= end.len() && rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_each_entry_has_a_quirk() {
        assert!(!QUIRKS.is_empty());
        for quirk in QUIRKS.iter() {
            assert!(
                quirk.cap_attributes.is_some() || quirk.limit_placeholder.is_some() || quirk.drives_behind.is_some(),
                "{quirk:?}"
            );
            assert!(
                quirk.maker != "*" || quirk.model != "*",
                "a quirk of every box is no quirk: {quirk:?}"
            );
        }
    }

    #[test]
    fn a_box_has_its_own_quirks_and_no_others() {
        assert!(
            of(Some("Dell Inc."), Some("PowerEdge R750"), None)
                .cap_attributes
                .is_some()
        );
        let megarac = of(Some("GIGABYTE"), None, None).limit_placeholder;
        assert_eq!(megarac.map(|l| l.watts), Some(500.0));
        for maker in ["HP", "HPE", "Hewlett Packard Enterprise"] {
            let behind = of(Some(maker), None, None).drives_behind.unwrap_or_default();
            assert_eq!(behind.last().map(String::as_str), Some("PhysicalDrives"), "{maker}");
        }
        assert_eq!(of(Some("Contoso"), Some("3500"), None), Quirks::default());
        assert_eq!(of(None, None, None), Quirks::default());
    }

    #[test]
    fn globs_are_read_as_people_mean_them() {
        for (pattern, text, fits) in [
            ("dell*", "Dell Inc.", true),
            ("*r750*", "PowerEdge R750xa", true),
            ("6.0*", "6.10.30", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab", "ab", true),
            ("ab", "abc", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
