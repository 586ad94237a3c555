//! Runs a story: a rack, a daemon that dies and comes back, users who ask for things and change their minds. Everything
//! is in one thread under tokio's paused clock, so that the same story is the same to the last byte.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use control::env::{Clock, TimerClock};
use control::{BootNetwork, Config, Env, House};
use futures_util::FutureExt as _;
use rack::{Image, Name, Time};
use store::Store;
use store::memory::Memory;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::rig::Rig;
use crate::story::{Ask, Event, Story, What};
use crate::tally::Tally;
use crate::truth::store::Witnessed;
use crate::truth::witness::Witness;
use crate::truth::{Broken, Verdict};
use crate::weather::Weather;
use crate::wires::{Daemon, Wires};
use crate::{quiet, users};

/// How often what should have happened and did not is looked for.
const LOOK: Duration = Duration::from_secs(300);
/// Seconds after which all is given back that was taken so that nothing trips: some machines are started, one after the other.
pub const GIVEN_BACK: u64 = 1800;

/// What a story came to: equal for equal stories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What happened, in numbers.
    pub tally: Tally,
    /// What is broken, if anything is.
    pub broken: Option<Broken>,
    /// Everything that was ever committed, as one number.
    pub digest: u64,
}

/// What stands between the house and its store; the store itself, but for tests that break something on purpose.
pub type Between = fn(Memory) -> Arc<dyn Store>;

/// Runs a story.
pub fn run(story: &Story) -> Outcome {
    run_with(story, |store| Arc::new(store))
}

/// Runs a story on a store that `between` has its hands in.
pub fn run_with(story: &Story, between: Between) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread");
    let _quiet = quiet::panics();
    runtime.block_on(async {
        let city = City::new(story, between).await;
        if let Err(panic) = AssertUnwindSafe(city.whole()).catch_unwind().await {
            city.verdict.broken("panic", quiet::words(&*panic));
        }
        let outcome = city.outcome();
        city.wires.daemon(None);
        city.rig.stop();
        outcome
    })
}

/// The daemon's clock: it can be wrong.
#[derive(Clone)]
struct WallClock {
    timer: TimerClock,
    ahead: Arc<AtomicI64>,
}

impl Clock for WallClock {
    fn now(&self) -> Time {
        let millis = self.timer.now().as_millis() + self.ahead.load(Ordering::Relaxed);
        Time::from_millis(millis)
    }
}

/// A rack and its house, while a story is told.
pub(crate) struct City {
    pub(crate) story: Story,
    pub(crate) verdict: Verdict,
    pub(crate) rig: Arc<Rig>,
    wires: Wires,
    tally: Mutex<Tally>,
    disarmed: Mutex<BTreeSet<u32>>,
    weather: Weather,
    witness: Arc<Mutex<Witness>>,
    store: Arc<dyn Store>,
    clock: WallClock,
}

impl City {
    async fn new(story: &Story, between: Between) -> City {
        let timer = TimerClock::starting_at(epoch());
        let clock = WallClock {
            timer,
            ahead: Arc::default(),
        };
        let weather = Weather::new(story.seed);
        let verdict = Verdict::default();
        let rig = Arc::new(Rig::new(story, timer));
        let faults = weather.clone();
        let memory = Memory::with_faults(Box::new(move |_| faults.commit()));
        let now = clock.clone();
        let witness = Witness::of(&memory, Arc::clone(&rig), verdict.clone(), Box::new(move || now.now())).await;
        let witness = Arc::new(Mutex::new(witness));
        let wires = Wires::new(weather.clone(), Arc::clone(&rig), verdict.clone(), Arc::clone(&witness));
        rig.start(Arc::new(wires.clone()));
        let store = Arc::new(Witnessed {
            store: between(memory),
            witness: Arc::clone(&witness),
        });
        City {
            story: story.clone(),
            verdict,
            rig,
            wires,
            tally: Mutex::default(),
            disarmed: Mutex::default(),
            weather,
            witness,
            store,
            clock,
        }
    }

    /// What happened, in numbers.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().expect("nothing panics under this lock"));
    }

    /// Units that someone disarmed.
    pub(crate) fn disarmed<R>(&self, ask: impl FnOnce(&mut BTreeSet<u32>) -> R) -> R {
        ask(&mut self.disarmed.lock().expect("nothing panics under this lock"))
    }

    /// Asks the witness, once it has seen everything.
    pub(crate) fn witness<R>(&self, ask: impl FnOnce(&mut Witness) -> R) -> R {
        let mut witness = self.witness.lock().expect("nothing panics under this lock");
        witness.catch_up();
        ask(&mut witness)
    }

    fn outcome(&self) -> Outcome {
        let mut tally = self.tally.lock().expect("nothing panics under this lock").clone();
        let seconds = self.clock.timer.now().since(epoch()).as_secs();
        tally.stories = 1;
        tally.seconds = seconds;
        tally.node_seconds = seconds * u64::from(self.story.nodes);
        (tally.contacts, tally.faults) = self.weather.contacts();
        tally.looks = self.verdict.looks();
        tally.tripped = self.rig.tripped();
        let digest = self.witness(|w| {
            (tally.capped, tally.stopped) = w.shed;
            tally.shedding = u64::from(w.shed != (0, 0));
            (tally.commits, tally.installs, tally.wipes, tally.bare) = (w.commits, w.installs, w.wipes, w.bare);
            tally.accepted = w.accepted.len() as u64;
            w.digest()
        });
        Outcome {
            tally,
            broken: self.verdict.first(),
            digest,
        }
    }

    /// Bad luck, then good luck, unless something is broken before.
    async fn whole(&self) {
        tokio::select! {
            biased;
            () = self.verdict.falls() => {}
            () = self.looks() => {}
            () = self.lives() => {}
        }
    }

    async fn lives(&self) {
        let (asks, asked) = mpsc::unbounded_channel();
        tokio::select! {
            biased;
            () = self.timeline(asks) => {}
            () = self.daemon(asked) => {}
        }
        self.wires.daemon(None);
        self.trips();
        self.given_back();
        let contacts = self.weather.contacts().0;
        self.count(|t| t.lived = contacts);
        self.weather.clears();
        self.rig.mend();
        self.witness(Witness::excuse);
        self.rest().await;
    }

    /// I3: in a calm story no breaker trips by itself.
    fn trips(&self) {
        if self.story.is_calm() {
            let open = self.rig.open_breakers();
            self.verdict.holds("I3", open.is_empty(), || {
                format!("{} tripped under what was left to it", open.join(", "))
            });
        }
    }

    /// I3: in a calm story all is given back soon after the last trouble is over.
    fn given_back(&self) {
        if self.story.is_calm() && self.story.over() + GIVEN_BACK <= self.story.seconds {
            let sheds = self.witness(|w| w.world().sheds.clone());
            self.verdict.holds("I3", sheds.is_empty(), || {
                let left: Vec<String> = sheds
                    .values()
                    .map(|s| format!("{} {}", s.machine, s.in_words()))
                    .collect();
                format!("{GIVEN_BACK} s after the last trouble: {}", left.join(", "))
            });
        }
    }

    /// Looks for what should have happened and did not: no commit tells of that.
    async fn looks(&self) {
        loop {
            sleep(LOOK).await;
            self.trips();
            self.witness(Witness::look);
        }
    }

    /// What happens, when it happens.
    async fn timeline(&self, asks: mpsc::UnboundedSender<Ask>) {
        let begun = Instant::now();
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (i, event) in self.story.events.iter().enumerate() {
            moments.push((event.at.min(self.story.seconds), true, i));
            if let Some(lasts) = event.what.lasts() {
                moments.push(((event.at.saturating_add(lasts)).min(self.story.seconds), false, i));
            }
        }
        moments.sort_by_key(|(at, begins, i)| (*at, *i, !begins));
        for (at, begins, i) in moments {
            sleep_until(begun + Duration::from_secs(at)).await;
            let event = &self.story.events[i];
            let what = &event.what;
            self.trips();
            if begins {
                self.begins(i, event, &asks);
            } else {
                self.weather.ends(i);
                self.rig.ends(i, what);
                if matches!(what, What::Full { .. }) {
                    self.witness(Witness::excuse);
                }
            }
        }
        sleep_until(begun + Duration::from_secs(self.story.seconds)).await;
    }

    fn begins(&self, i: usize, event: &Event, asks: &mpsc::UnboundedSender<Ask>) {
        let what = &event.what;
        self.count(|t| *t.events.entry(what.kind()).or_default() += 1);
        match what {
            What::User(ask) => _ = asks.send(ask.clone()),
            What::Clock { by } => {
                self.clock.ahead.fetch_add(by.saturating_mul(1000), Ordering::Relaxed);
                self.witness(Witness::excuse);
            }
            What::Full { lasts } => {
                self.witness(|w| w.excuse_for(Duration::from_secs(*lasts)));
                self.weather.begins(i, event);
            }
            _ => {
                self.weather.begins(i, event);
                self.rig.begins(i, what);
            }
        }
    }

    /// The daemon lives, dies and starts again, while users ask.
    async fn daemon(&self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        loop {
            self.one_life(async |house: &House| users::at_work(self, house, &mut asked).await)
                .await;
            self.count(|t| t.crashes += 1);
            let down = Duration::from_secs(self.weather.down());
            self.witness(|w| w.excuse_for(down));
            sleep(down).await;
            while asked.try_recv().is_ok() {
                self.count(|t| t.unheard += 1);
            }
        }
    }

    /// One life of the daemon: until it dies, or `use_it` is done with it.
    pub(crate) async fn one_life(&self, use_it: impl AsyncFnOnce(&House)) {
        // a death that came while nobody lived is none
        let _ = self.weather.death.notified().now_or_never();
        let house = match House::open(self.env()).await {
            Ok(house) => house,
            Err(error) => {
                return self
                    .verdict
                    .broken("loops", format!("the house does not open: {error}"));
            }
        };
        self.wires.daemon(Some(daemon(&house, self.clock.clone())));
        self.witness(|w| w.house = Some(house.clone()));
        tokio::select! {
            biased;
            () = self.weather.death.notified() => {}
            ended = house.run_loops() => {
                let why = ended.err().map_or_else(|| "without a word".to_owned(), |e| e.to_string());
                let why = quiet::last().map_or(why.clone(), |panic| format!("{why}: {panic}"));
                self.verdict.broken("loops", format!("the loops ended: {why}"));
                std::future::pending().await
            }
            () = use_it(&house) => {}
        }
        self.witness(|w| w.house = None);
        self.wires.daemon(None);
    }

    fn env(&self) -> Env {
        Env {
            store: Arc::clone(&self.store),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(self.wires.clone()),
            dial: Arc::new(self.wires.clone()),
            probe: Arc::new(self.wires.clone()),
            secrets: secrets(),
            images: Some(Arc::clone(&images().0)),
            config: Arc::new(Config {
                streams: 0,
                network: Some(BootNetwork {
                    server: Ipv4Addr::new(127, 77, 0, 1),
                    prefix: 16,
                    first: Ipv4Addr::new(127, 77, 0, 10),
                    last: Ipv4Addr::new(127, 77, 0, 99),
                }),
                poll: Duration::from_secs(60),
                readings: Duration::from_secs(self.story.readings),
                ..Config::default()
            }),
        }
    }
}

/// What of a house can be reached over the network.
fn daemon(house: &House, clock: WallClock) -> Daemon {
    let kit = boot::http::Kit::in_memory(b"kernel", b"initrd");
    let desk: Arc<dyn boot::desk::Desk> = Arc::new(house.clone());
    let key = boot::metadata::TokenKey::new(&secrets().metadata_key(), move || clock.now());
    let http = boot::http::router(Arc::clone(&desk), kit).merge(boot::metadata::router(desk, key));
    Daemon {
        life: tokio_util::sync::CancellationToken::new(),
        house: house.clone(),
        http,
        dhcp: boot::dhcp::Config::new(Ipv4Addr::new(127, 77, 0, 1), 16, "http://127.0.0.1:7480"),
    }
}

fn epoch() -> Time {
    Time::from_millis(1_800_000_000_000)
}

fn secrets() -> Arc<control::secrets::Secrets> {
    static SECRETS: OnceLock<Arc<control::secrets::Secrets>> = OnceLock::new();
    Arc::clone(SECRETS.get_or_init(|| Arc::new(control::secrets::Secrets::from_master(&[9; 32]))))
}

/// One small bootable image for every story.
pub(crate) fn images() -> &'static (Arc<boot::images::ImageStore>, Image) {
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
        // where it happened to lie is no part of any story
        let image = Image {
            source: "disk.raw".into(),
            ..image
        };
        (Arc::new(store), image)
    })
}
