//! A story as one line: `seed=7 nodes=3 bare=1 hours=2; 90 run m1 wait=600; 300 fault u2 600 hang; 420 die +17 down=5`.

use std::fmt;
use std::str::FromStr;

use emulator::faults::Fault;
use rack::request::{OutletVerb, Signal};
use serde_json::{Map, Value};

use super::{Ask, Event, Lie, MOST, READINGS, Story, What, Whom};

/// Longest line, and most events in it.
const LONGEST: usize = 1 << 20;
/// Longest story: a year.
const YEAR: u64 = 366 * 86_400;

/// A line that tells no story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is no part of a story: {why}")]
pub struct BadStory {
    /// Which part.
    pub part: String,
    /// Why not.
    pub why: String,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Story {
            seed,
            nodes,
            bare,
            seconds,
            feed,
            readings,
            events,
        } = self;
        write!(f, "seed={seed} nodes={nodes} bare={bare} seconds={seconds}")?;
        if *feed != 0 {
            write!(f, " feed={feed}")?;
        }
        if *readings != READINGS {
            write!(f, " readings={readings}")?;
        }
        events
            .iter()
            .try_for_each(|event| write!(f, "; {} {}", event.at, event.what))
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Unit(unit) => write!(f, "u{unit}"),
            Whom::Pdu(pdu) => write!(f, "pdu-{}", letter(*pdu)),
            Whom::All => f.write_str("all"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::User(ask) => ask.fmt(f),
            What::Fault {
                on,
                lasts,
                action,
                count,
            } => {
                write!(f, "fault {on} {lasts}")?;
                let fields = serde_json::to_value(action).map_err(|_| fmt::Error)?;
                let fields = fields.as_object().ok_or(fmt::Error)?;
                let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                write!(f, " {}", fields.get("action").map(word).unwrap_or_default())?;
                for (key, value) in fields.iter().filter(|(key, _)| *key != "action") {
                    write!(f, " {key}={}", word(value))?;
                }
                count.map_or(Ok(()), |count| write!(f, " count={count}"))
            }
            What::Dark { on, feed, lasts } => {
                let feed = feed.map_or_else(|| "both".to_owned(), |feed| letter(feed).to_string());
                write!(f, "dark {on} {feed} {lasts}")
            }
            What::Work { on, percent, lasts } => write!(f, "work {on} {percent} {lasts}"),
            What::Lie { unit, lie, lasts } => {
                let lie = match lie {
                    Lie::On => "on",
                    Lie::Off => "off",
                    Lie::Frozen => "frozen",
                };
                write!(f, "lie u{unit} {lie} {lasts}")
            }
            What::Reboot { unit } => write!(f, "reboot u{unit}"),
            What::Vanish { percent, lasts } => write!(f, "vanish {percent} {lasts}"),
            What::Noise { per_mille, lasts } => write!(f, "noise {per_mille} {lasts}"),
            What::Die { contact, down } => write!(f, "die +{contact} down={down}"),
            What::StoreBefore { commits } => write!(f, "store before {commits}"),
            What::StoreAfter { commits } => write!(f, "store after {commits}"),
            What::Full { lasts } => write!(f, "full {lasts}"),
            What::Blobs { lasts } => write!(f, "blobs {lasts}"),
            What::Clock { by } => write!(f, "clock {by}"),
            What::Restart { down } => write!(f, "restart {down}"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |f: &mut fmt::Formatter<'_>, set: bool, word: &str| if set { f.write_str(word) } else { Ok(()) };
        match self {
            Ask::Run {
                machine,
                on,
                wait,
                nice,
            } => {
                write!(f, "run m{machine}")?;
                on.map_or(Ok(()), |unit| write!(f, " on=u{unit}"))?;
                write!(f, " wait={wait} nice={nice}")
            }
            Ask::Rm { machine, force } => {
                write!(f, "rm m{machine}")?;
                flag(f, *force, " force")
            }
            Ask::Nice { machine, nice } => write!(f, "nice m{machine} {nice}"),
            Ask::Signal { machine, signal } => {
                let verb = match signal {
                    Signal::Term => "term",
                    Signal::Kill => "kill",
                    Signal::Cont => "cont",
                };
                write!(f, "{verb} m{machine}")
            }
            Ask::Cap { unit, watts, trial } => {
                write!(
                    f,
                    "cap u{unit} {}",
                    watts.map_or_else(|| "none".to_owned(), |w| w.to_string())
                )?;
                trial.map_or(Ok(()), |trial| write!(f, " try={trial}"))
            }
            Ask::Bios { unit, turbo } => write!(f, "bios u{unit} {turbo}"),
            Ask::Light { unit, on } => write!(f, "light u{unit} {on}"),
            Ask::Outlet { pdu, unit, verb } => {
                let verb = match verb {
                    OutletVerb::On => "on",
                    OutletVerb::Off => "off",
                    OutletVerb::Cycle => "cycle",
                };
                write!(f, "outlet {} u{unit} {verb}", letter(*pdu))
            }
            Ask::Cordon { unit, on } => write!(f, "cordon u{unit} {on}"),
            Ask::Arm { unit, on } => write!(f, "arm u{unit} {on}"),
            Ask::Rotate => f.write_str("rotate"),
            Ask::Rollout {
                number,
                bios,
                wave,
                failures,
                in_use,
            } => {
                let part = if *bios { "bios" } else { "bmc" };
                write!(f, "rollout f{number} {part} wave={wave} failures={failures}")?;
                flag(f, *in_use, " in-use")
            }
            Ask::StopRollout { number } => write!(f, "stop f{number}"),
        }
    }
}

fn letter(pdu: u8) -> char {
    char::from(b'a' + pdu.min(1))
}

impl FromStr for Story {
    type Err = BadStory;

    fn from_str(line: &str) -> Result<Story, BadStory> {
        let shown: String = line.chars().take(80).collect();
        let bad = |why: &str| BadStory {
            part: shown.clone(),
            why: why.into(),
        };
        if line.len() > LONGEST {
            return Err(bad("it is longer than a MiB"));
        }
        let mut parts = line.split(';').map(str::trim);
        let mut story = head(parts.next().unwrap_or_default())?;
        for part in parts.filter(|part| !part.is_empty()) {
            let event = event(part).map_err(|why| BadStory { part: part.into(), why })?;
            if event.what.unit().is_some_and(|unit| unit == 0 || unit > story.nodes) {
                return Err(BadStory {
                    part: part.into(),
                    why: "there is no such unit in its rack".into(),
                });
            }
            story.events.push(event);
        }
        Ok(story)
    }
}

fn head(part: &str) -> Result<Story, BadStory> {
    let bad = |why: &str| BadStory {
        part: part.into(),
        why: why.into(),
    };
    let mut story = Story {
        seed: 0,
        nodes: 3,
        bare: 0,
        seconds: 3600,
        feed: 0,
        readings: READINGS,
        events: Vec::new(),
    };
    for word in part.split_whitespace() {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| bad("it begins with words like `nodes=3`"))?;
        let number: u64 = value.parse().map_err(|_| bad("a value is no number"))?;
        match key {
            "seed" => story.seed = number,
            "nodes" if (1..=u64::from(MOST)).contains(&number) => story.nodes = number as u32,
            "nodes" => return Err(bad("a rack has 1 to 40 nodes")),
            "bare" => story.bare = number.min(u64::from(MOST)) as u32,
            "seconds" => story.seconds = number.min(YEAR),
            "hours" => story.seconds = number.saturating_mul(3600).min(YEAR),
            "feed" if number <= 200 => story.feed = number as u32,
            "feed" => return Err(bad("a feed carries 0 to 200 hundredths of what all servers draw")),
            "readings" => story.readings = number.clamp(10, 86_400),
            _ => {
                return Err(bad(
                    "it begins with seed=, nodes=, bare=, hours=, seconds=, feed= or readings=",
                ));
            }
        }
    }
    // something must stand behind both PDUs, or nothing there may ever be written to
    story.bare = story.bare.min(story.nodes - 1);
    Ok(story)
}

/// The words of one event, taken one after the other.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<&'a str, String> {
        if self.0.is_empty() {
            return Err("a word is missing at its end".into());
        }
        Ok(self.0.remove(0))
    }

    fn number<T: FromStr>(&mut self) -> Result<T, String> {
        number(self.next()?)
    }

    /// The number after a letter: `u3`.
    fn after<T: FromStr>(&mut self, prefix: &str) -> Result<T, String> {
        let word = self.next()?;
        let rest = word
            .strip_prefix(prefix)
            .ok_or_else(|| format!("`{word}` should begin with {prefix}"))?;
        number(rest)
    }

    /// The value of `key=`, wherever it stands.
    fn option<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let at = self
            .0
            .iter()
            .position(|w| w.split_once('=').is_some_and(|(k, _)| k == key));
        at.map(|at| number(&self.0.remove(at)[key.len() + 1..])).transpose()
    }

    fn flag(&mut self, word: &str) -> bool {
        let at = self.0.iter().position(|w| *w == word);
        at.map(|at| self.0.remove(at)).is_some()
    }

    fn pdu(&mut self) -> Result<u8, String> {
        pdu(self.next()?)
    }

    fn whom(&mut self) -> Result<Whom, String> {
        match self.next()? {
            "all" => Ok(Whom::All),
            word => match word.strip_prefix("pdu-") {
                Some(rest) => Ok(Whom::Pdu(pdu(rest)?)),
                None => Ok(Whom::Unit(Words(vec![word]).after("u")?)),
            },
        }
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("`{word}` is not what is expected there"))
}

fn pdu(word: &str) -> Result<u8, String> {
    match word {
        "a" => Ok(0),
        "b" => Ok(1),
        _ => Err(format!("`{word}` is no PDU: a or b")),
    }
}

fn event(part: &str) -> Result<Event, String> {
    let mut words = Words(part.split_whitespace().collect());
    let at = words.number::<u64>()?.min(YEAR);
    let verb = words.next()?;
    let what = what(verb, &mut words)?;
    match words.0.first() {
        Some(word) => Err(format!("`{word}` is one word too many")),
        None => Ok(Event { at, what }),
    }
}

fn what(verb: &str, words: &mut Words<'_>) -> Result<What, String> {
    Ok(match verb {
        "fault" => {
            let (on, lasts) = (words.whom()?, words.number()?);
            let mut fields = Map::from_iter([("action".to_owned(), Value::from(words.next()?))]);
            for word in words.0.drain(..) {
                let (key, value) = word
                    .split_once('=')
                    .ok_or("a fault goes on with words like `millis=300`")?;
                let number = value.parse::<u64>().map(Value::from);
                fields.insert(key.into(), number.unwrap_or_else(|_| Value::from(value)));
            }
            let fault: Fault = serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())?;
            What::Fault {
                on,
                lasts,
                action: fault.action,
                count: fault.count,
            }
        }
        "dark" => {
            let on = words.whom()?;
            let feed = match words.next()? {
                "both" => None,
                word => Some(pdu(word)?),
            };
            What::Dark {
                on,
                feed,
                lasts: words.number()?,
            }
        }
        "work" => What::Work {
            on: words.whom()?,
            percent: words.number::<u32>()?.min(100),
            lasts: words.number()?,
        },
        "lie" => {
            let unit = words.after("u")?;
            let lie = match words.next()? {
                "on" => Lie::On,
                "off" => Lie::Off,
                "frozen" => Lie::Frozen,
                word => return Err(format!("`{word}` is no lie: on, off or frozen")),
            };
            What::Lie {
                unit,
                lie,
                lasts: words.number()?,
            }
        }
        "reboot" => What::Reboot {
            unit: words.after("u")?,
        },
        "vanish" => What::Vanish {
            percent: words.number()?,
            lasts: words.number()?,
        },
        "noise" => What::Noise {
            per_mille: words.number()?,
            lasts: words.number()?,
        },
        "die" => What::Die {
            contact: words.after("+")?,
            down: words.option("down")?.unwrap_or(5),
        },
        "store" => match words.next()? {
            "before" => What::StoreBefore {
                commits: words.number()?,
            },
            "after" => What::StoreAfter {
                commits: words.number()?,
            },
            word => return Err(format!("a store fails before or after, not `{word}`")),
        },
        "full" => What::Full { lasts: words.number()? },
        "blobs" => What::Blobs { lasts: words.number()? },
        "clock" => What::Clock { by: words.number()? },
        "restart" => What::Restart { down: words.number()? },
        _ => What::User(ask(verb, words)?),
    })
}

fn ask(verb: &str, words: &mut Words<'_>) -> Result<Ask, String> {
    Ok(match verb {
        "run" => Ask::Run {
            machine: words.after("m")?,
            on: words
                .option::<String>("on")?
                .map(|w| Words(vec![&w]).after("u"))
                .transpose()?,
            wait: words.option("wait")?.unwrap_or(0),
            nice: words.option("nice")?.unwrap_or(0),
        },
        "rm" => Ask::Rm {
            machine: words.after("m")?,
            force: words.flag("force"),
        },
        "nice" => Ask::Nice {
            machine: words.after("m")?,
            nice: words.number()?,
        },
        "term" => Ask::Signal {
            machine: words.after("m")?,
            signal: Signal::Term,
        },
        "kill" => Ask::Signal {
            machine: words.after("m")?,
            signal: Signal::Kill,
        },
        "cont" => Ask::Signal {
            machine: words.after("m")?,
            signal: Signal::Cont,
        },
        "cap" => {
            let unit = words.after("u")?;
            let watts = match words.next()? {
                "none" => None,
                word => Some(number(word)?),
            };
            Ask::Cap {
                unit,
                watts,
                trial: words.option("try")?,
            }
        }
        "bios" => Ask::Bios {
            unit: words.after("u")?,
            turbo: words.number()?,
        },
        "light" => Ask::Light {
            unit: words.after("u")?,
            on: words.number()?,
        },
        "outlet" => {
            let (pdu, unit) = (words.pdu()?, words.after("u")?);
            let verb = match words.next()? {
                "on" => OutletVerb::On,
                "off" => OutletVerb::Off,
                "cycle" => OutletVerb::Cycle,
                word => return Err(format!("`{word}` is nothing that an outlet is told: on, off or cycle")),
            };
            Ask::Outlet { pdu, unit, verb }
        }
        "cordon" => Ask::Cordon {
            unit: words.after("u")?,
            on: words.number()?,
        },
        "arm" => Ask::Arm {
            unit: words.after("u")?,
            on: words.number()?,
        },
        "rotate" => Ask::Rotate,
        "rollout" => {
            let number = words.after("f")?;
            let bios = match words.next()? {
                "bios" => true,
                "bmc" => false,
                word => return Err(format!("`{word}` is no firmware: bios or bmc")),
            };
            let wave = words.option("wave")?.unwrap_or(1);
            let failures = words.option("failures")?.unwrap_or(1);
            Ask::Rollout {
                number,
                bios,
                wave,
                failures,
                in_use: words.flag("in-use"),
            }
        }
        "stop" => Ask::StopRollout {
            number: words.after("f")?,
        },
        _ => return Err(format!("nothing called `{verb}` can happen")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::story::Size;

    #[test]
    fn every_story_is_read_back_as_it_was_written() {
        for seed in 0..200 {
            let story = Story::of_seed(seed, 24, Size::Any);
            let line = story.to_string();
            assert_eq!(line.parse::<Story>().as_ref(), Ok(&story), "{line}");
            assert!(!line.contains(['\n', '\'']), "{line}");
        }
    }

    #[test]
    fn what_tells_no_story_is_refused_with_the_part_and_the_reason() {
        for (line, part) in [
            ("nodes=0", "nodes=0"),
            ("nodes=x", "nodes=x"),
            ("nodes=2; 3 explode", "3 explode"),
            ("nodes=2; 3 reboot u3", "3 reboot u3"),
            ("nodes=2; 3 reboot u2 u1", "3 reboot u2 u1"),
            ("nodes=2; x rotate", "x rotate"),
            ("nodes=2; 3 fault u1 5 melt", "3 fault u1 5 melt"),
            ("nodes=2; 3 run", "3 run"),
        ] {
            assert_eq!(line.parse::<Story>().unwrap_err().part, part);
        }
    }
}
