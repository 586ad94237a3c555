//! The rack made of software, beside the daemon and spoken to over sockets like any other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use control::record::WatchedBmc;
use control::{BootNetwork, House};
use emulator::vm::Machines;
use emulator::{Config, Credential, Emulated, Handle, RackLayout};
use rack::node::OutletRef;
use rack::request::{ArmRequest, CredentialRequest, ImageRequest, Role, Who};
use rack::{Name, Place};
use tokio::task::JoinSet;

use super::boot_services::Network;
use super::space::{self, Door, Space};
use super::{State, demo, edge, near, now};
use crate::cli::UpOptions;
use crate::client::fail;
use crate::commands::capture::tree_name;

/// What every emulated BMC lets in. It guards nothing: the BMCs answer on this host's loopback only.
const USER: &str = "admin";
const PASSWORD: &str = "emulated";

/// How far the first machine's login is from the API's port.
const FIRST_DOOR: u16 = 1100;

/// The rack that captured boxes stand in.
const TREES: &str = "trees";

/// The name of the emulated rack.
pub fn rack_name() -> Name {
    "r1".parse().expect("`r1` is a name")
}

/// The names of the racks that are emulated.
pub fn rack_names(options: &UpOptions) -> Vec<Name> {
    let rack = options.emulate.then(rack_name);
    let trees = (!options.tree.is_empty()).then(|| TREES.parse().ok()).flatten();
    rack.into_iter().chain(trees).collect()
}

/// The emulated rack's boot network: loopback addresses, apart from another daemon's.
pub fn network(port: u16) -> BootNetwork {
    let own = if port == 7400 { 77 } else { 80 + (port % 160) as u8 };
    let at = |c, d| Ipv4Addr::new(127, own, c, d);
    BootNetwork {
        server: at(0, 1),
        prefix: 16,
        first: at(0, 10),
        last: at(255, 250),
    }
}

/// Starts the rack.
pub async fn start(options: &UpOptions, network: &Network, space: Option<&Space>, folder: &Path) -> Result<Handle> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let layout = match (&options.emulate_rack, options.vms) {
        (Some(name), _) => RackLayout::named(name)
            .map_err(|e| fail("BB0101", e.to_string(), "busbar up --emulate --emulate-rack colo"))?,
        (None, Some(machines)) => RackLayout::machines(machines),
        (None, None) => RackLayout {
            gpu_servers: 1,
            bare_servers: options.bare,
            ..RackLayout::of(options.nodes)
        },
    };
    let config = Config {
        layout,
        port: near(options.listen.port(), 1043),
        tls: true,
        disks: emulator::disks::Disks::Files(folder.to_owned()),
        state: Some(folder.join("state.json")),
        speed: options.speed,
        seed: 1,
        relay: network.addresses.server,
        metadata: network.base.clone(),
        net: Arc::new(emulator::net::RealNet {
            dhcp: network.relay,
            login_port: edge::EMULATED_LOGIN,
        }),
        credential: Credential {
            user: USER.into(),
            password: PASSWORD.into(),
        },
        control: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, near(options.listen.port(), 81)))),
        clock: Arc::new(now),
        machines: space.map(|space| {
            Arc::new(Machines {
                program: space::QEMU.into(),
                folder: folder.to_owned(),
                taps: space.taps.clone(),
                start: Arc::new(space::Inside(space.handle())),
            })
        }),
    };
    let open = |rack: &Emulated| {
        let captured = options.tree.iter().map(|folder| {
            let name = format!("{TREES}/{}", tree_name(folder));
            let how = emulator::tree::Options {
                credential: Some(rack.config.credential.clone()),
                speed: options.speed,
                faults: Arc::clone(&rack.faults),
                clock: Arc::clone(&rack.config.clock),
            };
            emulator::Tree::open(&name, folder, how)
        });
        captured.collect()
    };
    Ok(Emulated::start_beside(config, open).await?)
}

/// Opens a login to each machine, and says where.
pub async fn doors(
    options: &UpOptions,
    space: &Space,
    rack: &Handle,
    house: &House,
    services: &mut JoinSet<()>,
) -> Result<BTreeMap<Place, SocketAddr>> {
    let mut all = BTreeMap::new();
    for (n, server) in rack.rack.servers.iter().enumerate() {
        let place: Place = server.spec.place.parse()?;
        let port = near(options.listen.port(), FIRST_DOOR + n as u16);
        let door = Door::open(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        all.insert(place.clone(), door.at);
        let house = house.clone();
        let address = move || {
            let world = house.world();
            let here = world
                .machines
                .values()
                .filter(|m| m.status.place.as_ref() == Some(&place));
            here.max_by_key(|m| m.created)?.status.address
        };
        services.spawn(door.serve(space.handle(), address));
    }
    Ok(all)
}

/// Makes the rack known and, at its first start, arms it: nobody's data is on it.
pub async fn settle(house: &House, rack: &Handle, options: &UpOptions, state: &State) -> Result<()> {
    /// Discovery of a rack on this very host; a larger one goes on while the daemon runs.
    const PATIENCE: Duration = Duration::from_secs(60);
    let who = Who {
        name: "busbar".parse()?,
        role: Role::Admin,
    };
    let credential: Name = "emulated".parse()?;
    let first = !house.credentials().contains(&credential);
    if first {
        let login = CredentialRequest {
            user: USER.into(),
            password: PASSWORD.into(),
        };
        house.set_credential(&who, &credential, login).await?;
    }
    let watched = addresses(rack).map(|(url, place, outlets)| WatchedBmc {
        outlets,
        url,
        rack: place.rack().parse().unwrap_or_else(|_| rack_name()),
        slots: place
            .slot()
            .and_then(|s| s.parse().ok())
            .map(|s| ("*".to_owned(), s))
            .into_iter()
            .collect(),
        credential: credential.clone(),
        certificate: None,
    });
    let watched: Vec<WatchedBmc> = watched.collect();
    house.watch_bmcs(watched.clone()).await?;
    let captured = beside(&options.tree, rack.port, &credential);
    house.watch_bmcs(captured.clone()).await?;
    if !captured.is_empty() {
        let house = house.clone();
        // large ones take their time, and nobody waits for them
        tokio::spawn(async move {
            if let Ok((_, problems)) = house.discover_all(captured).await {
                problems.iter().for_each(|p| tracing::warn!("{p}"));
            }
        });
    }
    let servers = rack.rack.servers.len();
    if house.world().nodes.len() < servers {
        let found = tokio::time::timeout(PATIENCE, house.discover_all(watched)).await;
        if let Ok(Ok((_, problems))) = &found {
            problems.iter().for_each(|p| tracing::warn!("{p}"));
        }
        house
            .arm(
                &who,
                ArmRequest {
                    place: rack_name().as_str().parse()?,
                    armed: true,
                },
                false,
            )
            .await?;
    }
    if first {
        write_down(house, &who, rack).await;
    }
    let demo: Name = "demo".parse()?;
    // real firmware finds no system on the demonstration disk
    if options.vms.is_none() && house.world().images.is_empty() {
        let disk = state.at("demo.raw");
        demo::write(&disk).with_context(|| format!("writing {}", disk.display()))?;
        let request = ImageRequest {
            name: demo,
            source: disk.display().to_string(),
        };
        house.add_image(&who, request, Arc::new(|_| {})).await?;
        std::fs::remove_file(&disk)?;
    }
    Ok(())
}

/// Writes down what the rack should be, as whoever built it would: heights, units and cords, which no BMC tells. Never over
/// what somebody wrote, and at the first start only: who takes it away is not told twice.
async fn write_down(house: &House, who: &Who, rack: &Handle) {
    for intent in emulator::describe::intent::of(&rack.rack.config.layout.describe()) {
        let name = intent.rack.clone();
        if house.intent(&name).is_some() {
            continue;
        }
        if let Err(error) = house.set_intent(who, intent, false).await {
            tracing::warn!(rack = %name, %error, "the emulated rack is drawn without its heights");
        }
    }
}

/// Captured boxes, where the emulator serves them.
fn beside(trees: &[PathBuf], port: u16, credential: &Name) -> Vec<WatchedBmc> {
    let watched = trees.iter().enumerate().filter_map(|(n, folder)| {
        let slot = tree_name(folder).parse().ok();
        Some(WatchedBmc {
            url: format!("https://{}:{port}", emulator::tree_address(n)?),
            rack: TREES.parse().ok()?,
            slots: slot.map(|s| ("*".to_owned(), s)).into_iter().collect(),
            credential: credential.clone(),
            certificate: None,
            outlets: Vec::new(),
        })
    });
    watched.collect()
}

/// Where the rack's BMCs answer, and where what they stand for stands.
fn addresses(rack: &Handle) -> impl Iterator<Item = (String, Place, Vec<OutletRef>)> {
    let port = rack.port;
    let https = move |address: Ipv4Addr| format!("https://{address}:{port}");
    let servers = rack.rack.servers.iter().filter_map(move |s| {
        let outlets = s.spec.outlets.iter().filter_map(|(pdu, outlet)| {
            let pdu = format!("{}/{pdu}", rack_name()).parse::<Place>().ok()?;
            let outlet = outlet.to_string();
            Some(OutletRef { pdu, outlet })
        });
        let wake = || {
            let mac = s.spec.macs[0].to_string().replace(':', "-");
            format!("wol://{mac}/{}:{port}", emulator::wake::BROADCAST)
        };
        let url = s.spec.bmc.map_or_else(wake, https);
        Some((url, s.spec.place.parse().ok()?, outlets.collect()))
    });
    let pdus = rack.rack.pdus.iter().filter_map(move |p| {
        Some((
            https(p.spec.bmc),
            format!("{}/{}", rack_name(), p.spec.name).parse().ok()?,
            Vec::new(),
        ))
    });
    let equipment = rack.rack.equipment.iter();
    let equipment = equipment.filter_map(move |e| Some((https(e.spec.bmc), e.spec.place.parse().ok()?, Vec::new())));
    servers.chain(pdus).chain(equipment)
}
