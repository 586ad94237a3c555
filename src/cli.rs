//! The words of the command line. What they do is in [`crate::commands`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rack::{Bytes, Name, Place};

use crate::commands::console::ConsoleOptions;
use crate::commands::export::Export;
use crate::commands::firmware::Firmware;
use crate::commands::hardware::{BiosOptions, CapOptions, Outlet};
use crate::commands::import::Import;
use crate::commands::nice::NiceOptions;
use crate::commands::sensors::SensorsOptions;
use crate::commands::whatif::WhatIf;

/// The rack as one computer.
#[derive(Parser)]
#[command(name = "busbar", version, about, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// Print JSON (streams: one object a line)
    #[arg(long, global = true)]
    pub json: bool,
    /// The daemon's address, instead of the context file's
    #[arg(long, global = true, env = "BUSBAR_URL")]
    pub url: Option<String>,
    /// A file with the token, instead of the context file's
    #[arg(long, global = true)]
    pub token_file: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  busbar up --emulate                     try it, without hardware
  busbar ls                               what is in the rack
  busbar arm r1                           let Busbar write to it
  busbar run debian-13 --memory 64G       a machine with a login
  busbar ps --watch                       machines
  busbar why web-1                        why it is as it is
  busbar rm web-1                         wipe it and give it back

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 cannot be placed, 5 conflict, 6 timed out waiting,
7 partly done, 8 refused by policy, 9 hardware or daemon unreachable.";

#[derive(Subcommand)]
pub enum Command {
    /// Start the daemon
    #[command(before_help = "busbar up --emulate\nbusbar up --interface eno2 --rack rack.toml --kit /srv/kit")]
    Up(UpOptions),
    /// What is in the rack
    #[command(before_help = "busbar ls\nbusbar ls r1 --watch")]
    Ls {
        /// Only in here
        place: Option<Place>,
        /// Only these, PDUs and others too: 'health!=ok and (gpu>=4 or maker~dell)'
        #[arg(long = "where", value_name = "EXPR")]
        filter: Option<String>,
        #[arg(long)]
        watch: bool,
    },
    /// How a rack differs from what it should be; exits with 1 when it does
    #[command(before_help = "busbar fsck\nbusbar fsck r1 --live\nbusbar fsck r1/u12 --accept")]
    Fsck(FsckOptions),
    /// Write down what a rack should be, from elsewhere
    #[command(subcommand)]
    Import(Import),
    /// Tell others what a rack is
    #[command(subcommand)]
    Export(Export),
    /// Racks, boxes and parts
    Tree {
        /// Only in here
        place: Option<Place>,
    },
    /// One value, for scripts
    #[command(before_help = "busbar cat r1/u12/watts\nbusbar cat r1/u12/identity/serial\nbusbar cat proof/…")]
    Cat { path: String },
    /// Machines
    Ps {
        #[arg(long)]
        watch: bool,
        /// Released ones too
        #[arg(long, short)]
        all: bool,
    },
    /// Make a machine: place, install, boot, hand over
    #[command(
        before_help = "busbar run debian-13 --memory 64G --name web-1\nbusbar run debian-13 --on r1/u12 --dry-run"
    )]
    Run(RunOptions),
    /// Wipe machines and give them back
    #[command(before_help = "busbar rm web-1\nbusbar rm web-1 web-2 --yes --wait 20m")]
    Rm(RmOptions),
    /// Why something is as it is
    Why { about: String },
    /// What happened
    Dmesg {
        /// Go on as it happens
        #[arg(long, short = 'w', visible_alias = "watch")]
        follow: bool,
    },
    /// Power verbs: -TERM stop, -KILL off at once, -CONT on, or try again
    #[command(before_help = "busbar kill -TERM web-1\nbusbar kill -CONT web-1")]
    Kill {
        #[arg(long, default_value = "TERM")]
        signal: String,
        #[arg(required = true)]
        names: Vec<Name>,
        #[arg(long)]
        dry_run: bool,
    },
    /// Shed order: who gives up watts first when a PDU would trip
    ///
    /// Above 90 % of a PDU's rating Busbar sheds to 85 %, of armed boxes: machines of nice 19 are capped first, those of -20 last,
    /// alike where nice is the same, none below the lowest cap that its box takes. Only where caps are not enough are machines
    /// stopped, in the same order, as few as it takes. All is given back in reverse order once there is room.
    ///
    /// Without -n the order is shown: of all machines, or of some.
    #[command(before_help = "busbar nice\nbusbar nice -n -10 web-3\nbusbar nice -n 19 lab-17 lab-18 --dry-run")]
    Nice(NiceOptions),
    /// Power caps: show, set, lift, try
    #[command(before_help = "busbar cap web-1\nbusbar cap r1/u3 600W --try 5m\nbusbar cap r1/u3 none")]
    Cap(CapOptions),
    /// BIOS settings: show, or want from the next boot on
    #[command(before_help = "busbar bios r1/u3\nbusbar bios r1/u3 LogicalProc=Disabled")]
    Bios(BiosOptions),
    /// Readings, each with its age, and how they were
    #[command(
        before_help = "busbar sensors r1/u1\nbusbar sensors r1/u1/watts --history --since 8h\nbusbar sensors r1 --history --reading watts"
    )]
    Sensors(SensorsOptions),
    /// What is left: power, cooling, cores, memory, GPUs, rack units
    ///
    /// PDUs that feed the same nodes are two sides, A and B, of which each must carry everything alone when the other fails:
    /// the total of power is what the smaller side is rated for. It is unknown where a PDU tells no rating, or nobody wrote
    /// down what it feeds.
    Free {
        /// Only of this rack
        rack: Option<Name>,
    },
    /// What would come of a failure; nothing is changed
    #[command(subcommand)]
    Whatif(WhatIf),
    /// Racks, power, heat, machines, boxes and events, as they move
    ///
    /// 1 to 6 change the pane, < and > the column that it is sorted by, / finds, Enter asks why, ? shows all keys. It is
    /// read-only until A arms the keys: s, k, c and x stop, switch off, start and remove a machine, l and d light and cordon a
    /// box. Each asks first; A, or five minutes without a key, disarms.
    #[command(before_help = "busbar top\nbusbar top | cat\nbusbar top --json")]
    Top,
    /// Light a box, for whoever stands in the aisle
    Locate {
        /// A machine, or a node's place
        of: String,
        /// Put the light out
        #[arg(long)]
        off: bool,
    },
    /// The log that a box keeps itself
    Log {
        /// A machine, or a node's place
        of: String,
        /// At most so many lines
        #[arg(long, short = 'n', default_value_t = 50)]
        lines: usize,
    },
    /// The serial console, with what it printed before; Ctrl-] leaves
    #[command(before_help = "busbar console web-1\nbusbar console r1/u12 --no-follow\nbusbar console web-1 --take")]
    Console(ConsoleOptions),
    /// Outlets of PDUs
    #[command(subcommand)]
    Outlet(Outlet),
    /// Firmware: versions, and updates in waves
    #[command(subcommand)]
    Firmware(Firmware),
    /// Let Busbar write to a place
    Arm(ArmOptions),
    /// Only look at a place from now on
    Disarm(ArmOptions),
    /// Place nothing new on a node
    Cordon {
        place: Place,
        #[arg(long, default_value = "by hand")]
        why: String,
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a node back into use
    Uncordon {
        place: Place,
        #[arg(long)]
        dry_run: bool,
    },
    /// Look for BMCs
    #[command(before_help = "busbar discover 10.0.0.0/26 --rack r1 --credential bench")]
    Discover {
        #[arg(required = true)]
        targets: Vec<String>,
        #[arg(long)]
        rack: Option<Name>,
        #[arg(long)]
        credential: Option<Name>,
        #[arg(long)]
        slot: Option<Name>,
    },
    /// BMC credentials
    #[command(subcommand)]
    Credential(Credential),
    /// Pin the certificate that a BMC or a PDU shows now; a console's host key is learnt anew
    Trust { place: Place },
    /// Images
    #[command(subcommand)]
    Image(Image),
    /// API tokens
    #[command(subcommand)]
    Token(Token),
    /// Where the seconds went
    Trace { name: Name },
    /// Write everything recorded to a file
    Dump { file: PathBuf },
    /// Make a state folder from a dump; the daemon must not run on it
    Restore {
        file: PathBuf,
        #[arg(long, env = "BUSBAR_STATE")]
        state: Option<PathBuf>,
    },
    /// Check reach, clocks, certificates
    Doctor,
    /// Write down everything that a box answers, to report it or to emulate it
    #[command(before_help = "busbar capture 10.0.0.12 --user root --redact\nbusbar emulate --tree capture-10.0.0.12")]
    Capture(CaptureOptions),
    /// The emulated rack; with --tree, captured boxes; with --hall, a data hall
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    #[command(
        before_help = "busbar emulate ls\nbusbar emulate --tree capture-10.0.0.12\nbusbar emulate --hall 71 --rack-files hall"
    )]
    Emulate {
        #[command(flatten)]
        trees: TreeOptions,
        #[command(subcommand)]
        what: Option<Emulate>,
    },
    /// What machines netboot
    #[command(subcommand)]
    Kit(Kit),
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
    /// What a code means
    Explain { code: String },
    /// The version
    Version,
}

/// How the daemon is started.
#[derive(Args, Debug, Clone)]
pub struct UpOptions {
    /// With a rack made of software
    #[arg(long)]
    pub emulate: bool,
    /// Captured boxes beside it, each with an address of its own, in the rack `trees`
    #[arg(long, requires = "emulate")]
    pub tree: Vec<PathBuf>,
    /// The emulated rack's description: a file, or home-lab, colo, gpu-air, nvl72, composable, immersion
    #[arg(long, requires = "emulate", conflicts_with_all = ["nodes", "bare"], value_name = "NAME|FILE")]
    pub emulate_rack: Option<String>,
    /// Emulated servers, beside one GPU box
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub nodes: u32,
    /// Emulated servers without a BMC, above the others
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100), requires = "emulate")]
    pub bare: u32,
    /// Emulated servers that are real machines of QEMU, instead of --nodes; they need no root
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16), requires = "emulate",
        conflicts_with_all = ["nodes", "bare", "emulate_rack", "interface", "boot_listen", "rack"], value_name = "N")]
    pub vms: Option<u32>,
    /// How much faster than real the emulated rack is; 1, as with real machines in it, is as slow as real servers
    #[arg(
        long,
        default_value_t = 10.0,
        default_value_if("vms", clap::builder::ArgPredicate::IsPresent, "1")
    )]
    pub speed: f64,
    /// Where everything is kept
    #[arg(long, env = "BUSBAR_STATE", default_value_os_t = default_state())]
    pub state: PathBuf,
    /// Where the API answers
    #[arg(long, default_value = "127.0.0.1:7400")]
    pub listen: SocketAddr,
    /// Boot network interface
    #[arg(long)]
    pub interface: Option<String>,
    /// Where machines fetch their boot files and images
    #[arg(long)]
    pub boot_listen: Option<SocketAddr>,
    /// What is done on the boot network
    #[arg(long, value_enum, default_value_t = DhcpMode::Server)]
    pub dhcp: DhcpMode,
    /// Rack files
    #[arg(long)]
    pub rack: Vec<PathBuf>,
    /// The boot kit's folder
    #[arg(long)]
    pub kit: Option<PathBuf>,
    /// Log as JSON
    #[arg(long)]
    pub log_json: bool,
}

/// What is done on the boot network.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpMode {
    /// Give addresses and boot files
    Server,
    /// Give boot files; another server gives addresses
    Proxy,
    /// Nothing
    Off,
}

/// `/var/lib/busbar` for root, else `~/.local/share/busbar`.
pub fn default_state() -> PathBuf {
    match std::env::var_os("HOME") {
        Some(home) if !rustix::process::geteuid().is_root() => PathBuf::from(home).join(".local/share/busbar"),
        _ => "/var/lib/busbar".into(),
    }
}

#[derive(Args)]
pub struct RunOptions {
    /// Name of an image: busbar image ls
    pub image: Name,
    #[arg(long)]
    pub name: Option<Name>,
    /// Only here: a node's place, or a rack
    #[arg(long)]
    pub on: Option<Place>,
    /// At least so many cores
    #[arg(long, default_value_t = 0)]
    pub cores: u32,
    /// At least so much memory: 64G
    #[arg(long, default_value = "0")]
    pub memory: Bytes,
    /// At least so large a disk: 2TB
    #[arg(long, default_value = "0")]
    pub disk: Bytes,
    /// At least so many GPUs
    #[arg(long, default_value_t = 0)]
    pub gpu: u32,
    /// Public keys; ~/.ssh/*.pub when none is named
    #[arg(long)]
    pub ssh_key: Vec<PathBuf>,
    /// User data for cloud-init
    #[arg(long)]
    pub user_data: Option<PathBuf>,
    /// The image's first user
    #[arg(long)]
    pub login: Option<String>,
    /// Shed order, -20 (last) to 19
    #[arg(long, short = 'n', default_value_t = 0, allow_hyphen_values = true)]
    pub nice: i8,
    /// Wait so long for parts instead of being refused: 10m
    #[arg(long, value_parser = duration, default_value = "0")]
    pub wait: Duration,
    /// Stop following after so long; the work goes on
    #[arg(long, value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Don't follow
    #[arg(long, short)]
    pub detach: bool,
    /// Only say where it would go
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct FsckOptions {
    /// A rack, or a place in one; every rack when absent
    pub place: Option<Place>,
    /// Read the inventories anew first
    #[arg(long)]
    pub live: bool,
    /// Agree to the parts as they are: changes count from here on
    #[arg(long)]
    pub accept: bool,
}

#[derive(Args)]
pub struct RmOptions {
    #[arg(required = true)]
    pub names: Vec<Name>,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    /// Don't wait for its system to stop
    #[arg(long)]
    pub force: bool,
    /// Follow so long at most; the work goes on
    #[arg(long, value_parser = duration)]
    pub wait: Option<Duration>,
    /// Don't follow
    #[arg(long, short)]
    pub detach: bool,
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct ArmOptions {
    pub place: Place,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Subcommand)]
pub enum Credential {
    /// Set one; the password is asked for, or read from standard input
    #[command(alias = "add")]
    Set {
        name: Name,
        #[arg(long)]
        user: String,
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// Their names
    Ls,
    /// Give every BMC that shares one a new password
    Rotate { name: Name },
}

#[derive(Subcommand)]
pub enum Image {
    /// Add one: a disk on the daemon's machine, an OCI layout, or registry/name:tag
    Add { name: Name, source: String },
    /// Every image
    Ls,
    /// Remove one
    Rm {
        name: Name,
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub enum Token {
    /// Make one; its secret is shown once
    Make {
        name: Name,
        #[arg(long, value_enum, default_value = "reader")]
        role: RoleName,
    },
    /// Every token, no secret
    Ls,
    /// Make one worthless
    Revoke { name: Name },
    /// Where the token in use comes from
    ShowContext {
        /// The link that logs a browser in to the console; whoever has it can do what the token may
        #[arg(long)]
        link: bool,
    },
}

#[derive(ValueEnum, Clone, Copy)]
pub enum RoleName {
    Reader,
    Operator,
    Admin,
}

#[derive(Args)]
pub struct CaptureOptions {
    /// A BMC: address, or URL
    pub address: String,
    /// Its user
    #[arg(long, default_value = "root")]
    pub user: String,
    /// A file with its password; asked for, or read from standard input, when absent
    #[arg(long)]
    pub password_file: Option<PathBuf>,
    /// The folder to write; when it is there already, what is missing in it is added
    #[arg(long, short)]
    pub output: Option<PathBuf>,
    /// Replace serials, addresses and names, everywhere alike
    #[arg(long)]
    pub redact: bool,
    /// Schemas and message registries too
    #[arg(long)]
    pub schemas: bool,
    /// At most so long
    #[arg(long = "for", value_parser = duration, default_value = "30m")]
    pub time: Duration,
    /// At most so many resources
    #[arg(long, default_value_t = hardware::redfish::capture::RESOURCES)]
    pub resources: usize,
}

/// Captured boxes to serve.
#[derive(Args)]
pub struct TreeOptions {
    /// Serve a captured tree as a live box; several ones at ports that count up
    #[arg(long, required_unless_present = "hall")]
    pub tree: Vec<PathBuf>,
    /// Serve a data hall of so many BMCs: 71 to a rack, each at an address of its own, 127.20.RACK.N
    #[arg(long, value_name = "BMCS", conflicts_with = "tree")]
    pub hall: Option<u32>,
    /// Write a rack file for each rack of the hall into this folder, for `busbar up --rack`
    #[arg(long, value_name = "FOLDER", requires = "hall")]
    pub rack_files: Option<PathBuf>,
    /// Seconds for which the hall keeps connections on which nothing is asked
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600), requires = "hall")]
    pub idle: u64,
    /// Where faults of the hall are set, on loopback
    #[arg(long, requires = "hall")]
    pub control: Option<SocketAddr>,
    /// Where
    #[arg(long, default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// HTTPS, with a certificate made now
    #[arg(long)]
    pub tls: bool,
    /// Let in only this user, by the password in --password-file; anyone when absent
    #[arg(long, requires = "password_file")]
    pub user: Option<String>,
    #[arg(long, requires = "user")]
    pub password_file: Option<PathBuf>,
    /// How much faster than real its resets are
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
}

#[derive(Subcommand)]
pub enum Emulate {
    /// What is emulated, in truth: boxes with their watts and heat, feeds, coolant
    #[command(before_help = "busbar emulate ls\nbusbar emulate ls 'r1/*'")]
    Ls {
        /// Only boxes and gear of this name, `*` for anything
        #[arg(default_value = "")]
        at: String,
    },
    /// Set a fault: where, what, and how; as JSON; or all of a file
    #[command(
        before_help = "busbar emulate fault r1/u3 pull-cable supply=1\nbusbar emulate fault pdu-a trip-breaker\n\
        busbar emulate fault r1/u3 drift-sensor sensor=InletCelsius per_hour=5\n\
        busbar emulate fault '{\"on\":{\"at\":\"r1/u3\"},\"action\":\"hang\",\"count\":2}'\n\
        busbar emulate fault --file bad-day.toml"
    )]
    Fault {
        #[arg(required_unless_present = "file")]
        words: Vec<String>,
        /// `[[fault]]` tables; if one of them can't be set, none is
        #[arg(long, conflicts_with = "words")]
        file: Option<PathBuf>,
    },
    /// Faults that are set
    Faults,
    /// Clear a fault by its number, or --all, and undo what it did
    #[command(before_help = "busbar emulate clear 3\nbusbar emulate clear --all")]
    Clear {
        /// As `busbar emulate faults` counts it
        id: Option<u64>,
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// What boxes are asked to do: 0 to 1, idle, full, training, inference, or a CSV of `second,load`
    #[command(before_help = "busbar emulate load r1/u3 0.8\nbusbar emulate load 'r1/*' training\n\
        busbar emulate load r1/u10 day.csv")]
    Load { at: String, load: String },
    /// How many times faster than real the rack runs; 0 stands still until it is stepped
    Speed { speed: f64 },
    /// Put the rack forward: `60s`, `10m`
    Step {
        #[arg(value_parser = duration)]
        by: Duration,
    },
}

#[derive(Subcommand)]
pub enum Kit {
    /// Build the kernel and initramfs that machines netboot
    Build {
        #[arg(long, default_value = "kit")]
        output: PathBuf,
        /// A static busbar; this one when absent
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Keep the program's symbols
        #[arg(long)]
        no_strip: bool,
    },
}

/// `90s`, `10m`, `8h`, `2d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is not a duration: write 90s, 10m, 8h or 2d");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| bad())?;
    let factor = match &text[split..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(bad()),
    };
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(bad)
}

/// Lets `kill -KILL` and `kill -9` be written as everywhere.
pub fn signals(args: impl Iterator<Item = std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut killing = false;
    args.map(|arg| {
        let text = arg.to_string_lossy().into_owned();
        killing |= text == "kill";
        match text.strip_prefix('-') {
            Some(rest) if killing => {
                let name = rest.strip_prefix("SIG").unwrap_or(rest);
                let name = match name {
                    "15" => "TERM",
                    "9" => "KILL",
                    "18" => "CONT",
                    "19" => "STOP",
                    other => other,
                };
                if ["TERM", "KILL", "CONT", "STOP"].contains(&name) {
                    return format!("--signal={name}").into();
                }
                arg
            }
            _ => arg,
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("10x").is_err() && duration("").is_err() && duration("99999999999999999999d").is_err());
    }

    #[test]
    fn kill_takes_signals_as_everywhere() {
        let args = ["busbar", "kill", "-9", "web"].map(std::ffi::OsString::from);
        let cli = Cli::parse_from(signals(args.into_iter()));
        assert!(matches!(cli.command, Some(Command::Kill { signal, .. }) if signal == "KILL"));
    }
}
