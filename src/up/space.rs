//! The network of machines on this host: a bridge with a port for each, in a network namespace of its own, made without
//! root in a user namespace (user_namespaces(7), network_namespaces(7)).
//!
//! Sockets belong to the namespace of the thread that makes them, so the daemon is not moved: a second runtime, all of
//! whose threads live in there, carries the boot services, QEMU and whatever connects to a machine, while the API, the
//! emulated BMCs and image downloads stay in the host's network.

use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use emulator::vm::Start;
use nix::sched::{CloneFlags, setns, unshare};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// The bridge's name, in its namespace.
pub const BRIDGE: &str = "busbar0";
/// The daemon's address on it.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const PREFIX: u8 = 24;
/// QEMU as distributions call it.
pub const QEMU: &str = "qemu-system-x86_64";
/// Programs that are needed, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 3] = [(QEMU, "qemu-system-x86"), ("ip", "iproute2"), ("setpriv", "util-linux")];
/// Connections through to one machine at once.
const THROUGH: usize = 64;

/// Becomes root of a user namespace, unless it is root already: the right to make networks in there and nothing on the
/// host. Only a process of one thread may.
pub fn enter() -> Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if user.is_root() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER).context(
        "the kernel lets nobody but root make a user namespace here: allow it (sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu \
         kernel.apparmor_restrict_unprivileged_userns=0), or start as root",
    )?;
    let map = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).with_context(|| format!("writing /proc/self/{file}"))
    };
    // groups can't be mapped before their setting is given up (user_namespaces(7))
    map("setgroups", "deny".into())?;
    map("uid_map", format!("0 {} 1", user.as_raw()))?;
    map("gid_map", format!("0 {} 1", group.as_raw()))
}

/// The namespace and its runtime.
pub struct Space {
    runtime: Option<Runtime>,
    /// The ports of the machines, in order.
    pub taps: Vec<String>,
}

impl Space {
    /// Makes the network with ports for so many machines.
    pub fn new(machines: u32) -> Result<Space> {
        missing()?;
        let namespace = std::thread::spawn(|| -> Result<File> {
            unshare(CloneFlags::CLONE_NEWNET).context(
                "the kernel makes no network namespace here: in a container, it needs the right to (--privileged, or a user \
                 namespace)",
            )?;
            Ok(File::open("/proc/thread-self/ns/net")?)
        });
        let namespace = namespace
            .join()
            .unwrap_or_else(|_| bail!("making the network namespace broke"))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("boot-network")
            // a thread that stayed outside would find no bridge: what it is asked for fails, and says so
            .on_thread_start(move || {
                let _ = setns(&namespace, CloneFlags::CLONE_NEWNET);
            })
            .enable_all()
            .build()?;
        let taps: Vec<String> = (1..=machines).map(|n| format!("vm{n}")).collect();
        let links = links(&taps);
        let space = Space {
            runtime: Some(runtime),
            taps,
        };
        let (told, heard) = std::sync::mpsc::channel();
        // Err: nobody waits any more
        space.handle().spawn_blocking(move || drop(told.send(ip(&links))));
        let made = heard.recv().unwrap_or_else(|_| bail!("it broke"));
        made.context("making the machines' network; is /dev/net/tun there, and may you open it?")?;
        Ok(space)
    }

    /// Spawns inside.
    pub fn handle(&self) -> Handle {
        match &self.runtime {
            Some(runtime) => runtime.handle().clone(),
            None => unreachable!("it is taken away only when it is dropped"),
        }
    }

    /// Does something inside, and waits for it.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        Ok(self.handle().spawn(work).await?)
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // a runtime must not be waited for where others run
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Names the packages of what is not installed.
fn missing() -> Result<()> {
    let found = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .any(|folder| folder.join(program).exists())
    };
    let packages: Vec<&str> = PROGRAMS.iter().filter(|(p, _)| !found(p)).map(|(_, p)| *p).collect();
    ensure!(
        packages.is_empty(),
        "emulated servers that are real machines need {}: apt install {} ipxe-qemu",
        packages.join(", "),
        packages.join(" ")
    );
    Ok(())
}

/// What `ip -batch` is told.
fn links(taps: &[String]) -> String {
    let mut all = format!(
        "link set lo up\nlink add {BRIDGE} type bridge\naddress add {ADDRESS}/{PREFIX} dev {BRIDGE}\n\
         address add 169.254.169.254/32 dev {BRIDGE}\nlink set {BRIDGE} up\n"
    );
    for tap in taps {
        all += &format!("tuntap add dev {tap} mode tap\nlink set {tap} master {BRIDGE}\nlink set {tap} up\n");
    }
    all
}

fn ip(batch: &str) -> Result<()> {
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(batch.as_bytes())?;
    }
    let done = ip.wait_with_output()?;
    ensure!(
        done.status.success(),
        "ip: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}

/// Starts machines inside.
pub struct Inside(pub Handle);

impl Start for Inside {
    fn start(
        &self,
        mut command: tokio::process::Command,
    ) -> emulator::net::Future<'_, std::io::Result<tokio::process::Child>> {
        let started = self.0.spawn(async move { command.spawn() });
        Box::pin(async move { started.await.unwrap_or_else(|e| Err(std::io::Error::other(e))) })
    }
}

/// A login from the host to a machine, whose address only the namespace knows.
pub struct Door {
    /// Where the host connects.
    pub at: SocketAddr,
    listener: TcpListener,
}

impl Door {
    /// Opens one on this host.
    pub async fn open(at: SocketAddr) -> Result<Door> {
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("logins to a machine can't be taken on {at}; choose another --listen"))?;
        let at = listener.local_addr()?;
        Ok(Door { at, listener })
    }

    /// Lets through to the SSH port of whatever address the machine has when somebody comes.
    pub async fn serve(self, inside: Handle, address: impl Fn() -> Option<IpAddr> + Send + 'static) {
        let mut open = JoinSet::new();
        loop {
            while open.len() >= THROUGH {
                open.join_next().await;
            }
            while open.try_join_next().is_some() {}
            let Ok((near, _)) = self.listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let Some(address) = address() else { continue };
            let inside = inside.clone();
            open.spawn(async move {
                let mut near = near;
                let far = inside.spawn(TcpStream::connect(SocketAddr::new(address, 22)));
                if let Ok(Ok(mut far)) = far.await {
                    // Err: one of both has gone
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_port_on_the_bridge() {
        let all = links(&["vm1".into(), "vm2".into()]);
        assert!(all.contains("address add 10.77.0.1/24 dev busbar0\n"));
        assert!(all.contains("tuntap add dev vm2 mode tap\nlink set vm2 master busbar0\nlink set vm2 up\n"));
    }
}
