//! The folder that a capture is written to.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::CaptureError;

/// Longest name of one folder, as file systems have it.
const NAME: usize = 255;
/// Most steps in one path.
const STEPS: usize = 40;

/// A folder of answers.
pub(super) struct Store {
    folder: PathBuf,
}

/// The folder of a resource below `folder`; `None` for a path that can't be one. What a service says is never joined
/// unchecked: each step is a plain name.
pub(super) fn place(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut at = folder.to_owned();
    let steps: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    if steps.len() > STEPS || steps.first() != Some(&"redfish") {
        return None;
    }
    for step in steps {
        let clash = matches!(step, "." | ".." | "index.json" | "index.xml" | "index.status");
        if clash || step.len() > NAME || step.contains(['\\', '\0']) {
            return None;
        }
        at.push(step);
    }
    Some(at)
}

/// Writes a file whole or not at all.
pub(super) fn put(path: &Path, body: &[u8]) -> Result<(), CaptureError> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(body)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|source| CaptureError::Write {
        path: path.to_owned(),
        source,
    })
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Store, CaptureError> {
        use std::os::unix::fs::DirBuilderExt as _;
        // a capture tells serials and addresses: it is nobody else's to read
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| CaptureError::Write {
                path: folder.to_owned(),
                source,
            })?;
        Ok(Store {
            folder: folder.to_owned(),
        })
    }

    /// Status and body of what an earlier run has kept.
    pub(super) fn read(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let at = place(&self.folder, path)?;
        let body = std::fs::read(at.join("index.json")).or_else(|_| std::fs::read(at.join("index.xml")));
        let status = std::fs::read_to_string(at.join("index.status"));
        let status = status.ok().and_then(|s| s.trim().parse().ok()).unwrap_or(200);
        Some((status, body.ok()?))
    }

    /// Keeps an answer; false when its path can't be the name of a file.
    pub(super) fn write(&self, path: &str, status: u16, xml: bool, body: &[u8]) -> Result<bool, CaptureError> {
        let Some(at) = place(&self.folder, path) else {
            return Ok(false);
        };
        // the status first: a body without it would count as a success
        if status != 200 {
            put(&at.join("index.status"), format!("{status}\n").as_bytes())?;
        }
        put(&at.join(if xml { "index.xml" } else { "index.json" }), body)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_a_service_leads_out_of_the_folder() {
        let folder = Path::new("/x");
        for bad in [
            "/redfish/../../etc",
            "/etc/passwd",
            "/redfish/v1/index.json",
            "/redfish/./a",
        ] {
            assert_eq!(place(folder, bad), None, "{bad}");
        }
        assert_eq!(
            place(folder, "/redfish/v1/Chassis/1"),
            Some(PathBuf::from("/x/redfish/v1/Chassis/1"))
        );
    }
}
