//! Starts the daemon: state folder, store, house, boot services, API, and the emulated rack when asked. What lasts is in
//! the state folder; everything else is made anew, so starting again is always safe.

mod boot_services;
mod demo;
pub mod edge;
mod emulated;
pub mod space;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use boot::images::ImageStore;
use control::env::{Clock as _, Random as _, SystemClock};
use control::secrets::{Secrets, write_private};
use control::{BootNetwork, Config, Env, House};
use rack::Place;
use rack::request::{Role, Who};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::UpOptions;
use crate::context::Context;

/// Emulated servers up to which they are looked at as often as someone who watches wants.
const SMALL: u32 = 40;
/// How often that is.
const LIVELY: std::time::Duration = std::time::Duration::from_secs(5);

/// Consoles held open at once: each is an idle connection, 256 KiB of memory and at most 544 KiB of disk.
const CONSOLES: usize = 1024;

/// Where things are in the state folder.
struct State {
    root: PathBuf,
}

impl State {
    fn open(root: &Path) -> Result<State> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .with_context(|| format!("making the state folder {}; name another with --state", root.display()))?;
        Ok(State { root: root.to_owned() })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Runs the daemon until it is told to stop.
pub async fn run(mut options: UpOptions) -> Result<()> {
    let state = State::open(&options.state)?;
    let secrets = Arc::new(Secrets::open(&state.at("key"), |b| edge::SystemRandom.fill(b))?);
    let store = store::Sqlite::open(state.at("busbar.db"))?;
    let images = Arc::new(ImageStore::open(state.at("images"))?);
    let racks = read_racks(&options.rack)?;
    let space = options.vms.map(space::Space::new).transpose()?;
    let network = match &space {
        Some(space) => {
            options.interface = Some(space::BRIDGE.to_owned());
            let (options, racks) = (options.clone(), racks.clone());
            space
                .run(async move { boot_services::Network::choose(&options, &racks) })
                .await??
        }
        None => boot_services::Network::choose(&options, &racks)?,
    };
    // Who tries it wants to see things move, and its physics run faster than real ones.
    let defaults = Config::default();
    let small = options.emulate && options.vms.unwrap_or(options.nodes) <= SMALL;
    let config = Config {
        poll: if small { LIVELY } else { defaults.poll },
        readings: if small { LIVELY } else { defaults.readings },
        network: network.as_ref().map(|n| n.addresses.clone()),
        state: options.state.clone(),
        emulated: emulated::rack_names(&options),
        consoles: CONSOLES,
        ..defaults
    };
    let house = House::open(Env {
        store: Arc::new(store),
        clock: Arc::new(SystemClock),
        random: Arc::new(edge::SystemRandom),
        dial: Arc::new(edge::Dialer::default()),
        probe: Arc::new(edge::SshProbe(space.as_ref().map(space::Space::handle))),
        secrets: Arc::clone(&secrets),
        images: Some(images),
        config: Arc::new(config),
    })
    .await?;

    let stop = CancellationToken::new();
    let loops = tokio::spawn({
        let house = house.clone();
        async move { house.run_loops().await }
    });
    let tls = certificate(&state)?;
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "the API can't listen on {}: is a daemon running already? busbar doctor",
            options.listen
        )
    })?;
    let api_at = listener.local_addr()?;
    let mut services = tokio::task::JoinSet::new();
    let lab = api::lab::Lab::default();
    services.spawn(boot::serve::serve(
        listener,
        Some(boot::serve::tls_config(&tls.0, &tls.1)?),
        api::router(house.clone(), api_at.port(), lab.clone()).await,
        boot::serve::Limits::default(),
        stop.clone(),
    ));
    let mut boot_services = tokio::task::JoinSet::new();
    if let Some(network) = &network {
        let kit = boot_services::kit(network, &options, &state.at("kit")).await?;
        let (house, secrets) = (house.clone(), Arc::clone(&secrets));
        let start = boot_services::start(network.clone(), options.dhcp, kit, house, secrets, stop.clone());
        boot_services = match &space {
            Some(space) => space.run(start).await??,
            None => start.await?,
        };
    }
    let rack = match (&network, options.emulate) {
        (Some(network), true) => Some(emulated::start(&options, network, space.as_ref(), &state.at("emulator")).await?),
        _ => None,
    };
    if let Some(at) = rack.as_ref().and_then(|r| r.control) {
        lab.open(at);
    }
    let logins = match (&space, &rack) {
        (Some(space), Some(rack)) => emulated::doors(&options, space, rack, &house, &mut services).await?,
        _ => BTreeMap::new(),
    };
    let (context, written) = introduce(&state, &house, api_at, &tls.0, logins).await?;
    for file in racks {
        house.watch_bmcs(file.watched()).await?;
    }
    if let Some(rack) = &rack {
        emulated::settle(&house, rack, &options, &state).await?;
    }
    greet(&house, &options, api_at, network.as_ref(), &context, &written)?;

    let ended = tokio::select! {
        ended = loops => Some(ended),
        () = told_to_stop() => None,
    };
    stop.cancel();
    if let Some(rack) = rack {
        rack.stop().await;
    }
    while boot_services.join_next().await.is_some() {}
    services.shutdown().await;
    match ended {
        None => Ok(()),
        Some(Ok(Ok(()))) => bail!("the control loops ended; start the daemon again, and report it"),
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(panic)) => bail!("the control loops broke: {panic}; start the daemon again, and report it"),
    }
}

fn read_racks(files: &[PathBuf]) -> Result<Vec<control::rackfile::RackFile>> {
    let read = |file: &PathBuf| {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading the rack file {}", file.display()))?;
        Ok(control::rackfile::parse(&file.display().to_string(), &text)?)
    };
    files.iter().map(read).collect()
}

/// The API's certificate and key, made at first start.
fn certificate(state: &State) -> Result<(String, String)> {
    let (certificate, key) = (state.at("tls-cert.pem"), state.at("tls-key.pem"));
    if certificate.exists() && key.exists() {
        let read = |p: &Path| std::fs::read_to_string(p).with_context(|| format!("reading {}", p.display()));
        return Ok((read(&certificate)?, read(&key)?));
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend(
        if_addrs::get_if_addrs()
            .unwrap_or_default()
            .iter()
            .map(|i| i.ip().to_string()),
    );
    names.sort();
    names.dedup();
    let made = boot::serve::self_signed(names)?;
    write_private(&key, made.1.as_bytes())?;
    write_private(&certificate, made.0.as_bytes())?;
    Ok(made)
}

/// Makes the first token, and writes the client's context where the command line finds it.
async fn introduce(
    state: &State,
    house: &House,
    api: SocketAddr,
    ca: &str,
    logins: BTreeMap<Place, SocketAddr>,
) -> Result<(Context, PathBuf)> {
    let file = state.at("context.json");
    let known = Context::load(&file)
        .ok()
        .flatten()
        .filter(|c| house.who(&c.token).is_some());
    let token = match known {
        Some(context) => context.token,
        None => {
            let who = Who {
                name: "busbar".parse()?,
                role: Role::Admin,
            };
            let taken: Vec<String> = house.tokens().iter().map(|t| t.name.to_string()).collect();
            let name = (1..)
                .map(|n| {
                    if n == 1 {
                        "admin".to_owned()
                    } else {
                        format!("admin-{n}")
                    }
                })
                .find(|n| !taken.contains(n));
            house
                .make_token(&who, &name.unwrap_or_default().parse()?, Role::Admin)
                .await?
                .secret
        }
    };
    let reached = if api.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, api.port()))
    } else {
        api
    };
    let context = Context {
        url: format!("https://{reached}"),
        token,
        ca_pem: Some(ca.to_owned()),
        logins,
    };
    context.save(&file)?;
    let users = Context::path();
    if users != file {
        context.save(&users)?;
    }
    Ok((context, users))
}

/// How to get into the console. A terminal is its user's alone; what is not one is likely a log, where no token belongs.
fn way_in(context: &Context, terminal: bool) -> Result<String> {
    if terminal {
        return crate::context::link(&context.url, &context.token);
    }
    Ok(format!("{}   log in: busbar token show-context --link", context.url))
}

/// What is said at start: what runs, and what to do next.
fn greet(
    house: &House,
    options: &UpOptions,
    api: SocketAddr,
    network: Option<&boot_services::Network>,
    context: &Context,
    written: &Path,
) -> Result<()> {
    let summary = house.summary();
    for rack in &summary.racks {
        let emulated = if rack.emulated { " (emulated)" } else { "" };
        println!(
            " rack {}{emulated}: {} nodes, {} other boxes",
            rack.name, rack.nodes, rack.devices
        );
    }
    if summary.racks.is_empty() {
        println!(" no rack is known yet: busbar credential set default --user USER · busbar discover ADDRESS");
    }
    println!(" console  {}", way_in(context, std::io::stdout().is_terminal())?);
    println!(" API      https://{api}   token in {}", written.display());
    if let Some(n) = network {
        println!(
            " boot     {}   addresses {} to {}",
            n.base, n.addresses.first, n.addresses.last
        );
    }
    if options.vms.is_some() {
        println!(
            " try      busbar image add debian-12 FILE · busbar run debian-12 · busbar console r1/u1 · busbar top"
        );
    } else if options.emulate {
        println!(
            " try      busbar run demo · busbar ps · break it at a click: {}/lab",
            context.url
        );
    } else {
        println!(" try      busbar ls · busbar arm r1 · busbar image add NAME FILE · busbar doctor");
    }
    Ok(())
}

/// Returns at SIGINT or SIGTERM.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

/// A port at a fixed distance from the API's, so that two daemons on one host don't meet.
fn near(port: u16, distance: u16) -> u16 {
    match port {
        0 => 0,
        p => p.checked_add(distance).unwrap_or(p - distance),
    }
}

/// Addresses for machines in `network`, unless a rack file says which: its upper half, without the ends.
fn upper_half(server: Ipv4Addr, prefix: u8) -> BootNetwork {
    let size = 1u32 << (32 - u32::from(prefix.clamp(8, 30)));
    let start = u32::from(server) & !(size - 1);
    BootNetwork {
        server,
        prefix,
        first: Ipv4Addr::from(start + size / 2),
        last: Ipv4Addr::from(start + size - 2),
    }
}

/// Now, for what is made at start.
fn now() -> rack::Time {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_in_has_a_token_on_a_terminal_alone() {
        let context = Context {
            url: "https://127.0.0.1:7400".into(),
            token: "busbar_secret".into(),
            ca_pem: None,
            logins: BTreeMap::new(),
        };
        let shown = |terminal| way_in(&context, terminal).expect("an address");
        assert_eq!(shown(true), "https://127.0.0.1:7400/login?token=busbar_secret");
        assert!(!shown(false).contains("busbar_secret"), "{}", shown(false));
    }
}
