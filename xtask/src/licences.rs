//! Every dependency's licence, an SPDX expression, must be satisfiable with licences from a list.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cmd, output};

/// What may be linked into an Apache-2.0 binary without a further duty but notice.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // a list of root certificates, as data
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "MPL-2.0+",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// Checks the whole dependency graph of the workspace.
pub fn check() -> Result<()> {
    let metadata = output(cmd("cargo metadata --locked --format-version 1").current_dir(crate::root()))?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading `cargo metadata`")?;
    let packages = metadata["packages"]
        .as_array()
        .context("`cargo metadata` lists no packages")?;
    let refused: Vec<String> = packages
        .iter()
        .filter_map(|package| {
            let licence = package["license"].as_str().unwrap_or("none stated");
            let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
            (!allows(licence)).then(|| format!("  {name}: {licence}"))
        })
        .collect();
    if !refused.is_empty() {
        bail!(
            "licences that are not on the list in xtask/src/licences.rs:\n{}",
            refused.join("\n")
        );
    }
    println!("{} packages, every licence is on the list", packages.len());
    Ok(())
}

/// Whether an SPDX expression (SPDX 2.3, annex D) can be satisfied from [`ALLOWED`]. Cargo's older
/// `A/B` means `A OR B`.
fn allows(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    either(&mut rest) == Some(true) && rest.is_empty()
}

/// `both (OR both)*`; nothing if it does not parse.
fn either(rest: &mut &[&str]) -> Option<bool> {
    let mut holds = both(rest)?;
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        holds |= both(rest)?;
    }
    Some(holds)
}

/// `term (AND term)*`: AND binds closer than OR.
fn both(rest: &mut &[&str]) -> Option<bool> {
    let mut holds = term(rest)?;
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        holds &= term(rest)?;
    }
    Some(holds)
}

/// `( either )`, or one licence with its exception.
fn term(rest: &mut &[&str]) -> Option<bool> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    if *first == "(" {
        let holds = either(rest)?;
        let (close, tail) = rest.split_first()?;
        *rest = tail;
        return (*close == ")").then_some(holds);
    }
    if rest.first() == Some(&"WITH") {
        let exception = rest.get(1)?;
        *rest = &rest[2..];
        return Some(ALLOWED.contains(&format!("{first} WITH {exception}").as_str()));
    }
    Some(ALLOWED.contains(first))
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn an_expression_is_allowed_when_a_choice_from_the_list_satisfies_it() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only AND MIT", false),
            ("MIT OR GPL-2.0-only AND GPL-3.0-only", true),
            ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("none stated", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(allows(expression), expected, "{expression}");
        }
    }
}
