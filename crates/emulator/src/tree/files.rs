//! The files of a tree: which resource lies where, what status it is answered with, and reading what is not quite JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Most files that one tree may have; the largest box measured has 4,680 resources.
const FILES: usize = 100_000;
/// Deepest folder below the root of a tree.
const DEPTH: usize = 40;
/// Largest file that is served.
pub(super) const LARGEST: u64 = 64 << 20;

/// Why a folder is no tree.
#[derive(Debug, thiserror::Error)]
pub enum BadTree {
    /// Nothing to serve.
    #[error("{0} has no redfish/v1/index.json: name the folder that holds `redfish`")]
    NoRoot(PathBuf),
    /// It can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// More than is taken.
    #[error("{path} has more than {FILES} files, or is deeper than {DEPTH} folders: is it the right folder?")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// What lies at one path.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The body.
    pub(super) file: PathBuf,
    /// From `index.status` beside it.
    pub(super) status: Option<u16>,
    /// `index.xml` rather than `index.json`.
    pub(super) xml: bool,
}

/// All paths of a tree. What is asked for is looked up here and never joined to a folder, so no request leaves the tree.
pub(super) type Index = HashMap<String, Entry>;

/// Finds every `index.json` and `index.xml`.
pub(super) fn index(folder: &Path) -> Result<Index, BadTree> {
    let mut found = Index::new();
    let mut open = vec![(folder.join("redfish"), "/redfish".to_owned(), 0)];
    while let Some((at, path, depth)) = open.pop() {
        let listed = match std::fs::read_dir(&at) {
            Ok(listed) => listed,
            Err(_) if depth == 0 => return Err(BadTree::NoRoot(folder.to_owned())),
            Err(source) => return Err(BadTree::Read { path: at, source }),
        };
        for entry in listed {
            let bad = |source| BadTree::Read {
                path: at.clone(),
                source,
            };
            let entry = entry.map_err(bad)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // links are not followed: they could lead out of the tree, or in a circle
            let kind = entry.file_type().map_err(bad)?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{path}/{name}"), depth + 1));
            } else if kind.is_file() && (name == "index.json" || name == "index.xml" && !found.contains_key(&path)) {
                let status = std::fs::read_to_string(at.join("index.status"));
                let status = status.ok().and_then(|s| s.trim().parse().ok());
                let made = Entry {
                    file: entry.path(),
                    status: status.filter(|s| (100..=599).contains(s)),
                    xml: name == "index.xml",
                };
                found.insert(path.clone(), made);
            }
            if found.len() > FILES || depth > DEPTH {
                let path = folder.to_owned();
                return Err(BadTree::TooLarge { path });
            }
        }
    }
    match found.contains_key("/redfish/v1") {
        true => Ok(found),
        false => Err(BadTree::NoRoot(folder.to_owned())),
    }
}

/// A path as the index has it.
pub(super) fn canonical(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/')
}

/// Reads a document. Real boxes put commas before closing brackets: those are forgiven here, and still served as they lie.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body)
        .ok()
        .or_else(|| serde_json::from_str(&without_trailing_commas(&String::from_utf8_lossy(body))).ok())
}

fn without_trailing_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.trim_start_matches('\u{feff}').chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            in_string = true;
        } else if matches!(c, '}' | ']') {
            let kept = out.trim_end().trim_end_matches(',').len();
            out.truncate(kept);
        }
        out.push(c);
    }
    out
}

/// The status of an error body that was captured without one: DMTF's mockup creator keeps such bodies like any other.
pub(super) fn status_of(document: &Value) -> Option<u16> {
    let error = document.get("error").filter(|e| e.is_object())?;
    if document.get("@odata.id").is_some() {
        return None;
    }
    let said = error.to_string();
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    Some(if has(&["ResourceNotFound", "ResourceMissingAtURI"]) {
        404
    } else if has(&["InsufficientPrivilege", "icense"]) {
        403
    } else if has(&["ServiceTemporarilyUnavailable", "ServiceShuttingDown"]) {
        503
    } else if has(&["InternalError", "GeneralError"]) {
        500
    } else {
        400
    })
}
