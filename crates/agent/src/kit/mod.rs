//! Builds the boot kit: what machines netboot to run the agent.
//!
//! A folder with `kernel`, `initrd`, iPXE (`undionly.kpxe` for BIOS, `snponly.efi` for UEFI) and `kit.json`, which says
//! what is in it. The kernel is Debian's `linux-image-amd64`, one for metal and virtual machines alike. The cloud flavour
//! lacks the drivers of real servers, SATA among them, and is for racks made of virtual machines: under software emulation it is up
//! in half the time, as the other unpacks itself with xz. Kernel and iPXE come from Debian's packages, fetched by
//! `apt-get download` without root, and stay files of their own: they are GPL, and never linked in. x86-64 only.
//!
//! The same inputs give the same bytes; a kit whose inputs did not change is left as it is.

mod cpio;
mod elf;
mod fetch;
pub mod modules;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::install::hex;
use fetch::KernelFiles;

/// Changes when the same inputs would give other bytes.
const FORMAT: u32 = 1;
/// Zstandard level of the initramfs: 9 takes two seconds; 19 takes twenty and saves a tenth.
const LEVEL: i32 = 9;
/// iPXE's files, as its Debian package names them.
const IPXE: [&str; 2] = ["undionly.kpxe", "snponly.efi"];

/// What the kit's boot script puts on the kernel's command line, beside `busbar.url=`, `busbar.token=` and
/// `busbar.mac=`: both consoles (the last is the kernel's own), few messages, restart after a panic, and no timer
/// check, which fails at random under software emulation and tells nothing on metal that runs at all.
pub const COMMAND_LINE: &str = "console=tty0 console=ttyS0,115200 quiet panic=10 psi=1 no_timer_check";

/// Where the kernel comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kernel {
    /// Debian's `linux-image-amd64`, by `apt-get download`.
    #[default]
    Debian,
    /// Debian's `linux-image-cloud-amd64`, likewise: for virtual machines with virtio or NVMe disks.
    DebianCloud,
    /// A Debian package of a kernel that is at hand.
    Deb(PathBuf),
    /// A kernel and the folder of its modules (`/lib/modules/VERSION`).
    Files {
        /// The kernel: a bzImage.
        vmlinuz: PathBuf,
        /// Its modules.
        modules: PathBuf,
    },
}

/// What to build a kit of.
#[derive(Debug, Clone)]
pub struct KitSpec {
    /// The folder that the kit is put in.
    pub out: PathBuf,
    /// The static program that becomes `/init`.
    pub binary: PathBuf,
    /// Where the kernel comes from.
    pub kernel: Kernel,
    /// Strip symbols from the program first (`strip` of binutils): a debug build is ten times what it need be.
    pub strip: bool,
}

/// A file of the kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitFile {
    /// Its name in the folder.
    pub name: String,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// A kit that is built: the content of `kit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kit {
    /// Digest of all inputs.
    pub key: String,
    /// The kernel's version.
    pub kernel: String,
    /// How many drivers are in it.
    pub drivers: usize,
    /// Its files.
    pub files: Vec<KitFile>,
    /// Where it is.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Why there is no kit.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// A file could not be read or written.
    #[error("cannot {attempt} {}: {source}", path.display())]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program is missing.
    #[error("cannot run `{program}` (from Debian's package {package}): {source}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed: {said}; {then}")]
    Failed {
        /// The command.
        command: String,
        /// The end of what it said.
        said: String,
        /// What to do.
        then: &'static str,
    },
    /// An input is not what it should be.
    #[error("{}: {why}", path.display())]
    Bad {
        /// The input.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl KitError {
    fn file(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KitError {
        let path = path.to_path_buf();
        move |source| KitError::File { attempt, path, source }
    }
}

/// Builds the kit, unless the same one is there. Blocks; takes seconds, and about 70 MB of download the first time.
pub fn build(spec: &KitSpec) -> Result<Kit, KitError> {
    fs::create_dir_all(&spec.out).map_err(KitError::file("make", &spec.out))?;
    let work = Scratch::make(&spec.out)?;
    let ipxe = fetch::ipxe(&work.0, &IPXE)?;
    let source = fetch::kernel_identity(&spec.kernel)?;
    let binary = read(&spec.binary)?;
    let key = key(spec.strip, &binary, &source, &ipxe);
    if let Some(kit) = cached(&spec.out, &key) {
        return Ok(kit);
    }
    let kernel = fetch::kernel(&spec.kernel, &source, &work.0)?;
    let binary = if spec.strip {
        fetch::strip(&spec.binary, &work.0)?
    } else {
        binary
    };
    let drivers = modules::pick(&kernel.modules)?;
    let initrd = initramfs(&kernel, &binary, &drivers)?;
    let mut files = vec![
        put(&spec.out, "kernel", &read(&kernel.vmlinuz)?)?,
        put(&spec.out, "initrd", &initrd)?,
    ];
    for (name, content) in &ipxe {
        files.push(put(&spec.out, name, content)?);
    }
    let kit = Kit {
        key,
        kernel: kernel.version,
        drivers: drivers.index.files.len(),
        files,
        folder: spec.out.clone(),
    };
    let text = serde_json::to_vec_pretty(&kit).map_err(|e| KitError::Bad {
        path: spec.out.clone(),
        why: e.to_string(),
    })?;
    put(&spec.out, "kit.json", &text)?;
    Ok(kit)
}

fn read(path: &Path) -> Result<Vec<u8>, KitError> {
    fs::read(path).map_err(KitError::file("read", path))
}

/// Writes a file of the kit: whole or not at all, as a daemon may be serving the old one.
fn put(out: &Path, name: &str, content: &[u8]) -> Result<KitFile, KitError> {
    let (path, part) = (out.join(name), out.join(format!(".{name}.part")));
    fs::write(&part, content).map_err(KitError::file("write", &part))?;
    fs::rename(&part, &path).map_err(KitError::file("put in place", &path))?;
    Ok(KitFile {
        name: name.to_string(),
        digest: digest(content),
        size: content.len() as u64,
    })
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

fn key(strip: bool, binary: &[u8], kernel: &str, ipxe: &[(String, Vec<u8>)]) -> String {
    let mut text = format!(
        "{FORMAT} {LEVEL} {strip}\n{}\n{kernel}\n{:?}\n",
        digest(binary),
        modules::WANTED
    );
    for (name, content) in ipxe {
        text.push_str(&format!("{name} {}\n", digest(content)));
    }
    digest(text.as_bytes())
}

/// The kit that is there, when it was built of the same inputs and is whole.
fn cached(out: &Path, key: &str) -> Option<Kit> {
    let mut kit: Kit = serde_json::from_slice(&fs::read(out.join("kit.json")).ok()?).ok()?;
    kit.folder = out.to_path_buf();
    let whole = kit
        .files
        .iter()
        .all(|f| fs::metadata(out.join(&f.name)).is_ok_and(|m| m.len() == f.size));
    (kit.key == key && whole).then_some(kit)
}

fn initramfs(kernel: &KernelFiles, binary: &[u8], drivers: &modules::Drivers) -> Result<Vec<u8>, KitError> {
    let mut archive = cpio::Archive::default();
    for folder in ["busbar", "busbar/modules", "dev", "proc", "run", "sys"] {
        archive.folder(folder);
    }
    archive.file("init", 0o755, binary);
    let index = serde_json::to_vec(&drivers.index).map_err(|e| KitError::Bad {
        path: kernel.modules.clone(),
        why: e.to_string(),
    })?;
    archive.file("busbar/modules.json", 0o644, &index);
    for (path, content) in &drivers.contents {
        archive.file(path, 0o644, content);
    }
    let packed = zstd::encode_all(&archive.finish()[..], LEVEL);
    packed.map_err(KitError::file("pack", Path::new("initrd")))
}

/// A folder for downloads within the kit's, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(out: &Path) -> Result<Scratch, KitError> {
        let path = out.join(format!(".work-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(KitError::file("make", &path))?;
        let path = fs::canonicalize(&path).map_err(KitError::file("find", &path))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what is left behind is named so that nobody takes it for a kit
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn spec(root: &Path) -> Option<KitSpec> {
        // the builder needs iPXE's files; a machine without them can't try this
        if !Path::new("/usr/lib/ipxe/snponly.efi").exists() {
            eprintln!("skipped: the package ipxe is not installed");
            return None;
        }
        let modules = root.join("modules/6.1-test");
        fs::create_dir_all(modules.join("kernel")).unwrap();
        fs::write(root.join("vmlinuz"), b"kernel").unwrap();
        fs::write(root.join("busbar"), b"program").unwrap();
        let kernel = Kernel::Files {
            vmlinuz: root.join("vmlinuz"),
            modules,
        };
        Some(KitSpec {
            out: root.join("kit"),
            binary: root.join("busbar"),
            kernel,
            strip: false,
        })
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes_and_other_inputs_another_kit() {
        let root = tempfile::tempdir().unwrap();
        let Some(spec) = spec(root.path()) else { return };
        let first = build(&spec).unwrap();
        let again = build(&spec).unwrap();
        assert_eq!(first, again);
        let elsewhere = build(&KitSpec {
            out: root.path().join("other"),
            ..spec.clone()
        })
        .unwrap();
        assert_eq!(first.files, elsewhere.files);
        assert_eq!(first.key, elsewhere.key);
        fs::write(&spec.binary, b"another").unwrap();
        let other = build(&spec).unwrap();
        assert_ne!((first.key, &first.files[1].digest), (other.key, &other.files[1].digest));
    }

    #[test]
    fn a_kit_with_a_file_cut_short_is_built_anew() {
        let root = tempfile::tempdir().unwrap();
        let Some(spec) = spec(root.path()) else { return };
        build(&spec).unwrap();
        fs::write(spec.out.join("kernel"), b"").unwrap();
        build(&spec).unwrap();
        assert_eq!(fs::read(spec.out.join("kernel")).unwrap(), b"kernel");
    }
}
