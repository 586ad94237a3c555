//! I9: what is taken is taken in the order that users gave. Judged when it is committed, on what the house itself sees at that
//! moment: nothing that it can't know is held against it. How much is taken from whom is `plan::pressure`'s, and tested there.

use std::collections::BTreeSet;

use rack::power::{Carries, FedBox, OneLine};
use rack::shed::Shed;
use rack::{NodeId, Place, State, World};

/// Watts that a machine draws, or draws beyond its lowest cap, before it is said to have had something to give.
const SOMETHING: f64 = 50.0;

/// What a commit takes beyond what was taken before.
pub struct Taken {
    pub shed: Shed,
    /// It is stopped now, and was not before.
    pub stop: bool,
    /// It is capped now, and nothing was taken from it before.
    pub cap: bool,
}

/// What a shed record takes that the one before it did not.
pub fn taken(before: Option<&Shed>, shed: &Shed) -> Option<Taken> {
    let before = before.filter(|b| b.machine == shed.machine && !b.is_over());
    let taken = Taken {
        shed: shed.clone(),
        stop: shed.stop.is_some() && before.is_none_or(|b| b.stop.is_none()),
        cap: shed.cap.is_some() && shed.stop.is_none() && before.is_none(),
    };
    (taken.stop || taken.cap).then_some(taken)
}

/// A machine of lower priority behind the same PDUs that could have given and was left alone, in words.
pub fn wrong(line: &OneLine, world: &World, taken: &Taken) -> Option<String> {
    let fed = |place: &Place| line.boxes.iter().find(|b| b.place == *place);
    let through: BTreeSet<&Place> = behind(fed(&taken.shed.place)?);
    let lets = |b: &&FedBox| {
        let answers = b.armed && b.silent.is_none() && b.watts.is_some();
        let lower = b.nice.is_some_and(|n| n > taken.shed.nice) && b.machine.is_some();
        answers && lower && !through.is_empty() && through.is_subset(&behind(b))
    };
    let left = line.boxes.iter().filter(lets).find(|b| {
        let record = shed_at(world, &b.place);
        let draws = watts(b);
        let runs = b.state.as_deref() == Some(&State::Running.to_string());
        let could_stop = runs && draws > SOMETHING && record.is_none_or(|s| s.stop.is_none());
        let could_cap = record.is_none() && b.floor.is_some_and(|f| draws > f + SOMETHING);
        (taken.stop && could_stop) || (taken.cap && could_cap)
    })?;
    let (shed, name) = (&taken.shed, left.machine.as_ref()?);
    Some(format!(
        "{} of nice {} is {}, and {name} of nice {} behind the same PDUs draws {:.0} W",
        shed.machine,
        shed.nice,
        shed.in_words(),
        left.nice.unwrap_or_default(),
        watts(left)
    ))
}

/// PDUs through which a box gets power now.
fn behind(fed: &FedBox) -> BTreeSet<&Place> {
    let live = fed.cords.iter().filter(|c| c.carries != Carries::No);
    live.map(|c| &c.pdu).collect()
}

fn watts(fed: &FedBox) -> f64 {
    let live = fed.cords.iter().filter(|c| c.carries != Carries::No);
    let cords: Option<f64> = live.map(|c| c.watts).try_fold(0.0, |sum, w| Some(sum + w?));
    cords.unwrap_or(0.0).min(fed.watts.unwrap_or(0.0))
}

/// What is taken from the machine there, in what is recorded by now.
fn shed_at<'a>(world: &'a World, place: &Place) -> Option<&'a Shed> {
    let id: &NodeId = &world.node_at(place)?.id;
    world.sheds.get(id).map(AsRef::as_ref).filter(|s| !s.is_over())
}
