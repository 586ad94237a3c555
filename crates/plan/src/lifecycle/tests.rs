//! The life cycle against a small world that obeys, refuses, lies and breaks as the test case says.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rack::agent::{AgentState, DiskWipe, FoundHardware, Outcome, WipeMethod, Work};
use rack::image::Packing;
use rack::node::{Abilities, BmcAddress};
use rack::shed::{Halt, Shed};
use rack::{
    Ask, BootTarget, Bytes, Desired, Health, Identity, Image, Machine, Node, NodeId, Part, PartKind, PowerState,
    ResetKind, Stage, State, Status, Tenancy, Time, World, invariants,
};

mod no_bmc;

use super::*;
use crate::order::{netboots, order_id};

/// What a node does with an act or an agent with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    Obeys,
    Ignores,
    Refuses,
    Silent,
    OtherBox,
    AgentFails,
    PowerLost,
    DirtyWipe,
    Restart,
    /// The BMC hangs until its power is cut.
    Hung,
}

/// One machine, its nodes and the physical truth about them.
struct Lab {
    world: World,
    name: rack::Name,
    now: Time,
    policy: Policy,
    power: PowerState,
    /// Whether its outlets are off.
    dark: bool,
    network_next: bool,
    agent: Option<(AgentState, Time)>,
    seen: Option<Seen>,
    silent: bool,
    last: Option<Attempt>,
    login: Option<Time>,
    /// Whose data is really on the disk.
    data: Option<rack::Name>,
}

fn name(s: &str) -> rack::Name {
    s.parse().expect("a name")
}

pub(crate) fn node(slot: &str) -> Node {
    let part = |id: &str, kind| Part {
        id: id.into(),
        kind,
        maker: None,
        model: None,
        serial: None,
        firmware: None,
        health: Health::Ok,
    };
    Node {
        id: format!("id-{slot}").parse().expect("an id"),
        place: format!("r1/{slot}").parse().expect("a place"),
        identity: Identity::default(),
        bmc: BmcAddress {
            url: "https://10.0.0.1".into(),
            system: "/redfish/v1/Systems/1".into(),
            manager: None,
            chassis: None,
            credential: name("default"),
            certificate: None,
        },
        parts: vec![
            part("cpu1", PartKind::Processor { cores: 16, threads: 32 }),
            part("dimm1", PartKind::Memory { size: Bytes::gib(64) }),
            part(
                "disk0",
                PartKind::Drive {
                    size: Bytes(64_000_000_000),
                    bus: rack::node::DriveBus::Nvme,
                },
            ),
        ]
        .into(),
        health: Health::Ok,
        abilities: Abilities {
            reset: vec![ResetKind::On, ResetKind::ForceOff, ResetKind::GracefulShutdown],
            boot: vec![BootTarget::Pxe, BootTarget::UefiHttp, BootTarget::Hdd],
            boot_once: true,
            virtual_media: false,
            manager_reset: true,
            ..Abilities::default()
        },
        armed: true,
        holder: None,
        tenancy: Tenancy::Fresh,
        cordoned: None,
        boots: 0,
        outlets: Vec::new(),
        firmware: Vec::new(),
        discovered: Time::from_millis(0),
        inventoried: Time::from_millis(0),
    }
}

fn ask() -> Ask {
    Ask {
        image: Image {
            name: name("debian-13"),
            digest: "sha256:aa".into(),
            stored: Bytes(1_000),
            packing: Packing::Zstd,
            raw_digest: "sha256:bb".into(),
            raw: Bytes(8_000),
            source: "file".into(),
            added: Time::from_millis(0),
        },
        on: None,
        cores: 0,
        memory: Bytes(0),
        disk: Bytes(0),
        gpus: 0,
        host_name: None,
        ssh_keys: vec![],
        user_data: None,
        login: None,
        nice: 0,
    }
}

impl Lab {
    fn new(nodes: usize) -> Lab {
        let now = Time::from_millis(1_000_000);
        let mut world = World::default();
        for n in 1..=nodes {
            let node = node(&format!("u{n}"));
            world.nodes.insert(node.id.clone(), Arc::new(node));
        }
        let machine = Machine {
            name: name("web-1"),
            uid: uuid::Uuid::from_u128(7),
            created: now,
            ask: ask(),
            desired: Desired::Running,
            hurry: false,
            status: Status::new(now, now + Duration::from_secs(60)),
        };
        world.machines.insert(machine.name.clone(), Arc::new(machine));
        Lab {
            world,
            name: name("web-1"),
            now,
            policy: Policy::default(),
            power: PowerState::On,
            dark: false,
            network_next: false,
            agent: None,
            seen: None,
            silent: false,
            last: None,
            login: None,
            data: None,
        }
    }

    fn machine(&self) -> Machine {
        Machine::clone(&self.world.machines[&self.name])
    }

    fn set(&mut self, machine: Machine) {
        self.world.machines.insert(machine.name.clone(), Arc::new(machine));
    }

    fn desire(&mut self, desired: Desired) {
        let mut machine = self.machine();
        machine.desired = desired;
        self.set(machine);
    }

    /// Its power is taken so that nothing trips, or given back.
    fn shed(&mut self, stop: Option<Halt>) {
        let machine = self.machine();
        let (Some(node), Some(place)) = (&machine.status.node, &machine.status.place) else {
            return;
        };
        let shed = Shed {
            place: place.clone(),
            machine: machine.name.clone(),
            nice: 0,
            cap: None,
            stop,
            drew: 600.0,
            before: None,
            pdus: vec!["r1/pdu-b".parse().expect("a place")],
            because: "r1/pdu-b carries 104 % of its rating".into(),
            since: self.now,
            changed: self.now,
        };
        match stop {
            Some(_) => drop(self.world.sheds.insert(node.clone(), Arc::new(shed))),
            None => drop(self.world.sheds.remove(node)),
        }
    }

    /// Asks once, commits, acts as luck has it, and lets time pass. Every invariant holds after it.
    fn turn(&mut self, luck: Luck) {
        let machine = self.machine();
        let silence = self.silent.then_some("no route");
        let observed = Observed {
            seen: self.seen,
            silent: silence,
            last: self.last.as_ref(),
            agent: self.agent.as_ref().map(|(a, t)| (a, *t)),
            login: self.login,
            address: Some("10.0.0.9".parse().expect("an address")),
        };
        let step = next(&self.world, &machine, &observed, &self.policy, self.now);
        assert!(
            !step.status.reason.is_empty(),
            "I5: no reason in {:?}",
            step.status.state
        );
        let moved = (step.status.state, step.status.stage) != (machine.status.state, machine.status.stage);
        self.commit(machine, &step);
        if moved {
            self.last = None;
        } else if let Some(act) = step.act {
            self.act(act, luck);
        } else {
            self.happen(luck);
        }
        let broken = invariants::check(&self.world, self.now, Duration::from_secs(1));
        assert!(broken.is_empty(), "{broken:?}");
        let wake = step.wake.unwrap_or(self.now + Duration::from_secs(1));
        self.now = if moved {
            self.now + Duration::from_millis(10)
        } else {
            wake.max(self.now + Duration::from_millis(10))
        };
    }

    fn commit(&mut self, mut machine: Machine, step: &Step) {
        let bound = machine.status.node.clone();
        machine.status = step.status.clone();
        machine.desired = step.desired.unwrap_or(machine.desired);
        let id: Option<NodeId> = match &step.node {
            Some(NodeChange::Hold(id)) => Some(id.clone()),
            _ => bound,
        };
        if let (Some(change), Some(id)) = (&step.node, id) {
            let mut node = Node::clone(&self.world.nodes[&id]);
            match change {
                NodeChange::Hold(_) => {
                    assert!(invariants::may_be_given(&node), "I2");
                    assert!(self.data.is_none(), "I2: given with data of {:?}", self.data);
                    node.holder = Some(machine.name.clone());
                }
                NodeChange::NewBoot => {
                    node.boots += 1;
                    self.agent = None;
                }
                NodeChange::Use => {
                    node.tenancy = Tenancy::Used {
                        by: machine.name.clone(),
                    }
                }
                NodeChange::Wiped(_) => {
                    node.tenancy = Tenancy::Wiped {
                        proof: "proof/x".into(),
                    }
                }
                NodeChange::Free => node.holder = None,
                NodeChange::Cordon(why) => {
                    node.holder = None;
                    node.cordoned = Some(why.clone());
                }
            }
            self.world.nodes.insert(id, Arc::new(node));
        }
        self.set(machine);
    }

    fn act(&mut self, act: Act, luck: Luck) {
        let cut = act == Act::CycleOutlets;
        self.silent = luck == Luck::Silent || (luck == Luck::Hung && !cut);
        if self.silent {
            return;
        }
        match act {
            Act::Look => {
                let told = self.machine().status.stage == Stage::Settle && self.agent.is_some();
                if told && luck == Luck::Obeys && self.node().only_wakes() {
                    self.power_off();
                }
                self.seen = Some(Seen {
                    at: self.now,
                    power: self.shown(),
                    same: luck != Luck::OtherBox,
                });
                return;
            }
            Act::Probe => {
                if luck == Luck::Obeys && self.power == PowerState::On && self.agent.is_none() {
                    self.login = Some(self.now);
                }
                return;
            }
            _ if luck == Luck::Refuses => {
                let failure = Failure {
                    why: "refused".into(),
                    again: false,
                };
                self.last = Some(Attempt {
                    act,
                    at: self.now,
                    result: Err(failure),
                });
                return;
            }
            _ => {
                self.last = Some(Attempt {
                    act,
                    at: self.now,
                    result: Ok(()),
                })
            }
        }
        if luck == Luck::Ignores {
            return;
        }
        match act {
            Act::Power(ResetKind::On) => self.power_on(),
            Act::Power(_) if self.node().only_wakes() => {}
            Act::Power(_) | Act::CycleOutlets => {
                self.dark = self.node().abilities.no_bmc && act != Act::CycleOutlets;
                self.power_off();
            }
            Act::Boot(target) => self.network_next = matches!(target, BootTarget::Pxe | BootTarget::UefiHttp),
            _ => {}
        }
    }

    fn power_off(&mut self) {
        self.power = PowerState::Off;
        self.agent = None;
    }

    fn node(&self) -> Node {
        let machine = self.machine();
        let held = machine.status.node.and_then(|id| self.world.nodes.get(&id));
        Node::clone(held.expect("a node"))
    }

    /// What a look shows of the power: without a BMC only what the outlets prove.
    fn shown(&self) -> Option<PowerState> {
        if self.node().abilities.no_bmc {
            self.dark.then_some(PowerState::Off)
        } else {
            Some(self.power)
        }
    }

    fn power_on(&mut self) {
        self.dark = false;
        if self.power == PowerState::Off {
            self.power = PowerState::On;
            let ours = netboots(&self.machine());
            let network = self.network_next || self.node().abilities.no_bmc;
            self.agent = (network && ours).then(|| (agent(Work::Ready), self.now));
            self.network_next = false;
        }
    }

    /// What the agent or fate does while the loop waits.
    fn happen(&mut self, luck: Luck) {
        if luck == Luck::PowerLost {
            return self.power_off();
        }
        let machine = self.machine();
        if machine.status.stage == Stage::Settle && self.agent.is_some() {
            return self.power_off();
        }
        if self.agent.is_none() || machine.status.stage != Stage::Work {
            return;
        }
        let order = order_id(&machine);
        let wiping = machine.status.state == State::Wiping;
        if !wiping {
            self.data = Some(machine.name.clone());
        }
        let work = match luck {
            Luck::AgentFails => Work::Failed {
                order,
                error: "disk error".into(),
                again: true,
            },
            Luck::Ignores | Luck::Silent | Luck::Restart => return,
            _ if wiping => {
                let clean = luck != Luck::DirtyWipe;
                if clean {
                    self.data = None;
                }
                Work::Done {
                    order,
                    outcome: Outcome::Wiped {
                        disks: vec![wiped(clean)],
                    },
                }
            }
            _ => Work::Done {
                order,
                outcome: Outcome::Installed {
                    disk: "nvme0n1".into(),
                    written: Bytes(8_000),
                    millis: 5,
                },
            },
        };
        self.agent = Some((agent(work), self.now));
    }

    /// Takes turns until `done`, at most `most`.
    fn until(&mut self, most: usize, done: impl Fn(&Machine) -> bool) -> bool {
        for _ in 0..most {
            if done(&self.machine()) {
                return true;
            }
            self.turn(Luck::Obeys);
        }
        done(&self.machine())
    }
}

fn agent(work: Work) -> AgentState {
    AgentState {
        boot_id: "b".into(),
        version: "1".into(),
        hardware: FoundHardware::default(),
        work,
    }
}

fn wiped(clean: bool) -> DiskWipe {
    DiskWipe {
        disk: "nvme0n1".into(),
        model: None,
        serial: None,
        size: Bytes(64),
        method: WipeMethod::NvmeSanitize,
        samples: 3,
        sampled: Bytes(3),
        clean,
        millis: 1,
    }
}

fn rests(machine: &Machine) -> bool {
    matches!(
        machine.status.state,
        State::Running | State::Stopped | State::Held | State::Released
    ) && machine.status.stage == Stage::Rest
}

#[test]
fn a_machine_comes_up_and_is_given_back_wiped() {
    let mut lab = Lab::new(1);
    assert!(
        lab.until(200, |m| m.status.state == State::Running),
        "{:?}",
        lab.machine().status
    );
    let phases: Vec<String> = lab.machine().status.timeline.iter().map(|p| p.name.clone()).collect();
    let want = [
        "place",
        "check",
        "power",
        "firmware and kernel",
        "write",
        "restart",
        "first boot",
    ];
    assert_eq!(
        phases
            .iter()
            .map(String::as_str)
            .filter(|p| *p != "placed")
            .collect::<Vec<_>>(),
        want
    );
    lab.desire(Desired::Released);
    assert!(
        lab.until(200, |m| m.status.state == State::Released),
        "{:?}",
        lab.machine().status
    );
    let node = lab.world.nodes.values().next().expect("one node");
    assert!(matches!(node.tenancy, Tenancy::Wiped { .. }) && node.holder.is_none());
    assert_eq!(lab.data, None);
}

#[test]
fn a_machine_that_was_never_written_is_given_back_without_a_wipe() {
    let mut lab = Lab::new(1);
    assert!(lab.until(50, |m| m.status.stage == Stage::AwaitAgent));
    lab.desire(Desired::Released);
    assert!(lab.until(50, |m| m.status.state == State::Released));
    assert_eq!(
        lab.world.nodes.values().next().map(|n| n.tenancy.clone()),
        Some(Tenancy::Fresh)
    );
}

#[test]
fn a_node_whose_bmc_is_silent_is_left_for_another_one() {
    let mut lab = Lab::new(2);
    lab.turn(Luck::Obeys);
    let first = lab.machine().status.node;
    for _ in 0..5_000 {
        if lab.machine().status.node.is_some() && lab.machine().status.node != first {
            break;
        }
        lab.turn(Luck::Silent);
    }
    assert_ne!(lab.machine().status.node, first);
    let left = &lab.world.nodes[&first.expect("was bound")];
    assert!(
        left.holder.is_none()
            && left
                .cordoned
                .as_deref()
                .is_some_and(|w| w.contains("web-1 failed on it"))
    );
    assert!(lab.until(300, |m| m.status.state == State::Running));
}

#[test]
fn a_bmc_that_hangs_comes_back_after_a_power_cut_at_the_outlets() {
    let mut lab = Lab::new(1);
    let id = lab.world.nodes.keys().next().cloned().expect("one node");
    let mut fed = Node::clone(&lab.world.nodes[&id]);
    fed.outlets = vec![rack::node::OutletRef {
        pdu: "r1/pdu-a".parse().expect("a place"),
        outlet: "1".into(),
    }];
    lab.world.nodes.insert(id, Arc::new(fed));
    lab.until(40, |m| m.status.stage == Stage::PowerOff);
    let mut rungs = Vec::new();
    for _ in 0..20_000 {
        let cut = lab.last.as_ref().is_some_and(|l| l.act == Act::CycleOutlets);
        if cut {
            break;
        }
        rungs.push(lab.machine().status.rung);
        lab.turn(Luck::Hung);
    }
    rungs.dedup();
    use rack::machine::Rung;
    assert_eq!(rungs, [Rung::Gentle, Rung::Hard, Rung::BmcReset, Rung::Outlet]);
    assert!(
        lab.until(300, |m| m.status.state == State::Running),
        "{:?}",
        lab.machine().status
    );
}

#[test]
fn a_box_that_is_another_one_is_never_written_to() {
    let mut lab = Lab::new(1);
    let mut machine = lab.machine();
    machine.ask.on = Some("r1/u1".parse().expect("a place"));
    lab.set(machine);
    for _ in 0..100 {
        lab.turn(Luck::OtherBox);
    }
    let machine = lab.machine();
    assert_eq!(machine.status.state, State::Held);
    assert!(
        machine.status.reason.contains("another box"),
        "{}",
        machine.status.reason
    );
    assert_eq!(lab.last, None, "nothing was written");
}

#[test]
fn a_wipe_that_leaves_data_holds_the_node_back() {
    let mut lab = Lab::new(1);
    assert!(lab.until(200, |m| m.status.state == State::Running));
    lab.desire(Desired::Released);
    for _ in 0..20_000 {
        lab.turn(Luck::DirtyWipe);
        if lab.machine().status.state == State::Held {
            break;
        }
    }
    let machine = lab.machine();
    assert_eq!(machine.status.state, State::Held, "{:?}", machine.status);
    assert!(crate::place(&lab.world, &ask(), &[]).is_err());
    let status = retry(&machine, &lab.policy, Duration::ZERO, lab.now);
    lab.set(Machine { status, ..machine });
    assert!(lab.until(300, |m| m.status.state == State::Released));
    assert_eq!(lab.data, None);
}

#[test]
fn a_wipe_that_saw_fewer_disks_than_the_node_has_proves_nothing() {
    let mut lab = Lab::new(1);
    assert!(lab.until(200, |m| m.status.state == State::Running));
    lab.desire(Desired::Released);
    assert!(lab.until(200, |m| m.status.state == State::Wiping
        && m.status.stage == Stage::Work));
    let order = order_id(&lab.machine());
    lab.agent = Some((
        agent(Work::Done {
            order,
            outcome: Outcome::Wiped { disks: vec![] },
        }),
        lab.now,
    ));
    lab.turn(Luck::Restart);
    let machine = lab.machine();
    assert!(
        machine.status.touched && machine.status.tries == 2,
        "{:?}",
        machine.status
    );
    assert!(
        machine.status.reason.contains("0 disks of 1"),
        "{}",
        machine.status.reason
    );
}

#[test]
fn signals_stop_and_start_a_running_machine() {
    let mut lab = Lab::new(1);
    assert!(lab.until(200, |m| m.status.state == State::Running));
    for stop in [Desired::Stopped, Desired::Killed] {
        lab.desire(stop);
        assert!(lab.until(50, |m| m.status.state == State::Stopped), "{stop:?}");
        assert_eq!(lab.power, PowerState::Off);
        lab.desire(Desired::Running);
        assert!(
            lab.until(50, |m| m.status.state == State::Running),
            "{:?}",
            lab.machine().status
        );
    }
}

#[test]
fn what_gives_up_its_power_starts_again_by_itself_and_its_owners_wish_stays() {
    let mut lab = Lab::new(1);
    assert!(lab.until(200, |m| m.status.state == State::Running));
    for halt in [Halt::Ask, Halt::Cut] {
        lab.shed(Some(halt));
        assert!(lab.until(50, |m| m.status.state == State::Stopped), "{halt:?}");
        assert_eq!((lab.power, lab.machine().desired), (PowerState::Off, Desired::Running));
        assert!(
            lab.machine().status.reason.contains("r1/pdu-b carries 104 %"),
            "{}",
            lab.machine().status.reason
        );
        for _ in 0..20 {
            lab.turn(Luck::Obeys);
        }
        assert_eq!(lab.power, PowerState::Off, "it stays off");
        let why = crate::why::machine(&lab.world, &lab.machine(), lab.now);
        assert!(
            why.next
                .iter()
                .any(|n| n.contains("started as far as there is room once r1/pdu-b")),
            "{why:?}"
        );
        assert!(
            why.ways_out.iter().any(|w| w.starts_with("busbar nice -n -5 web-1")),
            "{why:?}"
        );
        lab.shed(None);
        assert!(lab.until(50, |m| m.status.state == State::Running), "{halt:?}");
    }
    // who goes anyway goes
    lab.shed(Some(Halt::Cut));
    assert!(lab.until(50, |m| m.status.state == State::Stopped));
    lab.desire(Desired::Released);
    assert!(
        lab.until(300, |m| m.status.state == State::Released),
        "{:?}",
        lab.machine().status
    );
}

#[test]
fn power_that_was_cut_from_outside_is_a_stop() {
    let mut lab = Lab::new(1);
    assert!(lab.until(200, |m| m.status.state == State::Running));
    lab.power_off();
    lab.seen = Some(Seen {
        at: lab.now + Duration::from_secs(1),
        power: Some(PowerState::Off),
        same: true,
    });
    lab.turn(Luck::Obeys);
    assert_eq!(lab.machine().status.state, State::Stopped);
    assert_eq!(lab.machine().desired, Desired::Stopped);
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        6 => Just(Luck::Obeys),
        2 => Just(Luck::Ignores),
        1 => Just(Luck::Refuses),
        2 => Just(Luck::Silent),
        1 => Just(Luck::OtherBox),
        1 => Just(Luck::AgentFails),
        1 => Just(Luck::PowerLost),
        1 => Just(Luck::DirtyWipe),
        1 => Just(Luck::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// No state without an exit: after any run of bad luck, cancelling a machine releases it once luck turns, with its
    /// data gone; and while luck is bad the invariants hold (checked in every turn).
    #[test]
    fn from_every_state_there_is_a_way_out(
        bad in prop::collection::vec(luck(), 0..400),
        wishes in prop::collection::vec((0usize..400, 0usize..7), 0..6),
        no_bmc: bool,
    ) {
        let mut lab = if no_bmc { Lab::without_bmc(2, true) } else { Lab::new(2) };
        for (i, luck) in bad.into_iter().enumerate() {
            for (at, wish) in &wishes {
                let desires = [Desired::Running, Desired::Stopped, Desired::Killed, Desired::Released];
                match desires.get(*wish) {
                    _ if *at != i => {}
                    Some(desired) if lab.machine().desired != Desired::Released => lab.desire(*desired),
                    Some(_) => {}
                    None => lab.shed([None, Some(Halt::Ask), Some(Halt::Cut)][*wish - desires.len()]),
                }
            }
            if luck == Luck::Restart {
                // What is only in memory is lost with the process.
                (lab.seen, lab.last, lab.login) = (None, None, None);
            }
            lab.turn(luck);
        }
        lab.silent = false;
        // Left alone in a world that obeys, it comes to rest: nothing waits for ever.
        prop_assert!(lab.until(3_000, |m| rests(m) || m.status.state == State::Held), "{:?}", lab.machine().status);
        lab.desire(Desired::Released);
        let machine = lab.machine();
        let status = retry(&machine, &lab.policy, Duration::ZERO, lab.now);
        lab.set(Machine { status, ..machine });
        prop_assert!(lab.until(3_000, |m| m.status.state == State::Released), "{:?}", lab.machine().status);
        prop_assert_eq!(lab.data, None);
    }

    /// In a world that never answers, nothing waits for ever: it ends in a state that says why.
    #[test]
    fn a_world_that_never_answers_ends_in_held(stage in 0usize..12) {
        let mut lab = Lab::new(1);
        for _ in 0..stage {
            lab.turn(Luck::Obeys);
        }
        for _ in 0..20_000 {
            if rests(&lab.machine()) {
                break;
            }
            lab.turn(Luck::Silent);
        }
        let machine = lab.machine();
        prop_assert!(rests(&machine), "{:?}", machine.status);
        prop_assert!(!crate::why::machine(&lab.world, &machine, lab.now).ways_out.is_empty());
    }
}

#[test]
fn a_clock_that_steps_back_moves_the_deadline_with_it() {
    let mut lab = Lab::new(1);
    while lab.machine().status.state != State::Booting {
        lab.turn(Luck::Obeys);
    }
    let before = lab.machine().status;
    let limit = before.stage_since.until(before.deadline);
    lab.now = Time::from_millis(lab.now.as_millis() - 86_400_000);
    lab.turn(Luck::Silent);
    let after = lab.machine().status;
    assert_eq!((after.state, after.stage), (before.state, before.stage));
    assert!(after.stage_since.until(after.deadline) == limit && lab.now.until(after.deadline) <= limit);
    assert!(after.since <= lab.now);
    // it is tried harder in time
    let late = after.deadline;
    while lab.now <= late {
        lab.turn(Luck::Silent);
    }
    lab.turn(Luck::Silent);
    assert!(lab.machine().status.tries > before.tries, "{:?}", lab.machine().status);
}

#[test]
fn every_phase_but_the_wait_for_parts_has_a_budget() {
    let policy = Policy::default();
    let machine = Lab::new(1).machine();
    let states = [
        State::Placed,
        State::Composing,
        State::Booting,
        State::Installing,
        State::Draining,
        State::Wiping,
    ];
    let stages = [
        Stage::Rest,
        Stage::Verify,
        Stage::PowerOff,
        Stage::SetNetwork,
        Stage::PowerOn,
        Stage::AwaitAgent,
        Stage::Work,
        Stage::Settle,
        Stage::SetDisk,
        Stage::Start,
        Stage::AwaitLogin,
        Stage::ResetBmc,
        Stage::CycleOutlets,
    ];
    for state in states {
        for stage in stages {
            let name = phase(state, stage).expect("time is spent on the way");
            assert!(budget(&policy, &machine, name).is_some_and(|b| !b.is_zero()), "{name}");
        }
    }
    assert_eq!(budget(&policy, &machine, "place"), None);
    let restart = budget(&policy, &machine, "restart").unwrap();
    assert_eq!(
        restart,
        policy.settle + policy.power + policy.boot_setting + policy.power
    );
}

#[test]
fn a_placement_says_why_it_is_there() {
    let reason = |nodes| {
        let mut lab = Lab::new(nodes);
        lab.turn(Luck::Obeys);
        lab.machine().status.reason
    };
    assert!(reason(1).ends_with("the only one that fits"), "{}", reason(1));
    assert!(reason(2).ends_with("the tightest of 2 that fit"), "{}", reason(2));
}
