//! Units as types, so that watts are never added to degrees.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! float_unit {
    ($(#[$doc:meta])* $name:ident, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:.0}{}", self.0, $symbol)
            }
        }

        impl std::ops::Add for $name {
            type Output = $name;
            fn add(self, other: $name) -> $name {
                $name(self.0 + other.0)
            }
        }

        impl std::ops::Sub for $name {
            type Output = $name;
            fn sub(self, other: $name) -> $name {
                $name(self.0 - other.0)
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = $name>>(iter: I) -> $name {
                $name(iter.map(|v| v.0).sum())
            }
        }
    };
}

float_unit!(
    /// Power in watts.
    Watts,
    " W"
);
float_unit!(
    /// Temperature in degrees Celsius.
    Celsius,
    "°C"
);

/// A size in bytes. Parsed with binary suffixes for `KiB MiB GiB TiB` and for the short `K M G T` that people type
/// for memory, and with decimal ones for `KB MB GB TB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` gibibytes.
    pub const fn gib(n: u64) -> Bytes {
        Bytes(n << 30)
    }

    /// As people read disk sizes and transfers: decimal, three significant digits.
    pub fn decimal(self) -> String {
        scaled(self.0, 1000.0, ["B", "kB", "MB", "GB", "TB", "PB"])
    }
}

impl fmt::Display for Bytes {
    /// As people read memory sizes: binary, short suffix (`256G`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&scaled(self.0, 1024.0, ["B", "K", "M", "G", "T", "P"]).replace(' ', ""))
    }
}

fn scaled(bytes: u64, base: f64, units: [&str; 6]) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit < units.len() - 1 {
        value /= base;
        unit += 1;
    }
    if value >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// A size that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a number and a unit, such as 512M, 64GiB or 2TB")]
pub struct BadBytes(pub String);

impl FromStr for Bytes {
    type Err = BadBytes;

    fn from_str(s: &str) -> Result<Self, BadBytes> {
        let bad = || BadBytes(s.chars().take(40).collect());
        let text = s.trim();
        let split = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let number: f64 = text[..split].parse().map_err(|_| bad())?;
        let factor: u64 = match text[split..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return Err(bad()),
        };
        let value = number * factor as f64;
        if !value.is_finite() || value >= u64::MAX as f64 {
            return Err(bad());
        }
        Ok(Bytes(value as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_type_them() {
        for (text, want) in [
            ("512G", 512u64 << 30),
            ("1.5 GiB", 3 << 29),
            ("2TB", 2_000_000_000_000),
            ("4096", 4096),
            ("64k", 65_536),
        ] {
            assert_eq!(text.parse::<Bytes>(), Ok(Bytes(want)), "{text}");
        }
        for text in ["", "G", "-1G", "1X", "1e400", "99999999999999T", "1.2.3M"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_short() {
        assert_eq!(Bytes::gib(256).to_string(), "256G");
        assert_eq!(Bytes(173_000_000).decimal(), "173 MB");
        assert_eq!(Bytes(1_500).decimal(), "1.5 kB");
        assert_eq!(Bytes(0).to_string(), "0B");
    }
}
