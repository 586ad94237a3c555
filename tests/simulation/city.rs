//! One seed's story: a rack, a daemon that dies and comes back, users who ask for machines and change their minds.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use control::env::{Clock as _, TimerClock};
use control::{BootNetwork, Config, Env, House};
use rack::request::{ArmRequest, CredentialRequest, Role, RunRequest, Signal, Who};
use rack::{Image, Name, State, Time};
use store::Store as _;
use store::memory::Memory;

use crate::faults::Luck;
use crate::links::{Daemon, Wires};
use crate::truth::{Audit, Witness, all_there};

/// What a seed's run came to: equal for equal seeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    pub crashes: u64,
    pub contacts: u64,
    /// Contacts before luck turned.
    pub lived: u64,
    pub faults: u64,
    pub commits: u64,
    pub accepted: u64,
    pub installs: u64,
    pub wipes: u64,
    /// Wipes of the box without a BMC.
    pub bare: u64,
    pub seconds: u64,
}

impl Story {
    pub fn add(&mut self, other: &Story) {
        self.crashes += other.crashes;
        self.contacts += other.contacts;
        self.faults += other.faults;
        self.commits += other.commits;
        self.accepted += other.accepted;
        self.installs += other.installs;
        self.wipes += other.wipes;
        self.bare += other.bare;
        self.seconds += other.seconds;
    }
}

/// Servers in the rack.
const SERVERS: u32 = 2;
/// The one without a BMC, above them.
const BARE: &str = "r1/u3";
/// How long luck is bad.
const BAD: Duration = Duration::from_secs(3600);
/// In this time after luck has turned, everything that is given back must be free.
const GOOD: Duration = Duration::from_secs(12 * 3600);

/// Runs a seed: hours of bad luck, then good luck and everything is given back.
pub fn run(seed: u64) -> Story {
    let random = Luck::new(seed ^ 0x5eed, 0, 0, None);
    let bad = [0, 5, 20, 60][random.below(4) as usize];
    let deadly = [0, 2, 8][random.below(3) as usize];
    on_virtual_time(City::new(seed, Luck::new(seed, bad, deadly, None)), async |city| {
        city.live(BAD).await;
        city.end().await;
    })
}

/// One machine's whole life without faults, from discovery to the wipe, but for a daemon that dies at its `n`-th contact
/// with the outside.
pub fn run_with_crash_at(n: Option<u64>) -> Story {
    on_virtual_time(City::new(1, Luck::new(1, 0, 0, n)), async |city| {
        city.plan = vec![
            (Duration::from_secs(60), Wish::Run),
            (Duration::from_secs(300), Wish::Release),
        ];
        city.live(Duration::from_secs(600)).await;
        city.lived = city.luck.contacts();
        city.end().await;
    })
}

fn on_virtual_time(mut city: City, live: impl AsyncFnOnce(&mut City)) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async {
        city.begin();
        live(&mut city).await;
        city.story()
    })
}

/// What users do.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Run,
    Release,
    Term,
    Kill,
    Cont,
}

struct City {
    seed: u64,
    luck: Luck,
    audit: Audit,
    wires: Wires,
    store: Memory,
    plan: Vec<(Duration, Wish)>,
    accepted: Vec<Name>,
    crashes: u64,
    lived: u64,
    began: Option<(TimerClock, Arc<emulator::Emulated>, Witness)>,
}

impl City {
    fn new(seed: u64, luck: Luck) -> City {
        let faults = luck.clone();
        let store = Memory::with_faults(Box::new(move |_| faults.commit()));
        let audit = Audit::new(store.clone());
        let wires = Wires::new(luck.clone(), audit.clone());
        let mut plan: Vec<(Duration, Wish)> = (0..4 + luck.below(6))
            .map(|_| {
                let at = Duration::from_secs(60 + luck.below(BAD.as_secs() - 60));
                let wish =
                    [Wish::Run, Wish::Run, Wish::Release, Wish::Term, Wish::Kill, Wish::Cont][luck.below(6) as usize];
                (at, wish)
            })
            .collect();
        plan.push((Duration::from_secs(90), Wish::Run));
        plan.sort_by_key(|(at, _)| *at);
        City {
            seed,
            luck,
            audit,
            wires,
            store,
            plan,
            accepted: Vec::new(),
            crashes: 0,
            lived: 0,
            began: None,
        }
    }

    fn story(&self) -> Story {
        let (clock, _, witness) = self.began.as_ref().expect("it has begun");
        Story {
            crashes: self.crashes,
            contacts: self.luck.contacts(),
            lived: self.lived,
            faults: self.luck.faults(),
            commits: witness.commits,
            accepted: self.accepted.len() as u64,
            installs: witness.installs,
            wipes: witness.wipes,
            bare: witness.bare,
            seconds: clock.now().since(epoch()).as_secs(),
        }
    }

    /// The rack stands, and nobody looks at it yet.
    fn begin(&mut self) {
        let clock = TimerClock::starting_at(epoch());
        self.audit.clock(clock);
        let tells = clock;
        let config = emulator::Config {
            layout: layout(),
            port: 8443,
            tls: false,
            disks: emulator::disks::Disks::Memory,
            state: None,
            speed: 1.0,
            seed: self.seed,
            relay: Ipv4Addr::new(127, 77, 0, 1),
            metadata: "http://127.0.0.1:7480".into(),
            net: Arc::new(self.wires.clone()),
            credential: emulator::Credential {
                user: "admin".into(),
                password: "emulated".into(),
            },
            control: None,
            clock: Arc::new(move || tells.now()),
        };
        let rack = emulator::Emulated::build(config).expect("the rack can be built");
        self.wires.plug(Arc::clone(&rack));
        self.began = Some((clock, rack, Witness::new()));
    }

    fn parts(&mut self) -> (&TimerClock, &Arc<emulator::Emulated>, &mut Witness) {
        let (clock, rack, witness) = self.began.as_mut().expect("it has begun");
        (clock, rack, witness)
    }

    /// The daemon lives, dies and starts again for `long`, while users ask.
    async fn live(&mut self, long: Duration) {
        let until = tokio::time::Instant::now() + long;
        while tokio::time::Instant::now() < until {
            let died = self.one_life(until).await;
            self.crashes += u64::from(died);
            if died {
                let pause = 1 + self.luck.below(30);
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
        }
    }

    /// One life of the daemon; true when it died before its time.
    async fn one_life(&mut self, until: tokio::time::Instant) -> bool {
        let clock = *self.parts().0;
        let Some(house) = self.open(clock).await else {
            return false;
        };
        self.wires.daemon(Some(daemon(&house, clock)));
        let death = Arc::clone(&self.luck.death);
        let died = tokio::select! {
            biased;
            () = death.notified() => true,
            ended = house.run_loops() => panic!("the loops ended: {ended:?}"),
            () = self.use_it(&house, until) => false,
        };
        self.wires.daemon(None);
        died
    }

    async fn open(&mut self, clock: TimerClock) -> Option<House> {
        let env = Env {
            store: Arc::new(self.store.clone()),
            clock: Arc::new(clock),
            random: Arc::new(self.wires.clone()),
            dial: Arc::new(self.wires.clone()),
            probe: Arc::new(self.wires.clone()),
            secrets: house_secrets(),
            images: Some(images().0.clone()),
            config: Arc::new(Config {
                streams: 0,
                network: Some(BootNetwork {
                    server: Ipv4Addr::new(127, 77, 0, 1),
                    prefix: 16,
                    first: Ipv4Addr::new(127, 77, 0, 10),
                    last: Ipv4Addr::new(127, 77, 0, 99),
                }),
                poll: Duration::from_secs(60),
                readings: Duration::from_secs(600),
                ..Config::default()
            }),
        };
        House::open(env).await.ok()
    }

    /// Users at work until `until`; commits are witnessed as they come.
    async fn use_it(&mut self, house: &House, until: tokio::time::Instant) {
        self.set_up(house).await;
        let seen = self.parts().2.world().revision;
        let mut watch = self.store.watch(seen).await.expect("the history is long enough");
        loop {
            let now = self.parts().0.now();
            let due = self.plan.first().map(|(at, _)| epoch() + *at);
            let next = due.map_or(Duration::MAX, |at| now.until(at));
            tokio::select! {
                biased;
                batch = watch.next() => {
                    let batch = batch.expect("the history is long enough");
                    let (clock, rack, witness) = self.parts();
                    let (now, rack) = (clock.now(), Arc::clone(rack));
                    witness.see(&batch, now, &rack);
                }
                () = tokio::time::sleep(next), if due.is_some() => {
                    let (_, wish) = self.plan.remove(0);
                    self.grant(house, wish).await;
                }
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    /// What a first start does: credential, BMCs, and arming once the nodes are there. Safe to repeat.
    async fn set_up(&mut self, house: &House) {
        let credential: Name = "default".parse().expect("a name");
        let login = CredentialRequest {
            user: "admin".into(),
            password: "emulated".into(),
        };
        if house.credentials().is_empty() {
            let _ = house.set_credential(&who(), &credential, login).await;
        }
        if !house.world().images.contains_key(&images().1.name) {
            let _ = house.record_image(&who(), &images().1).await;
        }
        let (_, rack, _) = self.parts();
        let line = |url: String, slot: &str| control::record::WatchedBmc {
            outlets: Vec::new(),
            url,
            rack: "r1".parse().expect("a name"),
            slots: [("*".to_owned(), slot.parse().expect("a name"))].into(),
            credential: credential.clone(),
            certificate: None,
        };
        let mut watched = Vec::new();
        for (i, server) in rack.servers.iter().enumerate() {
            let slot = format!("u{}", i + 1);
            watched.push(match server.spec.bmc {
                Some(address) => line(format!("http://{address}:8443"), &slot),
                // It hangs on the PDU alone.
                None => control::record::WatchedBmc {
                    outlets: vec![rack::node::OutletRef {
                        pdu: "r1/pdu-a".parse().expect("a place"),
                        outlet: (i + 1).to_string(),
                    }],
                    ..line(format!("wol://{}", server.spec.macs[0]), &slot)
                },
            });
        }
        watched.extend(
            rack.pdus
                .iter()
                .map(|p| line(format!("http://{}:8443", p.spec.bmc), &p.spec.name)),
        );
        // Its second supply hangs on nothing.
        for (i, server) in rack.servers.iter().enumerate() {
            if server.spec.bmc.is_none() {
                rack.feed(i, 1, false);
            }
        }
        let _ = house.watch_bmcs(watched).await;
    }

    async fn grant(&mut self, house: &House, wish: Wish) {
        // Arming is a user's act too: whatever has been discovered by now.
        let arm = ArmRequest {
            place: "r1".parse().expect("a place"),
            armed: true,
        };
        let _ = house.arm(&who(), arm, false).await;
        let some =
            |luck: &Luck, of: &[Name]| (!of.is_empty()).then(|| of[luck.below(of.len() as u64) as usize].clone());
        let name = some(&self.luck, &self.accepted);
        match (wish, name) {
            (Wish::Run, _) => {
                // In every other city, some want the box without a BMC and no other.
                let bare = self.seed.is_multiple_of(2) && self.luck.below(3) == 0;
                let request = RunRequest {
                    on: bare.then(|| BARE.parse().expect("a place")),
                    image: Some(images().1.name.clone()),
                    wait_seconds: [0, 600, 7_200][self.luck.below(3) as usize]
                        .max(u64::from(self.accepted.is_empty()) * 600),
                    ..RunRequest::default()
                };
                if let Ok(view) = house.run(&who(), request, false).await {
                    self.accepted.push(view.machine.name);
                }
            }
            (_, None) => {}
            (Wish::Release, Some(name)) => drop(house.release(&who(), &name, self.luck.below(2) == 0).await),
            (Wish::Term, Some(name)) => drop(house.signal(&who(), &name, Signal::Term).await),
            (Wish::Kill, Some(name)) => drop(house.signal(&who(), &name, Signal::Kill).await),
            (Wish::Cont, Some(name)) => drop(house.signal(&who(), &name, Signal::Cont).await),
        }
    }

    /// Luck turns; whatever is held is looked at by someone, everything is given back, and it must work.
    async fn end(&mut self) {
        self.luck.turn_good();
        all_there(&self.store, &self.accepted).await;
        let until = tokio::time::Instant::now() + GOOD;
        while tokio::time::Instant::now() < until {
            let step = tokio::time::Instant::now() + Duration::from_secs(900);
            self.release_all(step).await;
            if self.all_released() {
                break;
            }
        }
        let world = self.parts().2.world();
        for machine in world.machines.values() {
            assert_eq!(
                machine.status.state,
                State::Released,
                "{}: {:?}",
                machine.name,
                machine.status
            );
        }
        for node in world.nodes.values() {
            assert!(node.holder.is_none(), "{} is still held", node.place);
            assert!(
                rack::invariants::may_be_given(node),
                "{} is not clean: {:?}",
                node.place,
                node.tenancy
            );
        }
    }

    fn all_released(&mut self) -> bool {
        self.parts()
            .2
            .world()
            .machines
            .values()
            .all(|m| m.status.state == State::Released)
    }

    async fn release_all(&mut self, until: tokio::time::Instant) {
        self.plan.clear();
        let clock = *self.parts().0;
        let Some(house) = self.open(clock).await else { return };
        self.wires.daemon(Some(daemon(&house, clock)));
        // Every machine there is: one whose acceptance was never heard of by its user is there all the same.
        let names: Vec<Name> = house.world().machines.keys().cloned().collect();
        tokio::select! {
            biased;
            ended = house.run_loops() => panic!("the loops ended: {ended:?}"),
            () = async {
                for name in &names {
                    house.release(&who(), name, false).await.expect("a release is accepted");
                }
                self.use_it(&house, until).await;
            } => {}
        }
        self.wires.daemon(None);
    }
}

/// What of a house can be reached over the network.
fn daemon(house: &House, clock: TimerClock) -> Daemon {
    let kit = boot::http::Kit::in_memory(b"kernel", b"initrd");
    let desk: Arc<dyn boot::desk::Desk> = Arc::new(house.clone());
    let key = boot::metadata::TokenKey::new(&house_secrets().metadata_key(), move || clock.now());
    let http = boot::http::router(Arc::clone(&desk), kit).merge(boot::metadata::router(desk, key));
    Daemon {
        life: tokio_util::sync::CancellationToken::new(),
        house: house.clone(),
        http,
        dhcp: dhcp(),
    }
}

fn epoch() -> Time {
    Time::from_millis(1_800_000_000_000)
}

fn who() -> Who {
    Who {
        name: "sim".parse().expect("a name"),
        role: Role::Admin,
    }
}

fn house_secrets() -> Arc<control::secrets::Secrets> {
    Arc::new(control::secrets::Secrets::from_master(&[9; 32]))
}

/// Small servers: what is simulated is the life cycle, not the copying of bytes.
fn layout() -> emulator::RackLayout {
    let mut layout = emulator::RackLayout::of(SERVERS);
    layout.gpu_servers = 0;
    layout.bare_servers = 1;
    layout.pdus = 1;
    layout.build.dimms = 1;
    layout.build.nvme_gb = 1;
    layout.build.sata_gb = 0;
    layout
}

fn dhcp() -> boot::dhcp::Config {
    boot::dhcp::Config::new(Ipv4Addr::new(127, 77, 0, 1), 16, "http://127.0.0.1:7480")
}

/// One small bootable image for every seed.
fn images() -> &'static (Arc<boot::images::ImageStore>, Image) {
    static IMAGES: OnceLock<(Arc<boot::images::ImageStore>, Image)> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder").keep();
        let mut disk = vec![0u8; 64 * 1024];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk[40_000..40_100].fill(7);
        let file = dir.join("disk.raw");
        std::fs::write(&file, disk).expect("a file");
        let store = boot::images::ImageStore::open(dir.join("images")).expect("an image store");
        let name: Name = "demo".parse().expect("a name");
        let source = boot::images::Source::File(file);
        // On a thread of its own: this may be asked for inside a runtime.
        let add = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime
                .block_on(store.add(&name, source, |_| {}, epoch()))
                .expect("an image")
        };
        let image = std::thread::scope(|s| s.spawn(add).join()).expect("no panic");
        (Arc::new(store), image)
    })
}
