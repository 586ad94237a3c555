//! `cargo xtask real`: prepares what the real-machine scenario needs, then runs it in namespaces of
//! its own. The scenario itself is [`crate::scenario`].

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{self, cmd, shown};
use crate::lab::Firmware;
use crate::test::Count;
use crate::{debian, failures, image, peers, scenario};

#[derive(clap::Args, Default)]
pub struct Args {
    /// Leave everything running at the end, and say how to get at it
    #[arg(long)]
    keep: bool,
    /// One machine only
    #[arg(long)]
    only: Option<Firmware>,
    /// A `busbar` binary to test, instead of a release build of this tree
    #[arg(long)]
    busbar: Option<PathBuf>,
}

/// Runs the scenario; an error if any of its checks failed.
pub fn run(args: &Args) -> Result<()> {
    let Count { passed, failed } = count(args);
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        bail!("the real-machine scenario failed");
    }
    Ok(())
}

/// Runs the scenario and counts its checks.
pub fn count(args: &Args) -> Count {
    let report = crate::scratch().join("report");
    let outcome = fs::remove_file(&report)
        .or_else(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Ok(())
            } else {
                Err(error)
            }
        })
        .context("removing the last report")
        .and_then(|()| prepare_and_run(args));
    let mut count = scenario::read_report(&report);
    if let Err(error) = outcome {
        failures::tell(format_args!("error: {error:#}"));
        count.failed = count.failed.max(1);
    }
    count
}

fn prepare_and_run(args: &Args) -> Result<()> {
    debian::expect_debian()?;
    debian::install()?;
    let busbar = match &args.busbar {
        Some(path) => path
            .canonicalize()
            .with_context(|| format!("looking for {}", path.display()))?,
        None => build()?,
    };
    if !debian::is_root() {
        return as_root(args, &busbar);
    }
    fs::create_dir_all(crate::scratch())?;
    let lock = File::create(crate::scratch().join("lock"))?;
    if lock.try_lock().is_err() {
        bail!("another `cargo xtask real` runs in {}", crate::scratch().display());
    }
    peers::sushy_tools()?;
    image::build()?;
    // needs the Debian archive, which is out of reach in the scenario's namespaces
    command::run(
        Command::new(&busbar)
            .args(crate::busbar::BUILD_KIT)
            .arg(crate::busbar::kit()),
    )?;
    in_namespaces(args, &busbar)
}

/// A release build, which is what people run.
fn build() -> Result<PathBuf> {
    let mut command = cmd("cargo build --locked --release --package busbar --message-format json-render-diagnostics");
    eprintln!("+ {}", shown(&command));
    let out = command.current_dir(crate::root()).stderr(Stdio::inherit()).output()?;
    if !out.status.success() {
        bail!("`{}` failed: {}", shown(&command), out.status);
    }
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .context("cargo built no executable")
}

/// This command again, by sudo; what it leaves behind is given back to the user.
fn as_root(args: &Args, busbar: &Path) -> Result<()> {
    let mut command = cmd("sudo --preserve-env=CARGO_TARGET_DIR,PATH");
    command
        .arg(std::env::current_exe()?)
        .arg("real")
        .arg("--busbar")
        .arg(busbar);
    pass_on(args, &mut command);
    let outcome = command::run(&mut command);
    let owner = |id: &str| command::output(cmd("id").arg(id)).map(|id| id.trim().to_owned());
    command::run(
        cmd("sudo chown -R")
            .arg(format!("{}:{}", owner("-u")?, owner("-g")?))
            .arg(crate::scratch()),
    )?;
    outcome
}

/// The first process of the namespaces. It hides the host's libvirt, its control groups (libvirt would leave some
/// behind) and its network cards. It must be one that waits for orphans: libvirt's machines become its
/// children, and a machine that is dead but not waited for looks alive to libvirt.
const FIRST_PROCESS: &str = "\
    umount -R /sys/fs/cgroup; mount -t sysfs sysfs /sys || exit 1; \
    for folder in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do \
      mount -t tmpfs tmpfs $folder || exit 1; \
    done; \
    mkdir /run/lock && \"$@\"; \
    exit $?";

/// Network, mounts and processes of its own. All of them end with `setpriv`'s child, and that with this process:
/// nothing can be left behind, however it ends.
fn in_namespaces(args: &Args, busbar: &Path) -> Result<()> {
    let mut command = cmd("setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc");
    command.args(["sh", "-c", FIRST_PROCESS, "sh"]);
    command
        .arg(std::env::current_exe()?)
        .arg("scenario")
        .arg("--busbar")
        .arg(busbar);
    pass_on(args, &mut command);
    command::run(&mut command)
}

fn pass_on(args: &Args, command: &mut Command) {
    if args.keep {
        command.arg("--keep");
    }
    if let Some(firmware) = args.only {
        command.args(["--only", firmware.name()]);
    }
}
