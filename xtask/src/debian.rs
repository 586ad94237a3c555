//! The Debian packages that the checks need, each with its reason, and their installation.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{output, run};

/// Package and why it is needed. `qemu-utils` is left out on purpose: disks here are raw files.
const NEEDED: &[(&str, &str)] = &[
    ("gcc", "to compile the C parts of ring, SQLite and zstd"),
    ("libc6-dev", "to link one static binary"),
    ("binutils", "to strip the binary that goes into the boot kit"),
    ("qemu-system-x86", "the two virtual machines, under software emulation"),
    ("ovmf", "the firmware of the UEFI machine"),
    ("ipxe", "iPXE, as served to firmware that boots from the network"),
    ("ipxe-qemu", "iPXE, as the network card's ROM of the BIOS machine"),
    ("libvirt-daemon-system", "what sushy-tools drives the machines through"),
    ("libvirt-daemon-driver-qemu", "libvirt's driver for QEMU"),
    ("libvirt-clients", "virsh, to define the machines"),
    ("python3-venv", "to install sushy-tools, the BMC, from PyPI"),
    ("python3-libvirt", "sushy-tools' binding to libvirt"),
    ("python3-yaml", "cloud-init's own crawler, which tests run unpacked"),
    ("python3-requests", "the same"),
    ("python3-jinja2", "the same"),
    ("python3-configobj", "the same"),
    ("python3-oauthlib", "the same"),
    ("python3-jsonschema", "the same"),
    ("python3-jsonpatch", "the same"),
    ("python3-netifaces", "the same"),
    ("openipmi", "ipmi_sim, the BMC that the IPMI driver is proved against"),
    (
        "ipmitool",
        "another console of IPMI, which checks the arithmetic of ours",
    ),
    ("openssl", "the BMC's self-signed certificate"),
    ("iproute2", "the network of the scenario"),
    ("openssh-client", "to log in to what was installed"),
    ("mmdebstrap", "to build the Debian image"),
    ("e2fsprogs", "the image's root file system"),
    ("dosfstools", "the image's EFI partition"),
    ("mtools", "to fill the EFI partition without mounting it"),
    ("gdisk", "the image's partition table"),
    ("grub-common", "grub-mkimage, for the image's boot loaders"),
    ("grub-pc-bin", "the image's boot loader for BIOS"),
    ("grub-efi-amd64-bin", "the image's boot loader for UEFI"),
];

/// Says what is needed and why, then installs what is missing.
pub fn install() -> Result<()> {
    install_also(NEEDED)
}

/// The same for packages that only one chore needs.
pub fn install_also(needed: &[(&str, &str)]) -> Result<()> {
    println!("Debian packages needed:");
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(package, why)| {
            let here = installed(package);
            println!(
                "  {package:<27} {:<9}  {why}",
                if here { "installed" } else { "MISSING" }
            );
            !here
        })
        .map(|&(package, _)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing with apt-get: {}", missing.join(" "));
    run(as_root("apt-get").args(["update", "--quiet=2"]))?;
    let mut install = as_root("apt-get");
    install
        .args(["install", "--yes", "--quiet=2", "--no-install-recommends"])
        .args(&missing);
    run(&mut install).context("could not install the packages above; install them by hand and try again")
}

fn installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// A command that runs as root, by sudo where this is not root yet, and never asks a question.
fn as_root(program: &str) -> Command {
    let mut command = Command::new(if is_root() { "env" } else { "sudo" });
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Whether this process is root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// An error that says what to do, unless this is a Debian machine.
pub fn expect_debian() -> Result<()> {
    if !std::path::Path::new("/etc/debian_version").exists() {
        bail!("`cargo xtask test` prepares Debian machines; here, run `cargo test --workspace` instead");
    }
    Ok(())
}
