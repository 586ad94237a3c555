//! The counterparts of others that tests and scenario talk to, each installed once under `target/peers` and
//! without root. Tests find them by environment variables, and say that they are skipped without them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cmd, run};

/// OpenStack's BMC, with a real server to run it: its own leaks a descriptor for each request.
const SUSHY_TOOLS: [&str; 2] = ["sushy-tools==2.2.0", "gunicorn==27.0.1"];

/// An SNMP agent that plays recordings, some of real PDUs among them. It forgets to ask for pysmi; SNMPv3 is encrypted by
/// cryptography, of which Debian's may be too old for it.
const SNMPSIM: [&str; 4] = [
    "snmpsim==1.2.2",
    "snmpsim-data==1.0.1",
    "pysmi==1.6.3",
    "cryptography==50.0.2",
];

/// What tests need to know to find the peers.
pub fn environment() -> Result<Vec<(&'static str, PathBuf)>> {
    Ok(vec![
        (
            "BUSBAR_SUSHY",
            sushy_tools().context("installing sushy-tools")?.join("bin"),
        ),
        (
            "BUSBAR_SNMPSIM",
            packages("snmpsim", &SNMPSIM).context("installing snmpsim")?.join("bin"),
        ),
        ("BUSBAR_CLOUD_INIT", cloud_init().context("unpacking cloud-init")?),
        // QEMU itself is among the Debian packages
        ("BUSBAR_TEST_QEMU", "1".into()),
    ])
}

/// A virtual environment with sushy-tools, from PyPI.
pub fn sushy_tools() -> Result<PathBuf> {
    packages("sushy-tools", &SUSHY_TOOLS)
}

/// A virtual environment with packages from PyPI.
fn packages(name: &str, wanted: &[&str]) -> Result<PathBuf> {
    once(name, &wanted.join("_"), |venv| {
        python(venv)?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(wanted))
    })
}

/// Debian's cloud-init, unpacked but not installed, as it would take over this machine at its next boot.
fn cloud_init() -> Result<PathBuf> {
    once("cloud-init", "1", |folder| {
        run(cmd("apt-get download --quiet=2 cloud-init").current_dir(folder))?;
        for entry in fs::read_dir(folder)? {
            let package = entry?.path();
            if package.extension().is_some_and(|extension| extension == "deb") {
                run(cmd("dpkg -x").arg(&package).arg(folder))?;
            }
        }
        python(&folder.join("venv"))
    })
}

/// Debian's own interpreter, with its packages: python3-libvirt and what cloud-init needs are built for that one.
fn python(venv: &Path) -> Result<()> {
    run(cmd("/usr/bin/python3 -m venv --clear --system-site-packages").arg(venv))
}

/// Fills a folder, unless it already holds that version.
pub fn once(name: &str, version: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = crate::target().join("peers").join(name);
    let marker = folder.join(version);
    if !marker.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        fill(&folder)?;
        fs::write(marker, "")?;
    }
    Ok(folder)
}
