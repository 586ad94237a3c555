//! `--where`: a small language over what nodes and other boxes are: `health!=ok and (gpu>=4 or maker~dell)`.
//!
//! `=` `!=` `<` `<=` `>` `>=` compare, `~` and `!~` look for a text within; `and`, `or`, `not` and parentheses join; a
//! bare field asks whether it is there, and true. Sizes are written `256G`; versions are compared number by number, so
//! that `6.9` comes before `6.10`. What a box does not tell equals nothing. [`parse()`] makes an [`Expr`], or says at which
//! column it stopped understanding; [`fields`] says what boxes have.

pub mod fields;
mod parse;

use std::cmp::Ordering;

pub use parse::{Mistake, parse};

/// What is asked of a box.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// One or both.
    Or(Box<Expr>, Box<Expr>),
    /// Not so.
    Not(Box<Expr>),
    /// One field compared.
    Compare {
        /// Its name, in lower case.
        field: String,
        /// Column of the name, from 1.
        column: usize,
        /// How.
        how: How,
        /// With what.
        value: String,
    },
    /// The field is there, and is not false, 0 or empty.
    Has {
        /// Its name, in lower case.
        field: String,
        /// Column of the name, from 1.
        column: usize,
    },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `=`
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `~`
    Holds,
    /// `!~`
    Lacks,
}

/// A field as it is named: its name, its column, and how and with what it is compared.
pub type Named<'a> = (&'a str, usize, Option<(How, &'a str)>);

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Words, compared without regard to case; with `<` as versions.
    Text(String),
    /// A count or a reading.
    Number(f64),
    /// Bytes.
    Size(u64),
    /// Yes or no.
    Flag(bool),
    /// Several: one that fits is enough.
    Many(Vec<Field>),
}

impl Expr {
    /// Whether a box is meant. `look` tells its fields.
    pub fn matches(&self, look: &impl Fn(&str) -> Option<Field>) -> bool {
        match self {
            Expr::And(a, b) => a.matches(look) && b.matches(look),
            Expr::Or(a, b) => a.matches(look) || b.matches(look),
            Expr::Not(a) => !a.matches(look),
            Expr::Has { field, .. } => look(field).is_some_and(|f| f.is_something()),
            Expr::Compare { field, how, value, .. } => match (look(field), how) {
                (Some(found), How::Differs) => !found.compares(How::Equal, value),
                (Some(found), How::Lacks) => !found.compares(How::Holds, value),
                (Some(found), how) => found.compares(*how, value),
                (None, how) => matches!(how, How::Differs | How::Lacks),
            },
        }
    }

    /// Every field that is named, with its column, the way it is compared and the value.
    pub fn fields(&self) -> Vec<Named<'_>> {
        match self {
            Expr::And(a, b) | Expr::Or(a, b) => {
                let mut all = a.fields();
                all.extend(b.fields());
                all
            }
            Expr::Not(a) => a.fields(),
            Expr::Has { field, column } => vec![(field, *column, None)],
            Expr::Compare {
                field,
                column,
                how,
                value,
            } => vec![(field, *column, Some((*how, value)))],
        }
    }
}

impl Field {
    fn is_something(&self) -> bool {
        match self {
            Field::Text(t) => !t.is_empty(),
            Field::Number(n) => *n != 0.0,
            Field::Size(n) => *n != 0,
            Field::Flag(f) => *f,
            Field::Many(all) => all.iter().any(Field::is_something),
        }
    }

    fn compares(&self, how: How, value: &str) -> bool {
        let lower = value.to_ascii_lowercase();
        let order = match self {
            Field::Many(all) => return all.iter().any(|f| f.compares(how, value)),
            Field::Text(t) if how == How::Holds => return t.to_ascii_lowercase().contains(&lower),
            Field::Text(t) => Some(versions(&t.to_ascii_lowercase(), &lower)),
            Field::Number(n) if how == How::Holds => return n.to_string().contains(&lower),
            Field::Number(n) => number(value).and_then(|v| n.partial_cmp(&v)),
            Field::Size(n) => size(value).map(|v| n.cmp(&v)),
            Field::Flag(f) => flag(&lower).map(|v| f.cmp(&v)),
        };
        let Some(order) = order else { return false };
        match how {
            How::Equal | How::Holds => order == Ordering::Equal,
            How::Differs | How::Lacks => order != Ordering::Equal,
            How::Less => order == Ordering::Less,
            How::AtMost => order != Ordering::Greater,
            How::More => order == Ordering::Greater,
            How::AtLeast => order != Ordering::Less,
        }
    }
}

/// A number, with or without its unit: `400`, `400W`, `21.5`.
pub fn number(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c))
        .unwrap_or(text.len());
    let unit = text[end..].to_ascii_lowercase();
    let known = ["", "w", "a", "v", "c", "°c", "%", "rpm", "kpa", "l/min", "kwh", "mbps"];
    text[..end].parse().ok().filter(|_| known.contains(&unit.as_str()))
}

/// Bytes: `256G`, `2TB`, `1024`.
pub fn size(text: &str) -> Option<u64> {
    text.parse::<rack::Bytes>().ok().map(|b| b.0)
}

/// Yes or no.
pub fn flag(text: &str) -> Option<bool> {
    match text {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Compares texts as versions: runs of digits as numbers, all else as letters.
pub fn versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.chars().next(), b.chars().next()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let run = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
                let ((left, rest_a), (right, rest_b)) = (a.split_at(run(a)), b.split_at(run(b)));
                let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) => {
                if x != y {
                    return x.cmp(&y);
                }
                (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
