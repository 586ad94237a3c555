//! The bench: everything that the scenario needs around Busbar, and nothing of our own making. Two
//! QEMU machines with empty disks, run by libvirt; OpenStack's sushy-tools as their BMC, over TLS and
//! with a password; a bridge between them all.
//!
//! It lives in namespaces of its own (network, mounts, processes), so that it disturbs no libvirt of the
//! host, needs no address of the host, and is gone with all its processes when the first of them ends.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::{cmd, output};
use crate::peers;
use crate::process::Process;

/// The rack's network: the daemon, the BMC and the machines.
pub const BRIDGE: &str = "br0";
pub const GATEWAY: &str = "10.77.0.1";
const BMC_PORT: u16 = 8000;
pub const BMC_USER: &str = "admin";
pub const BMC_PASSWORD: &str = "correct horse battery staple";

const MEMORY_MIB: u32 = 1024;
const DISK_BYTES: u64 = 4 << 30;
const BMC_REQUESTS: &str = "bmc-requests.log";
/// How long a daemon of the bench may take to answer, on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What a machine's firmware is.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Firmware {
    Bios,
    Uefi,
}

impl Firmware {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }
}

/// One of the two virtual machines.
pub struct Machine {
    pub name: &'static str,
    pub uuid: &'static str,
    mac: &'static str,
    pub firmware: Firmware,
    /// the file that is its disk
    pub disk: PathBuf,
}

/// Starts a program of the bench, in a process group of its own.
pub fn start(name: &'static str, folder: &Path, command: &mut Command) -> Result<Process> {
    Process::start(name, folder, command.process_group(0))
}

/// The bench, while it runs.
pub struct Lab {
    /// holds disks, logs and Busbar's state: made new for each run
    pub folder: PathBuf,
    daemons: Vec<Process>,
}

impl Lab {
    /// Builds the bench. The caller already is in namespaces of its own.
    pub fn start() -> Result<Self> {
        let folder = crate::scratch().join("run");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut lab = Self {
            folder,
            daemons: Vec::new(),
        };
        lab.network()?;
        lab.libvirt()?;
        for machine in lab.machines() {
            lab.define(&machine)?;
        }
        lab.bmc()?;
        Ok(lab)
    }

    /// The two machines.
    pub fn machines(&self) -> [Machine; 2] {
        [
            (
                Firmware::Bios,
                "b0b00000-0000-4000-8000-000000000001",
                "52:54:00:bb:00:01",
            ),
            // looks like EC2 to cloud-init, which then uses session tokens: a UUID like this one, and a serial like it
            (
                Firmware::Uefi,
                "ec2b0b00-0000-4000-8000-000000000002",
                "52:54:00:bb:00:02",
            ),
        ]
        .map(|(firmware, uuid, mac)| Machine {
            name: firmware.name(),
            uuid,
            mac,
            firmware,
            disk: self.folder.join(format!("{}.raw", firmware.name())),
        })
    }

    /// The address of the BMC: one Redfish service with two systems.
    pub fn bmc_url() -> String {
        format!("https://{GATEWAY}:{BMC_PORT}")
    }

    /// A key pair to log in with, made at first use: the file of its private half. The public
    /// half ends in `.pub`.
    pub fn ssh_key(&self) -> Result<PathBuf> {
        let key = self.folder.join("key");
        if !key.exists() {
            output(cmd("ssh-keygen -q -t ed25519 -N").arg("").arg("-f").arg(&key))?;
        }
        Ok(key)
    }

    /// The methods of all requests that reached the BMC.
    pub fn requests_to_bmc(&self) -> Result<Vec<String>> {
        Ok(fs::read_to_string(self.folder.join(BMC_REQUESTS))?
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// An error if the secret stands in any log.
    pub fn expect_in_no_log(&self, secret: &str) -> Result<()> {
        for log in self.logs()? {
            let text = fs::read(&log)?;
            if String::from_utf8_lossy(&text).contains(secret) {
                bail!("{} holds a secret", log.display());
            }
        }
        Ok(())
    }

    fn logs(&self) -> Result<Vec<PathBuf>> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                logs.push(path);
            }
        }
        logs.sort();
        Ok(logs)
    }

    /// The end of every log, for a person who must find out what went wrong.
    pub fn print_logs(&self) {
        const LINES: usize = 40;
        for log in self.logs().unwrap_or_default() {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            println!("\n--- {} (last {LINES} of {} lines)", log.display(), lines.len());
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                println!("{}", printable(line));
            }
        }
    }

    fn network(&self) -> Result<()> {
        for line in [
            "ip link set lo up".to_owned(),
            format!("ip link add {BRIDGE} type bridge"),
            format!("ip address add {GATEWAY}/24 dev {BRIDGE}"),
            format!("ip link set {BRIDGE} up"),
        ] {
            output(&mut cmd(&line))?;
        }
        Ok(())
    }

    fn libvirt(&mut self) -> Result<()> {
        // the mount namespace has an empty /etc/libvirt; machines run as root, as the checkout may lie where
        // no other user can look
        fs::write(
            "/etc/libvirt/qemu.conf",
            "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n",
        )?;
        fs::write("/etc/libvirt/libvirtd.conf", "auth_unix_rw = \"none\"\n")?;
        for (name, program) in [("virtlogd", "/usr/sbin/virtlogd"), ("libvirtd", "/usr/sbin/libvirtd")] {
            self.daemons
                .push(start(name, &self.folder, &mut Command::new(program))?);
        }
        self.wait("libvirt", || virsh("version").map(drop))
    }

    fn define(&self, machine: &Machine) -> Result<()> {
        File::create(&machine.disk)?.set_len(DISK_BYTES)?;
        let file = self.folder.join(format!("{}.xml", machine.name));
        fs::write(&file, self.domain(machine))?;
        virsh(&format!("define {}", file.display())).map(drop)
    }

    /// libvirt's description of a machine: disk first, then network, as a server leaves the factory.
    fn domain(
        &self,
        Machine {
            name,
            uuid,
            mac,
            firmware,
            disk,
        }: &Machine,
    ) -> String {
        let folder = self.folder.display();
        let disk = disk.display();
        let loader = match firmware {
            Firmware::Bios => String::new(),
            Firmware::Uefi => format!(
                "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
                 <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{folder}/{name}.vars</nvram>"
            ),
        };
        format!(
            "<domain type='qemu'>
               <name>{name}</name>
               <uuid>{uuid}</uuid>
               <memory unit='MiB'>{MEMORY_MIB}</memory>
               <vcpu>2</vcpu>
               <sysinfo type='smbios'><system>
                 <entry name='manufacturer'>QEMU</entry>
                 <entry name='product'>bench</entry>
                 <entry name='serial'>{uuid}</entry>
                 <entry name='uuid'>{uuid}</entry>
               </system></sysinfo>
               <os>
                 <type arch='x86_64' machine='q35'>hvm</type>{loader}
                 <smbios mode='sysinfo'/><boot dev='hd'/><boot dev='network'/>
               </os>
               <features><acpi/><apic/></features>
               <cpu mode='maximum'/>
               <devices>
                 <emulator>/usr/bin/qemu-system-x86_64</emulator>
                 <controller type='sata' index='0'/>
                 <disk type='file' device='disk'>
                   <driver name='qemu' type='raw' cache='writeback' discard='unmap'/>
                   <source file='{disk}'/><target dev='vda' bus='virtio'/><serial>DISK-{name}</serial>
                 </disk>
                 <interface type='bridge'>
                   <mac address='{mac}'/><source bridge='{BRIDGE}'/><model type='virtio'/>
                 </interface>
                 <serial type='file'><source path='{folder}/{name}-serial.log' append='on'/></serial>
                 <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
                 <video><model type='none'/></video>
                 <memballoon model='none'/>
               </devices>
             </domain>"
        )
    }

    fn bmc(&mut self) -> Result<()> {
        let python = peers::sushy_tools()?.join("bin/python");
        let hash = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(4)).decode())";
        let hash = output(Command::new(&python).args(["-c", hash, BMC_PASSWORD]))?;
        fs::write(self.folder.join("bmc.htpasswd"), format!("{BMC_USER}:{hash}"))?;
        fs::create_dir(self.folder.join("bmc"))?;
        let folder = self.folder.display();
        let settings = self.folder.join("bmc.conf");
        fs::write(
            &settings,
            format!(
                "SUSHY_EMULATOR_LIBVIRT_URI = 'qemu:///system'\nSUSHY_EMULATOR_AUTH_FILE = '{folder}/bmc.htpasswd'\n\
                 SUSHY_EMULATOR_STATE_DIR = '{folder}/bmc'\n"
            ),
        )?;
        output(
            cmd("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=bmc")
                .args(["-addext", &format!("subjectAltName=IP:{GATEWAY}"), "-keyout"])
                .arg(self.folder.join("bmc.key"))
                .arg("-out")
                .arg(self.folder.join("bmc.crt")),
        )?;
        let daemon = start(
            "bmc",
            &self.folder,
            Command::new(python)
                .args(["-m", "gunicorn", "--workers=1", "--threads=8", "--no-control-socket"])
                .arg(format!("--bind={GATEWAY}:{BMC_PORT}"))
                .args([
                    format!("--certfile={folder}/bmc.crt"),
                    format!("--keyfile={folder}/bmc.key"),
                ])
                // the method of each request, and nothing else
                .args([
                    format!("--access-logfile={folder}/{BMC_REQUESTS}"),
                    "--access-logformat=%(m)s".to_owned(),
                ])
                .arg("sushy_tools.emulator.main:app")
                .env("SUSHY_EMULATOR_CONFIG", settings),
        )?;
        self.daemons.push(daemon);
        let address: SocketAddr = format!("{GATEWAY}:{BMC_PORT}").parse()?;
        self.wait("the BMC", || {
            Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).map(drop)?)
        })
    }

    fn wait(&mut self, what: &str, mut ready: impl FnMut() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        loop {
            for daemon in &mut self.daemons {
                daemon.lives()?;
            }
            match ready() {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > START_DEADLINE => {
                    return Err(error.context(format!("{what} did not answer within {START_DEADLINE:?}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

/// Asks libvirt.
pub fn virsh(line: &str) -> Result<String> {
    output(cmd("virsh --quiet --connect qemu:///system").args(line.split(' ')))
}

/// Without what firmware sends to paint its screen.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}
