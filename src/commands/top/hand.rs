//! The hand of `busbar top`: what its keys may do to machines and boxes, once they are armed, and how each is asked first.
//!
//! Nothing here does anything: what was confirmed comes out as an [`Act`].

use std::time::Duration;

use rack::request::{Role, Signal};
use rack::{Name, Place};
use reqwest::Method;
use serde_json::{Value, json};

use super::state::Key;

/// Keys that nobody presses go off after this.
pub const IDLE: Duration = Duration::from_secs(5 * 60);
/// Longest that is typed: the API takes reasons of 500 bytes.
const TYPED: usize = 120;

/// Something that changes what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A power verb for a machine.
    Signal(Name, Signal),
    /// Gives a machine back.
    Remove(Name),
    /// Lights a box, or puts the light out.
    Light(Place, bool),
    /// Places nothing new on a box, with the reason.
    Cordon(Place, String),
    /// Puts a box back into use.
    Uncordon(Place),
}

impl Act {
    /// What it acts on, as the command line names it.
    pub fn on(&self) -> &str {
        match self {
            Act::Signal(name, _) | Act::Remove(name) => name.as_str(),
            Act::Light(place, _) | Act::Cordon(place, _) | Act::Uncordon(place) => place.as_str(),
        }
    }

    /// The command that does the same.
    pub fn command(&self) -> String {
        match self {
            Act::Signal(name, Signal::Term) => format!("busbar kill -TERM {name}"),
            Act::Signal(name, Signal::Kill) => format!("busbar kill -KILL {name}"),
            Act::Signal(name, Signal::Cont) => format!("busbar kill -CONT {name}"),
            Act::Remove(name) => format!("busbar rm {name}"),
            Act::Light(place, true) => format!("busbar locate {place}"),
            Act::Light(place, false) => format!("busbar locate {place} --off"),
            Act::Cordon(place, why) if why.is_empty() => format!("busbar cordon {place}"),
            Act::Cordon(place, why) => format!("busbar cordon {place} --why '{}'", why.replace('\'', r"'\''")),
            Act::Uncordon(place) => format!("busbar uncordon {place}"),
        }
    }

    /// What dies of it, or that nothing does.
    fn dies(&self, at: Option<&Place>) -> String {
        let at = at.map(|p| format!(" on {p}")).unwrap_or_default();
        match self {
            Act::Signal(_, Signal::Term) => format!("Its system{at} is asked to stop, then it is switched off."),
            Act::Signal(_, Signal::Kill) => {
                format!("It is switched off{at} at once: what it has not written to disk is lost.")
            }
            Act::Signal(_, Signal::Cont) => format!("It is switched on{at}; a held one tries again. Nothing dies."),
            Act::Remove(_) if at.is_empty() => "It is given back for good; it has no disks yet.".into(),
            Act::Remove(_) => format!("It ends for good: its disks{at} will be wiped."),
            Act::Light(_, true) => "Its light shines for whoever stands in the aisle. Nothing dies.".into(),
            Act::Light(_, false) => "Its light goes out. Nothing dies.".into(),
            Act::Cordon(..) => "Nothing new is placed on it; what runs there goes on.".into(),
            Act::Uncordon(_) => "Machines may be placed on it again. Nothing dies.".into(),
        }
    }

    /// How it is confirmed: what can't be undone, by its name.
    fn proof(&self) -> Proof {
        match self {
            Act::Signal(_, Signal::Kill) | Act::Remove(_) => Proof::Name,
            Act::Cordon(..) => Proof::Reason,
            _ => Proof::Yes,
        }
    }

    /// The request that it is.
    pub fn request(&self) -> (Method, String, Option<Value>) {
        match self {
            Act::Signal(name, signal) => {
                let path = format!("/v1/machines/{name}/signal");
                (Method::POST, path, Some(json!({"signal": signal})))
            }
            Act::Remove(name) => (Method::DELETE, format!("/v1/machines/{name}"), None),
            Act::Light(place, on) => (
                Method::POST,
                "/v1/locate".into(),
                Some(json!({"place": place, "on": on})),
            ),
            Act::Cordon(place, why) => {
                // the command line's own word for no reason
                let why = if why.is_empty() { "by hand" } else { why };
                (
                    Method::POST,
                    "/v1/cordon".into(),
                    Some(json!({"place": place, "why": why})),
                )
            }
            Act::Uncordon(place) => {
                let body = json!({"place": place, "why": null});
                (Method::POST, "/v1/cordon".into(), Some(body))
            }
        }
    }

    /// What is said when it was accepted.
    fn accepted(&self) -> String {
        let on = self.on();
        match self {
            Act::Signal(..) | Act::Remove(_) => {
                format!(
                    "accepted: {}   its way is in the row, and in busbar why {on}",
                    self.command()
                )
            }
            Act::Light(_, true) => format!("{on} is lit: look for the light"),
            Act::Light(_, false) => format!("{on} is dark again"),
            Act::Cordon(..) => format!("{on} is cordoned"),
            Act::Uncordon(_) => format!("{on} is uncordoned"),
        }
    }
}

/// How an act is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// By `y`.
    Yes,
    /// By typing its name.
    Name,
    /// By typing why.
    Reason,
}

/// An act that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    act: Act,
    dies: String,
    typed: String,
}

impl Ask {
    /// The command, what dies, and what is to be typed.
    pub fn lines(&self) -> [String; 2] {
        let (act, typed) = (&self.act, &self.typed);
        let todo = match act.proof() {
            Proof::Yes => "y does it, any other key leaves it alone".to_owned(),
            Proof::Name => format!("type {} and Enter; Esc leaves it alone: {typed}_", act.on()),
            Proof::Reason => format!("why? Enter does it, Esc leaves it alone: {typed}_"),
        };
        [format!("{}   {}", act.command(), self.dies), todo]
    }
}

/// What was said last, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The words.
    pub text: String,
    /// Whether it is what was wanted.
    pub good: bool,
}

/// What keys may do. It starts able to do nothing.
#[derive(Debug, Clone, Default)]
pub struct Hand {
    /// When the keys go off, since the start of the program; `None`: they are off.
    until: Option<Duration>,
    /// What is asked.
    ask: Option<Ask>,
    /// What was confirmed and is not answered yet.
    busy: Option<Act>,
    /// What was said last.
    pub said: Option<Said>,
}

impl Hand {
    /// Whether the keys are armed.
    pub fn armed(&self) -> bool {
        self.until.is_some()
    }

    /// When the keys go off by themselves.
    pub fn until(&self) -> Option<Duration> {
        self.until
    }

    /// What is asked.
    pub fn asks(&self) -> Option<&Ask> {
        self.ask.as_ref()
    }

    /// Says something.
    pub fn say(&mut self, good: bool, text: impl Into<String>) {
        self.said = Some(Said {
            text: text.into(),
            good,
        });
    }

    /// Time passes: keys that nobody pressed for so long go off, and with them what was asked.
    pub fn pass(&mut self, now: Duration) {
        if self.until.is_some_and(|until| now >= until) {
            self.off();
            self.say(true, "read-only again: no key was pressed for 5 minutes");
        }
    }

    /// The keys go off, and with them what was asked.
    pub fn off(&mut self) {
        (self.until, self.ask) = (None, None);
    }

    /// A key was pressed, whichever.
    pub fn touched(&mut self, now: Duration) {
        self.pass(now);
        if let Some(until) = &mut self.until {
            *until = now + IDLE;
        }
    }

    /// Arms or disarms the keys, if who asks may act at all.
    pub fn turn(&mut self, now: Duration, who: Option<&(String, Role)>) {
        if self.armed() {
            self.off();
            return self.say(true, "read-only again");
        }
        match who {
            None => self.say(
                false,
                "not armed: who you are is not known yet; once the daemon answers, press A again",
            ),
            Some((name, role)) if *role < Role::Operator => {
                let text = format!(
                    "not armed: `{name}` is a reader and may not act; an admin makes another token: \
                     busbar token make NAME --role operator"
                );
                self.say(false, text);
            }
            Some(_) => {
                self.until = Some(now + IDLE);
                self.say(
                    true,
                    "armed: each act is asked first; A, or 5 minutes without a key, disarms",
                );
            }
        }
    }

    /// Asks about an act; not unless armed, and not while another is not answered.
    pub fn propose(&mut self, act: Act, at: Option<&Place>) {
        if !self.armed() {
            return self.say(false, "read-only: A arms the keys that act");
        }
        if let Some(busy) = &self.busy {
            let text = format!("one after the other: `{}` is not answered yet", busy.command());
            return self.say(false, text);
        }
        self.ask = Some(Ask {
            dies: act.dies(at),
            act,
            typed: String::new(),
        });
    }

    /// A key while something is asked; gives the act once it is confirmed.
    pub fn answer(&mut self, key: Key) -> Option<Act> {
        if !self.armed() {
            self.ask = None;
            return None;
        }
        let mut ask = self.ask.take()?;
        let proof = ask.act.proof();
        let sure = match (proof, key) {
            (Proof::Yes, Key::Char('y')) => true,
            (Proof::Name, Key::Enter) if ask.typed == ask.act.on() => true,
            (Proof::Reason, Key::Enter) => true,
            (Proof::Name, Key::Enter) => {
                let text = format!("`{}` is not its name; nothing was changed", ask.typed);
                self.say(false, text);
                return None;
            }
            (Proof::Name | Proof::Reason, Key::Char(c)) => {
                if ask.typed.len() + c.len_utf8() <= TYPED {
                    ask.typed.push(c);
                }
                self.ask = Some(ask);
                return None;
            }
            (Proof::Name | Proof::Reason, Key::Backspace) => {
                ask.typed.pop();
                self.ask = Some(ask);
                return None;
            }
            (Proof::Name | Proof::Reason, Key::Other) => {
                self.ask = Some(ask);
                return None;
            }
            _ => false,
        };
        if !sure {
            self.say(true, "left alone; nothing was changed");
            return None;
        }
        if let Act::Cordon(_, why) = &mut ask.act {
            *why = ask.typed.trim().to_owned();
        }
        self.say(true, format!("asking the daemon: {}", ask.act.command()));
        self.busy = Some(ask.act.clone());
        Some(ask.act)
    }

    /// What the daemon answered: accepted, or the problem in words.
    pub fn answered(&mut self, act: &Act, answer: Result<(), String>) {
        self.busy = None;
        match answer {
            Ok(()) => self.say(true, act.accepted()),
            Err(problem) => self.say(false, problem),
        }
    }
}
