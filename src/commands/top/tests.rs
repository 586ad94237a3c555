//! What keys do and what is drawn, without a terminal, a clock or a daemon.

use std::time::Duration;

use proptest::prelude::*;
use rack::request::{EventView, Me, Role, Signal, Why};
use rack::vitals::{Vital, VitalsView};
use rack::{Event, Health, Level, PowerState, Time};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::draw::{Look, draw};
use super::hand::{Act, IDLE};
use super::poll::News;
use super::rows::{Made, Pane, watts};
use super::state::{Effect, Key, State};

const PLAIN: Look = Look {
    colour: false,
    ascii: true,
};
const RICH: Look = Look {
    colour: true,
    ascii: false,
};
const START: Duration = Duration::ZERO;

/// A rack of four.
fn vitals() -> VitalsView {
    let one = |place: &str, kind: &str, watts, hottest, health| Vital {
        place: place.parse().unwrap(),
        kind: kind.into(),
        holder: (place == "r1/u1").then(|| "web".parse().unwrap()),
        power: Some(PowerState::On),
        health,
        silent: (place == "r1/u3").then(|| "no answer".into()),
        watts,
        inlet: Some(22.0),
        hottest,
        hottest_name: Some("cpu1".into()),
        fan: Some(7200.0),
        taken: None,
    };
    VitalsView {
        at: Time::from_millis(3_723_000),
        read_seconds: 30,
        boxes: vec![
            one("r1/u1", "node", Some(412.0), Some(55.0), Health::Ok),
            one("r1/u2", "node", Some(96.0), Some(71.0), Health::Critical),
            one("r1/u3", "node", None, None, Health::Ok),
            one("r1/pdu-a", "pdu", Some(520.0), None, Health::Ok),
        ],
    }
}

/// What `/v1/machines` says, as far as it is read, and some more that is passed over.
fn machines() -> News {
    let one = |name: &str, state: &str, place: Option<&str>, nice: i8, watts: Option<f64>| {
        serde_json::json!({
            "name": name, "uid": "x", "ask": {"image": {"name": "debian-13", "raw": 1}, "nice": nice},
            "status": {"state": state, "since": "2026-01-01T00:00:00Z", "reason": "its image is written", "place": place, "timeline": []},
            "progress": (state == "installing").then(|| serde_json::json!(
                {"phase": "write", "done": 61, "total": 100, "at": "2026-01-01T00:00:00Z"})),
            "watts": watts, "inlet": 24.0, "power": "on",
        })
    };
    let all = serde_json::json!([
        one("web", "running", Some("r1/u1"), 0, Some(412.0)),
        one("lab-17", "installing", Some("r1/u2"), -10, Some(96.0)),
        one("late", "pending", None, 5, None),
    ]);
    News::Machines(serde_json::from_value(all).unwrap())
}

fn event(sequence: u64, about: &str, what: &str, because: Option<&str>) -> EventView {
    EventView {
        sequence,
        event: Event {
            at: Time::from_millis(3_723_000),
            level: Level::Warning,
            about: about.into(),
            what: what.into(),
            because: because.map(str::to_owned),
            by: "busbar".into(),
            cause: None,
        },
    }
}

/// One who may do so much, and everything that a daemon tells.
fn state(role: Role) -> State {
    let mut state = State::default();
    state.see(News::Vitals(vitals()));
    state.see(machines());
    let made = |of: &str, cordoned: Option<&str>| Made {
        of: of.into(),
        armed: Some(true),
        cordoned: cordoned.map(str::to_owned),
        bare: false,
    };
    let all = [
        ("r1/u1", made("64c 256G", None)),
        ("r1/u2", made("32c 128G + 2 gpu", Some("fan is loud"))),
    ];
    state.see(News::Made(
        all.into_iter().map(|(p, m)| (p.parse().unwrap(), m)).collect(),
    ));
    state.see(News::Events {
        first: true,
        then: vec![
            event(7, "busbar", "started", None),
            event(
                8,
                "r1/u3",
                "its BMC does not answer",
                Some("the cable of r1/sw0 was pulled"),
            ),
        ],
    });
    state.see(News::Me(Me {
        name: "anna".parse().unwrap(),
        role,
        expires: None,
        emulator: true,
    }));
    state
}

/// Presses keys one after the other, a letter each; `⏎` is Enter, `⎋` Escape, `⌫` Backspace, `↓` down.
fn press(state: &mut State, keys: &str) -> Effect {
    let mut last = Effect::Nothing;
    for c in keys.chars() {
        let key = match c {
            '⏎' => Key::Enter,
            '⎋' => Key::Escape,
            '⌫' => Key::Backspace,
            '↓' => Key::Step(1),
            c => Key::Char(c),
        };
        last = state.press(key, START);
    }
    last
}

fn keys_of_rows(state: &State) -> Vec<String> {
    (0..state.count()).map(|at| state.row(at).unwrap().key()).collect()
}

fn said(state: &State) -> &str {
    state.hand.said.as_ref().map_or("", |s| s.text.as_str())
}

fn shown(state: &mut State, width: u16, height: u16, look: Look) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, look)).unwrap();
    let buffer = terminal.backend().buffer();
    for cell in &buffer.content {
        let colours = [cell.fg, cell.bg];
        let sixteen = |c: &Color| !matches!(c, Color::Rgb(..) | Color::Indexed(_));
        assert!(colours.iter().all(sixteen), "more than 16 colours");
        assert!(look.colour || colours == [Color::Reset; 2], "colours with NO_COLOR");
    }
    let lines = buffer.content.chunks(width.into());
    lines
        .map(|l| l.iter().map(|c| c.symbol()).collect::<String>() + "\n")
        .collect()
}

#[test]
fn panes_open_in_their_order_and_the_unknown_is_last_either_way() {
    let mut state = state(Role::Reader);
    assert_eq!(keys_of_rows(&state), ["r1/pdu-a", "r1/u1", "r1/u2", "r1/u3"]);
    for (keys, rows) in [
        ("2", "r1/pdu-a r1/u1 r1/u2 r1/u3"),
        ("r", "r1/u2 r1/u1 r1/pdu-a r1/u3"),
        ("3", "r1/u2 r1/u1 r1/u3 r1/pdu-a"),
        ("1<", "r1/u2 r1/u3 r1/u1 r1/pdu-a"),
        ("4", "web lab-17 late"),
        ("4r", "lab-17 web late"),
        ("4>", "lab-17 late web"),
        ("4>>", "lab-17 late web"),
        ("4>>>", "lab-17 web late"),
        ("4>>>>", "web lab-17 late"),
        ("6", "8 7"),
        ("6r", "7 8"),
    ] {
        press(&mut state, keys);
        let found = keys_of_rows(&state);
        // silence comes before health, and boxes of one rank in the order in which they are told
        assert_eq!(found.join(" "), rows, "after {keys}");
    }
    state.press(Key::Turn(1), START);
    assert_eq!(state.pane(), Pane::Rack);
    state.press(Key::Turn(-1), START);
    assert_eq!(state.pane(), Pane::Events);
}

#[test]
fn the_selection_stays_inside_and_with_the_row_that_was_chosen() {
    let mut state = State::default();
    state.press(Key::Step(5), START);
    assert_eq!(state.selected, 0);
    state.see(News::Vitals(vitals()));
    press(&mut state, "2↓");
    assert_eq!(state.row(state.selected).unwrap().key(), "r1/u1");
    let mut now = vitals();
    now.boxes[0].watts = Some(1.0);
    state.see(News::Vitals(now.clone()));
    assert_eq!((state.selected, state.row(2).unwrap().key().as_str()), (2, "r1/u1"));
    now.boxes.truncate(1);
    state.see(News::Vitals(now));
    assert_eq!(state.selected, 0);
    state.press(Key::Far(1), START);
    state.press(Key::Page(1), START);
    assert_eq!(state.selected, 0);
}

#[test]
fn a_filter_keeps_what_holds_the_word_and_keys_are_letters_meanwhile() {
    let mut state = state(Role::Operator);
    assert_eq!(press(&mut state, "4A/LABx⌫q"), Effect::Nothing);
    assert_eq!(state.count(), 0, "no name has a q");
    press(&mut state, "⌫⏎");
    assert_eq!(keys_of_rows(&state), ["lab-17"]);
    assert_eq!(press(&mut state, "⎋"), Effect::Nothing);
    assert_eq!(state.count(), 3);
    for (keys, rows) in [
        ("1/silent⏎", "r1/u3"),
        ("⎋5/gpu⏎", "r1/u2"),
        ("⎋6/cable⏎", "8"),
        ("⎋4/running⏎", "web"),
    ] {
        press(&mut state, keys);
        assert_eq!(keys_of_rows(&state).join(" "), rows, "after {keys}");
    }
}

#[test]
fn leaving_help_or_a_window_does_not_leave_all() {
    let mut state = state(Role::Reader);
    assert_eq!(press(&mut state, "?q"), Effect::Nothing);
    assert!(!state.help);
    assert_eq!(press(&mut state, "4⏎"), Effect::Why("web".into()));
    let why = Why {
        about: "web".into(),
        headline: "web runs".into(),
        because: vec!["someone asked".into()],
        next: vec![],
        ways_out: vec!["busbar rm web".into()],
    };
    state.told("other", Err("late answers of what was closed are not shown".into()));
    state.told("web", Ok(why));
    let text = shown(&mut state, 80, 24, PLAIN);
    assert!(
        text.contains("busbar why web") && text.contains("because someone asked"),
        "{text}"
    );
    assert!(!text.contains("late answers"), "{text}");
    assert_eq!(press(&mut state, "q"), Effect::Nothing);
    assert_eq!(press(&mut state, "6⏎"), Effect::Why("r1/u3".into()));
    let text = shown(&mut state, 80, 24, PLAIN);
    assert!(
        text.contains("because the cable") && text.contains("asking the daemon"),
        "{text}"
    );
    assert_eq!(press(&mut state, "⎋↓⏎"), Effect::Nothing, "busbar itself has no why");
    assert_eq!(press(&mut state, "⎋⎋"), Effect::Leave);
    assert_eq!(state.press(Key::Break, START), Effect::Leave);
}

#[test]
fn verbs_are_asked_first_in_the_words_of_the_command_line() {
    let name = |n: &str| n.parse().unwrap();
    let place = |p: &str| p.parse().unwrap();
    for (keys, command, dies, sure, act) in [
        (
            "4s",
            "busbar kill -TERM web",
            "asked to stop",
            "y",
            Act::Signal(name("web"), Signal::Term),
        ),
        (
            "4c",
            "busbar kill -CONT web",
            "Nothing dies",
            "y",
            Act::Signal(name("web"), Signal::Cont),
        ),
        (
            "4k",
            "busbar kill -KILL web",
            "is lost",
            "web⏎",
            Act::Signal(name("web"), Signal::Kill),
        ),
        (
            "4x",
            "busbar rm web",
            "disks on r1/u1 will be wiped",
            "web⏎",
            Act::Remove(name("web")),
        ),
        (
            "4↓x",
            "busbar rm lab-17",
            "disks on r1/u2",
            "labb⌫-17⏎",
            Act::Remove(name("lab-17")),
        ),
        (
            "5↓l",
            "busbar locate r1/u1",
            "Nothing dies",
            "y",
            Act::Light(place("r1/u1"), true),
        ),
        (
            "3L",
            "busbar locate r1/u2 --off",
            "Nothing dies",
            "y",
            Act::Light(place("r1/u2"), false),
        ),
        (
            "5↓d",
            "busbar cordon r1/u1",
            "Nothing new",
            "it's loud⏎",
            Act::Cordon(place("r1/u1"), "it's loud".into()),
        ),
        (
            "5↓↓d",
            "busbar uncordon r1/u2",
            "Nothing dies",
            "y",
            Act::Uncordon(place("r1/u2")),
        ),
    ] {
        let mut state = state(Role::Operator);
        assert_eq!(press(&mut state, "A"), Effect::Nothing);
        assert_eq!(press(&mut state, keys), Effect::Nothing, "{keys} is asked first");
        let text = shown(&mut state, 80, 24, PLAIN)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(
            text.contains(command) && text.contains(dies) && text.contains("ARMED"),
            "{keys}: {text}"
        );
        for other in ["⎋", if sure == "y" { "n" } else { "n⏎" }] {
            let mut state = state.clone();
            if !matches!((&act, other), (Act::Cordon(..), "n⏎")) {
                assert_eq!(press(&mut state, other), Effect::Nothing, "{keys} then {other}");
                assert!(said(&state).contains("nothing was changed"), "{}", said(&state));
            }
        }
        assert_eq!(press(&mut state, sure), Effect::Do(act.clone()), "{keys}");
        press(&mut state, "4s");
        assert!(said(&state).contains("not answered yet"), "{}", said(&state));
        state.answered(&act, Err("Refused: it is held.   exit 5\n  try  busbar why it".into()));
        let text = shown(&mut state, 80, 24, PLAIN);
        assert!(
            text.contains("Refused: it is held.") && text.contains("  try  busbar why it"),
            "{text}"
        );
        state.answered(&act, Ok(()));
        assert!(said(&state).contains(act.on()), "{}", said(&state));
    }
}

#[test]
fn who_may_not_is_told_before_being_asked() {
    let mut reader = state(Role::Reader);
    press(&mut reader, "4A");
    assert!(
        !reader.hand.armed() && said(&reader).contains("`anna` is a reader"),
        "{}",
        said(&reader)
    );
    press(&mut reader, "x");
    assert!(reader.hand.asks().is_none() && said(&reader).contains("read-only"));
    let mut nobody = State::default();
    nobody.see(News::Vitals(vitals()));
    press(&mut nobody, "A");
    assert!(!nobody.hand.armed() && said(&nobody).contains("not known yet"));
    for (keys, word) in [
        ("4l", "act on boxes"),
        ("1s", "act on machines"),
        ("1l", "is a pdu"),
        ("6x", "act on machines"),
    ] {
        let mut state = state(Role::Admin);
        press(&mut state, "A");
        press(&mut state, keys);
        assert!(
            state.hand.asks().is_none() && said(&state).contains(word),
            "{keys}: {}",
            said(&state)
        );
    }
    // a box of which it is not known whether it is cordoned is neither cordoned nor uncordoned
    let mut state = state(Role::Admin);
    press(&mut state, "A1↓↓↓d");
    assert!(
        state.hand.asks().is_none() && said(&state).contains("not known yet"),
        "{}",
        said(&state)
    );
}

#[test]
fn keys_go_off_by_a_by_escape_by_time_and_where_nothing_can_be_seen() {
    let armed = || {
        let mut state = state(Role::Operator);
        press(&mut state, "4A");
        assert!(state.hand.armed());
        state
    };
    for keys in ["A", "⎋"] {
        let mut state = armed();
        assert_eq!(press(&mut state, keys), Effect::Nothing);
        assert!(!state.hand.armed(), "{keys}");
    }
    let second = Duration::from_secs(1);
    let mut state = armed();
    state.press(Key::Step(1), IDLE - second);
    state.hand.pass(IDLE + second);
    assert!(state.hand.armed(), "a key keeps it armed");
    state.press(Key::Char('x'), IDLE * 2 - second * 2);
    assert!(state.hand.asks().is_some());
    state.hand.pass(IDLE * 3);
    assert!(!state.hand.armed() && state.hand.asks().is_none());
    assert!(said(&state).contains("no key was pressed"));
    // no loop told it of the time: the key itself comes too late
    let mut state = armed();
    press(&mut state, "s");
    assert_eq!(state.press(Key::Char('y'), IDLE), Effect::Nothing);
    let mut state = armed();
    shown(&mut state, 30, 10, PLAIN);
    assert!(!state.hand.armed());
    press(&mut state, "A");
    assert!(!state.hand.armed());
}

/// Any key, those that mean something more often.
fn any_key() -> impl Strategy<Value = Key> {
    let letters = "skcxlLdAy/?r<>123456qweb-17\u{e4}".chars().collect::<Vec<char>>();
    prop_oneof![
        8 => proptest::sample::select(letters).prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
        2 => Just(Key::Enter),
        1 => Just(Key::Escape),
        1 => Just(Key::Backspace),
        1 => (-1isize..=1).prop_map(Key::Turn),
        2 => (-1isize..=1).prop_map(Key::Step),
        1 => (-1isize..=1).prop_map(Key::Page),
        1 => (-1isize..=1).prop_map(Key::Far),
        1 => Just(Key::Other),
    ]
}

/// Keys that belong together: a verb and what confirms it, or any one key.
fn burst() -> impl Strategy<Value = Vec<Key>> {
    let answered = |keys: &str| {
        let key = |c| if c == '\n' { Key::Enter } else { Key::Char(c) };
        keys.chars().map(key).collect::<Vec<Key>>()
    };
    let words = ["sy", "kweb\n", "xweb\n", "xwe\n", "ly", "dx\n", "cy", "k\n", "xy", "ss"];
    prop_oneof![
        10 => any_key().prop_map(|key| vec![key]),
        3 => proptest::sample::select(words.map(answered).to_vec()),
    ]
}

/// Keys, each with the seconds that pass before it.
fn keys() -> impl Strategy<Value = Vec<(Key, u64)>> {
    let pause = prop_oneof![40 => 0u64..30, 1 => 250u64..700];
    let bursts = proptest::collection::vec(burst(), 0..40).prop_map(|b| b.concat());
    (bursts, proptest::collection::vec(pause, 300)).prop_map(|(keys, pauses)| keys.into_iter().zip(pauses).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_a_no_key_does_anything(keys in keys(), role in proptest::sample::select(vec![Role::Operator, Role::Admin])) {
        let (mut state, mut now) = (state(role), START);
        for (key, pause) in keys {
            now += Duration::from_secs(pause);
            let key = if key == Key::Char('A') { Key::Char('a') } else { key };
            let effect = state.press(key, now);
            prop_assert!(!matches!(effect, Effect::Do(_)) && !state.hand.armed(), "{key:?} gave {effect:?}");
        }
    }

    #[test]
    fn a_reader_does_nothing_whatever_is_pressed(keys in keys()) {
        let mut state = state(Role::Reader);
        for (key, _) in keys {
            let effect = state.press(key, START);
            prop_assert!(!matches!(effect, Effect::Do(_)), "{key:?} gave {effect:?}");
        }
    }

    /// What is done was armed by an `A`, no longer than five minutes without a key ago, asked about, and confirmed by the very
    /// last key; what destroys, by the name, typed letter by letter.
    #[test]
    fn what_is_done_was_armed_asked_and_confirmed(keys in keys(), first in 0usize..3) {
        let (mut state, mut now) = (state(Role::Operator), START);
        // often enough it gets as far as a question
        press(&mut state, ["4A", "5A", ""][first]);
        let mut arms = usize::from(first < 2);
        let mut typed = String::new();
        for (key, pause) in keys {
            now += Duration::from_secs(pause);
            let asked = state.hand.asks().is_some();
            let effect = state.press(key, now);
            if pause >= IDLE.as_secs() {
                arms = 0;
            }
            arms += usize::from(key == Key::Char('A'));
            if let Effect::Do(act) = effect {
                prop_assert!(arms > 0 && asked && state.hand.armed() && pause < IDLE.as_secs(), "{act:?} after {key:?}");
                match &act {
                    Act::Signal(_, Signal::Kill) | Act::Remove(_) => prop_assert_eq!((typed.as_str(), key), (act.on(), Key::Enter)),
                    Act::Cordon(..) => prop_assert_eq!(key, Key::Enter),
                    _ => prop_assert_eq!(key, Key::Char('y')),
                }
                state.answered(&act, Ok(()));
            }
            match key {
                Key::Char(c) if asked => typed.push(c),
                Key::Backspace if asked => drop(typed.pop()),
                Key::Other if asked => {}
                _ => typed.clear(),
            }
        }
    }

    #[test]
    fn any_size_and_any_keys_are_drawn(keys in keys(), width in 1u16..130, height in 1u16..50) {
        let mut state = state(Role::Operator);
        for (key, _) in keys {
            state.press(key, START);
        }
        shown(&mut state, width, height, PLAIN);
    }
}

#[test]
fn eighty_columns_show_every_pane_and_only_ascii_where_that_is_all() {
    let mut state = state(Role::Operator);
    for (keys, wants) in [
        (
            "1",
            &[
                "[1 rack]",
                "r1/u1",
                "web",
                "412",
                "CRITICAL",
                "silent: no answer",
                "1 silent",
                "1 not well",
            ][..],
        ),
        (
            "2",
            &["[2 power]", "power by watts", "#######", "508 W", "1 tell nothing"],
        ),
        ("3", &["[3 heat]", "HOTTEST", "cpu1", "71 C", "7200"]),
        (
            "4",
            &[
                "[4 machines]",
                "STAT",
                "NI",
                "WHERE",
                "MADE OF",
                "WATTS",
                "TEMP",
                "IMAGE",
                "64c 256G",
                "-10",
                "debian-13",
            ],
        ),
        ("4↓", &["lab-17: installing, write 61 %", " I "]),
        (
            "5",
            &[
                "[5 boxes]",
                "MADE OF",
                "32c 128G + 2 gpu",
                "cordoned: fan is loud",
                "ARMED",
                "yes",
            ],
        ),
        (
            "6",
            &[
                "[6 events]",
                "01:02:03",
                "warning",
                "r1/u3: its BMC does not answer because the cable",
                "[busbar]",
            ],
        ),
        (
            "?",
            &[
                "busbar why",
                "by A, and by themselves after 5 minutes",
                "never zero",
                "shed order",
            ],
        ),
    ] {
        press(&mut state, keys);
        let text = shown(&mut state, 80, 24, PLAIN);
        assert!(text.is_ascii(), "{text}");
        for want in wants {
            assert!(text.contains(want), "no {want} in\n{text}");
        }
        assert!(text.contains("read-only") && text.contains("01:02:03 UTC"), "{text}");
        assert!(!shown(&mut state, 80, 24, RICH).is_ascii());
    }
}

#[test]
fn a_machine_that_gives_up_watts_is_marked_and_the_selected_one_says_why() {
    let mut state = state(Role::Operator);
    let text = serde_json::json!([{"name": "web", "ask": {"image": {"name": "demo"}, "nice": 19}, "progress": null, "watts": 300.0,
        "inlet": null, "status": {"state": "running", "since": "2026-01-01T00:00:00Z", "reason": "", "place": "r1/u1"},
        "shed": {"node": "9b2f0f5e-5f0c-5d9e-8f0e-000000000001", "place": "r1/u1", "machine": "web", "nice": 19, "cap": 300.0,
            "stop": null, "drew": 612.0, "before": null, "pdus": ["r1/pdu-b"], "because": "r1/pdu-b carries 104 % of its rating",
            "since": "2026-01-01T00:00:00Z", "changed": "2026-01-01T00:00:00Z"}}]);
    state.see(News::Machines(serde_json::from_value(text).unwrap()));
    press(&mut state, "4");
    let text = shown(&mut state, 80, 24, PLAIN);
    for want in [
        "web  R<    19 r1/u1",
        "web: running, capped at 300 W because r1/pdu-b carries 104 %",
    ] {
        assert!(text.contains(want), "no {want} in\n{text}");
    }
}

#[test]
fn a_name_of_any_length_is_shown_whole() {
    let long = "a-machine-whose-name-is-as-long-as-a-name-may-be-at-most-63-sig";
    assert_eq!(long.len(), 63);
    let mut state = state(Role::Operator);
    let text = serde_json::json!([{"name": long, "ask": {"image": {"name": "demo"}, "nice": 0}, "progress": null, "watts": null,
        "inlet": null, "status": {"state": "running", "since": "2026-01-01T00:00:00Z", "reason": "", "place": "r1/u1"}}]);
    state.see(News::Machines(serde_json::from_value(text).unwrap()));
    press(&mut state, "4Ax");
    let text = shown(&mut state, 80, 24, PLAIN);
    let flat = text.replace('\n', " ");
    assert!(text.lines().any(|l| l.contains(&format!("|{long} R"))), "{text}");
    assert!(
        flat.contains(&format!("busbar rm {long}")) && flat.contains("will be wiped"),
        "{text}"
    );
}

#[test]
fn armed_is_said_by_a_word_in_reverse_and_in_red_where_there_are_colours() {
    for (look, colour) in [(RICH, Color::Red), (PLAIN, Color::Reset)] {
        let mut state = state(Role::Operator);
        press(&mut state, "A");
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &mut state, look)).unwrap();
        let bar = &terminal.backend().buffer().content[..80];
        let text: String = bar.iter().map(|c| c.symbol()).collect();
        assert!(text.contains("ARMED"), "{text}");
        let marked = |c: &ratatui::buffer::Cell| c.modifier.contains(Modifier::REVERSED) && c.fg == colour;
        assert!(bar.iter().all(marked), "{look:?}");
    }
}

#[test]
fn what_is_old_or_too_small_is_said() {
    let mut state = state(Role::Reader);
    state.see(News::Lost("no daemon answers".into()));
    let text = shown(&mut state, 80, 24, PLAIN);
    assert!(
        text.contains("NO ANSWER, what is shown is old: no daemon answers"),
        "{text}"
    );
    state.see(News::Vitals(vitals()));
    assert!(!shown(&mut state, 80, 24, PLAIN).contains("NO ANSWER"));
    assert!(shown(&mut state, 70, 20, PLAIN).contains("70x20 is small: 80x22 shows all"));
    assert!(!shown(&mut state, 80, 24, PLAIN).contains("is small"));
    let small = shown(&mut state, 39, 24, PLAIN);
    let small = small.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(small.contains("needs 40 columns and 12 rows"), "{small}");
    assert!(shown(&mut State::default(), 80, 24, PLAIN).contains("waiting for the daemon"));
}

#[test]
fn a_name_from_hardware_can_not_draw_anything() {
    let mut state = state(Role::Reader);
    let mut now = vitals();
    now.boxes[0].hottest_name = Some("\u{1b}[2Jx\u{7}".into());
    state.see(News::Vitals(now));
    press(&mut state, "3");
    for look in [PLAIN, RICH] {
        let text = shown(&mut state, 80, 24, look);
        assert!(text.contains("[2Jx") && !text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn watts_are_those_of_nodes_and_the_missing_are_counted() {
    assert_eq!(watts(&vitals().boxes), (Some(508.0), 1));
    assert_eq!(watts(&[]), (None, 0));
}
