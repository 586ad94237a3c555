//! How a client finds its daemon: one file, written by `busbar up` at first start, readable by its owner only.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rack::Place;
use serde::{Deserialize, Serialize};

/// Where the daemon answers, and what it is shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct Context {
    /// `https://127.0.0.1:7400`
    pub url: String,
    /// The bearer token.
    pub token: String,
    /// The only certificate authority that is trusted, as PEM.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// Where logins to machines answer that no client can reach itself, by the node's place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logins: BTreeMap<Place, SocketAddr>,
}

impl Context {
    /// `$BUSBAR_CONTEXT`; else the state folder's, when one is named and has it; else `~/.config/busbar/context.json`.
    pub fn path() -> PathBuf {
        if let Some(path) = std::env::var_os("BUSBAR_CONTEXT") {
            return path.into();
        }
        if let Some(state) = std::env::var_os("BUSBAR_STATE") {
            let path = Path::new(&state).join("context.json");
            if path.exists() {
                return path;
            }
        }
        let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
        let config =
            std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| Path::new(&home).join(".config"), PathBuf::from);
        config.join("busbar/context.json")
    }

    /// Reads the file; `None` when there is none.
    pub fn load(path: &Path) -> Result<Option<Context>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let context = serde_json::from_str(&text);
        Ok(Some(context.with_context(|| {
            format!(
                "{} can't be read; `busbar up` writes it anew once it is removed",
                path.display()
            )
        })?))
    }

    /// Writes the file, mode 0600, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let doing = || format!("writing {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(doing)?;
        }
        let new = path.with_extension(format!("new{}", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .with_context(doing)?;
        file.write_all(&serde_json::to_vec_pretty(self)?).with_context(doing)?;
        file.sync_all().with_context(doing)?;
        fs::rename(&new, path).with_context(doing)
    }
}

/// The link that logs a browser in to the console of the daemon at `url`.
pub fn link(url: &str, token: &str) -> Result<String> {
    let link = reqwest::Url::parse_with_params(&format!("{url}/login"), [("token", token)]);
    Ok(link
        .with_context(|| format!("{url} is not the address of a daemon"))?
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_context_is_read_again_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/context.json");
        let context = Context {
            url: "u".into(),
            token: "t".into(),
            ca_pem: None,
            logins: BTreeMap::new(),
        };
        context.save(&path).expect("saved");
        assert_eq!(Context::load(&path).expect("read").expect("there").token, "t");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_holds_the_token_whatever_is_in_it() {
        let made = link("https://127.0.0.1:7400", "busbar_a-b").expect("a link");
        assert_eq!(made, "https://127.0.0.1:7400/login?token=busbar_a-b");
        assert_eq!(
            link("https://h", "a&b=c d").expect("a link"),
            "https://h/login?token=a%26b%3Dc+d"
        );
        assert!(link("nowhere", "t").is_err());
    }
}
