//! Gets the kit's inputs: Debian's kernel and iPXE, from the machine or by `apt-get download`, which needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Kernel, KitError, digest, read};

/// Debian's packages that depend on the newest kernel: for metal, and for virtual machines.
const METAL: &str = "linux-image-amd64";
const CLOUD: &str = "linux-image-cloud-amd64";
const APT: &str = "run `apt-get update` first; on a machine that is not Debian give a kernel package or files";

/// A kernel and its modules.
pub(super) struct KernelFiles {
    pub(super) version: String,
    pub(super) vmlinuz: PathBuf,
    pub(super) modules: PathBuf,
}

/// Runs a program and returns what it said.
pub(super) fn run(
    program: &'static str,
    package: &'static str,
    with: impl FnOnce(&mut Command) -> &mut Command,
    then: &'static str,
) -> Result<Vec<u8>, KitError> {
    let mut command = Command::new(program);
    with(command.env("LC_ALL", "C"));
    let done = command.output().map_err(|source| KitError::Program {
        program,
        package,
        source,
    })?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    // the last lines tell; a program may print without end
    let tail: String = said
        .trim()
        .chars()
        .rev()
        .take(400)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    Err(KitError::Failed {
        command: format!("{command:?}"),
        said: tail,
        then,
    })
}

/// Names the kernel such that the same name means the same content.
pub(super) fn kernel_identity(kernel: &Kernel) -> Result<String, KitError> {
    match kernel {
        Kernel::Debian | Kernel::DebianCloud => {
            let meta = if *kernel == Kernel::Debian { METAL } else { CLOUD };
            let depends = run("apt-cache", "apt", |c| c.args(["depends", "--important", meta]), APT)?;
            let depends = String::from_utf8_lossy(&depends);
            let name = depends
                .lines()
                .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
            let name = name.ok_or_else(|| KitError::Failed {
                command: format!("apt-cache depends {meta}"),
                said: "it names no kernel".to_string(),
                then: APT,
            })?;
            let package = format!("linux-image-{name}");
            let policy = run("apt-cache", "apt", |c| c.args(["policy", &package]), APT)?;
            let policy = String::from_utf8_lossy(&policy);
            let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
            Ok(format!("{package} {}", version.unwrap_or_default()))
        }
        Kernel::Deb(path) => Ok(digest(&read(path)?)),
        // modules belong to the kernel that they were built with
        Kernel::Files { vmlinuz, modules } => Ok(format!("{} {}", digest(&read(vmlinuz)?), modules.display())),
    }
}

/// Gets the kernel's files, into `work` where they have to be fetched.
pub(super) fn kernel(kernel: &Kernel, identity: &str, work: &Path) -> Result<KernelFiles, KitError> {
    match kernel {
        Kernel::Files { vmlinuz, modules } => {
            let version = modules
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or("unknown")
                .to_string();
            Ok(KernelFiles {
                version,
                vmlinuz: vmlinuz.clone(),
                modules: modules.clone(),
            })
        }
        Kernel::Deb(path) => extracted(path, work),
        Kernel::Debian | Kernel::DebianCloud => {
            let package = identity.split(' ').next().unwrap_or(identity);
            extracted(&download(package, work)?, work)
        }
    }
}

fn extracted(deb: &Path, work: &Path) -> Result<KernelFiles, KitError> {
    let tree = work.join("kernel");
    unpack(deb, &tree)?;
    let bad = |why: &str| KitError::Bad {
        path: deb.to_path_buf(),
        why: why.to_string(),
    };
    let boot = tree.join("boot");
    let kernels = fs::read_dir(&boot).map_err(KitError::file("list", &boot))?;
    let (version, vmlinuz) = kernels
        .flatten()
        .find_map(|e| Some((e.file_name().to_str()?.strip_prefix("vmlinuz-")?.to_string(), e.path())))
        .ok_or_else(|| bad("it holds no kernel: give a package linux-image-VERSION-amd64"))?;
    let modules = [tree.join("lib/modules"), tree.join("usr/lib/modules")].map(|f| f.join(&version));
    let modules = modules
        .into_iter()
        .find(|f| f.is_dir())
        .ok_or_else(|| bad("it holds no modules"))?;
    Ok(KernelFiles {
        version,
        vmlinuz,
        modules,
    })
}

/// iPXE's files: as installed, or from its package.
pub(super) fn ipxe(work: &Path, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>, KitError> {
    let mut folder = PathBuf::from("/usr/lib/ipxe");
    if !names.iter().all(|name| folder.join(name).is_file()) {
        let tree = work.join("ipxe");
        unpack(&download("ipxe", work)?, &tree)?;
        folder = tree.join("usr/lib/ipxe");
    }
    names
        .iter()
        .map(|name| Ok(((*name).to_string(), read(&folder.join(name))?)))
        .collect()
}

fn download(package: &str, work: &Path) -> Result<PathBuf, KitError> {
    let folder = work.join(format!("{package}.deb.d"));
    fs::create_dir_all(&folder).map_err(KitError::file("make", &folder))?;
    run(
        "apt-get",
        "apt",
        // root of a user namespace has no other user to become; what is fetched is proved by its signature either way
        |c| {
            c.args(["-o", "APT::Sandbox::User=root", "download", "-q", package])
                .current_dir(&folder)
        },
        APT,
    )?;
    let found = fs::read_dir(&folder).map_err(KitError::file("list", &folder))?;
    let deb = found
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "deb"));
    deb.ok_or_else(|| KitError::Bad {
        path: folder,
        why: format!("apt-get left no package {package}"),
    })
}

fn unpack(deb: &Path, to: &Path) -> Result<(), KitError> {
    run(
        "dpkg-deb",
        "dpkg",
        |c| c.arg("-x").arg(deb).arg(to),
        "is the package whole?",
    )?;
    Ok(())
}

/// The program without its symbols.
pub(super) fn strip(binary: &Path, work: &Path) -> Result<Vec<u8>, KitError> {
    let out = work.join("stripped");
    run(
        "strip",
        "binutils",
        |c| c.arg("-o").arg(&out).arg(binary),
        "is it a program of this machine?",
    )?;
    read(&out)
}
