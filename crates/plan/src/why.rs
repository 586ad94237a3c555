//! Why a machine or a node is as it is, what comes next by itself, and what changes it (invariant I5).

use rack::power::{Carries, FedBox, OneLine};
use rack::request::{NodeLive, Why};
use rack::shed::Shed;
use rack::{Desired, Machine, Node, Place, State, Tenancy, Time, World};

/// Why `machine` is as it is.
pub fn machine(world: &World, machine: &Machine, now: Time) -> Why {
    let s = &machine.status;
    let at = s.place.as_ref().map(|p| format!(" on {p}")).unwrap_or_default();
    let mut because = vec![s.reason.clone()];
    if let Some(failure) = s.failure.as_ref().filter(|f| !s.reason.contains(f.as_str())) {
        because.push(format!("last failure: {failure}"));
    }
    if s.tries > 1 {
        because.push(format!("this is try {}", s.tries));
    }
    if let Some(node) = world.node_of(machine)
        && let Some(why) = &node.cordoned
    {
        because.push(format!("{} is cordoned: {why}", node.place));
    }
    let mut next = Vec::new();
    let shed = world.shed_of(machine).filter(|s| !s.is_over());
    if let Some(shed) = shed {
        because.push(format!(
            "{} since {}, because {}; it drew {:.0} W, nice {}",
            shed.in_words(),
            shed.changed,
            shed.because,
            shed.drew,
            shed.nice
        ));
        next.push(given_back(shed));
    }
    if !matches!(s.state, State::Running | State::Stopped | State::Released | State::Held) {
        let left = now.until(s.deadline).as_secs();
        next.push(match s.state {
            State::Pending => format!("placed as soon as a node fits; held in {left} s otherwise"),
            _ => format!("tried harder in {left} s if this does not happen ({})", s.deadline),
        });
    }
    Why {
        about: machine.name.to_string(),
        headline: format!("{} is {}{at} since {}", machine.name, s.state, s.since),
        because,
        next,
        ways_out: shed
            .map(|s| first_others(s))
            .into_iter()
            .chain(machine_ways_out(machine))
            .collect(),
    }
}

/// When a machine gets back what was taken from it.
fn given_back(shed: &Shed) -> String {
    let rules = crate::pressure::Rules::default();
    let (wait, what) = match shed.stop {
        Some(_) => (rules.rest, "started"),
        None => (rules.hold, "raised"),
    };
    let pdus: Vec<&str> = shed.pdus.iter().map(AsRef::as_ref).collect();
    format!(
        "{what} as far as there is room once {} has been below {:.0} % for {} s, the highest priority first",
        pdus.join(" and "),
        rules.aim * 100.0,
        wait.as_secs()
    )
}

/// Why a PDU is as full as it is, and who gives way for it.
pub fn pdu(line: &OneLine, place: &Place) -> Option<Why> {
    let pdu = line.pdus.iter().find(|p| p.place == *place)?;
    let carries = match (pdu.carries, pdu.watts, pdu.rated) {
        (Carries::No, ..) => "carries nothing".to_owned(),
        (_, Some(watts), Some(rated)) if rated > 0.0 => {
            format!("carries {watts:.0} W, {:.0} % of its rating", watts / rated * 100.0)
        }
        (_, Some(watts), _) => format!("carries {watts:.0} W; it tells no rating"),
        (_, None, _) => "tells no watts".to_owned(),
    };
    let mut because: Vec<String> = Vec::new();
    let dark = |p: &&Place| line.pdus.iter().any(|x| x.place == **p && x.carries == Carries::No);
    because.extend(
        pdu.partners
            .iter()
            .filter(dark)
            .map(|p| format!("{p}, which feeds the same boxes, carries nothing")),
    );
    let boxes: Vec<&FedBox> = line
        .boxes
        .iter()
        .filter(|b| b.cords.iter().any(|c| c.pdu == *place))
        .collect();
    because.push(format!("{} boxes hang on it", boxes.len()));
    let sheds = boxes.iter().filter_map(|b| b.shed.as_ref());
    let mine: Vec<&Shed> = sheds.filter(|s| !s.is_over() && s.pdus.contains(place)).collect();
    let gives = |s: &&Shed| {
        format!(
            "{} is {}, it drew {:.0} W, nice {}",
            s.machine,
            s.in_words(),
            s.drew,
            s.nice
        )
    };
    because.extend(mine.iter().map(gives));
    let mut next: Vec<String> = mine.iter().map(|s| given_back(s)).collect();
    next.sort();
    next.dedup();
    Some(Why {
        about: place.to_string(),
        headline: format!("{place} {carries}"),
        because,
        next,
        ways_out: vec![
            format!("busbar whatif fail {place}    says what its loss would do"),
            "busbar nice    shows who gives way first".into(),
        ],
    })
}

/// The command that lets others give way before this machine.
fn first_others(shed: &Shed) -> String {
    let nice = (i16::from(shed.nice) - 5).max(-20);
    format!(
        "busbar nice -n {nice} {}    lets machines of a lower priority give way first",
        shed.machine
    )
}

/// Commands that take a machine out of where it is.
pub fn machine_ways_out(machine: &Machine) -> Vec<String> {
    let n = &machine.name;
    match (machine.status.state, machine.desired) {
        (State::Released, _) => vec![format!(
            "busbar run {} --name {n}    asks for it again",
            machine.ask.image.name
        )],
        (State::Held, Desired::Released) => vec![format!("busbar rm {n}    tries to wipe it again")],
        (State::Held, _) => vec![
            format!("busbar kill -CONT {n}    tries again"),
            format!("busbar rm {n}    wipes it and gives it back"),
        ],
        (State::Running, _) => vec![
            format!("busbar kill -TERM {n}    stops it"),
            format!("busbar rm {n}    wipes it and gives it back"),
        ],
        (State::Stopped, _) => vec![
            format!("busbar kill -CONT {n}    starts it"),
            format!("busbar rm {n}    wipes it and gives it back"),
        ],
        (State::Draining | State::Wiping, _) => vec![format!("busbar ps --watch    shows how far it is")],
        _ => vec![format!("busbar rm {n}    cancels it")],
    }
}

/// Why `node` is as it is.
pub fn node(world: &World, node: &Node, live: &NodeLive, now: Time) -> Why {
    let p = &node.place;
    let mut because = Vec::new();
    let mut ways_out = Vec::new();
    match (&node.holder, &node.tenancy) {
        (Some(by), _) => {
            let state = world
                .holder_of(node)
                .map(|m| format!(", which is {}", m.status.state))
                .unwrap_or_default();
            because.push(format!("held by {by}{state}"));
            ways_out.push(format!("busbar rm {by}    frees it"));
        }
        (None, Tenancy::Used { by }) => because.push(format!("holds data of {by} that was not proven wiped")),
        (None, Tenancy::Wiped { proof }) => because.push(format!("wiped after its last owner; proof: {proof}")),
        (None, Tenancy::Fresh) => because.push("never given out by Busbar".into()),
    }
    if !node.armed {
        because.push("not armed: Busbar only reads it".into());
        ways_out.push(format!("busbar arm {}    lets Busbar write to it", p.rack()));
    }
    if node.abilities.no_bmc {
        let (told, out) = without_bmc(node);
        because.extend(told);
        ways_out.extend(out);
    }
    if let Some(why) = &node.cordoned {
        because.push(format!("cordoned: {why}"));
        ways_out.push(format!("busbar uncordon {p}    puts it back into use"));
    }
    if let Some(why) = &live.silent {
        let seen = live
            .seen
            .map(|t| format!("last answer {} s ago", now.since(t).as_secs()));
        because.push(format!(
            "its BMC is silent: {why} ({})",
            seen.unwrap_or_else(|| "no answer yet".into())
        ));
    }
    for part in node.parts.iter().filter(|x| x.health > rack::Health::Ok) {
        because.push(format!("{p}/{} is {:?}", part.id, part.health).to_lowercase());
    }
    let free = crate::place::unfit(node).is_empty();
    if free {
        ways_out.push(format!("busbar run IMAGE --on {p}    uses it"));
    }
    let state = if node.holder.is_some() {
        "in use"
    } else if free {
        "free"
    } else {
        "not free"
    };
    Why {
        about: p.to_string(),
        headline: format!("{p} is {state}"),
        because,
        next: Vec::new(),
        ways_out,
    }
}

/// What a box without a BMC can't do, said before someone misses it, and what helps.
fn without_bmc(node: &Node) -> (Vec<String>, Vec<String>) {
    let outlets: Vec<String> = node.outlets.iter().map(|o| format!("{}/{}", o.pdu, o.outlet)).collect();
    let mut told = vec![
        "no BMC: woken through its network port, and seen by its outlets, its agent and its login".to_owned(),
        "boot override: none; its firmware must try the network first, and wake-on-LAN must be on there".to_owned(),
    ];
    let mut out = Vec::new();
    if outlets.is_empty() {
        told.push("sensors: no reading; power off: by hand only, as no outlets are written down".to_owned());
        out.push("outlets = [\"pdu-a/3\"] under its [[bmc]] in the rack file    lets Busbar cut its power".to_owned());
    } else {
        told.push(format!(
            "sensors: no reading but the watts of its outlets; power off: cut at {}",
            outlets.join(" and ")
        ));
    }
    (told, out)
}
