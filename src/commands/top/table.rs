//! The rows of a pane as a table: its columns, as wide as what stands in them, and no more rows than fit.

use rack::vitals::Vital;
use rack::{Health, Level, PowerState};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Row as Drawn, Table};

use super::draw::Look;
use super::rows::{Machine, Made, Pane, Row, level};
use super::state::State;
use crate::commands::ps;
use crate::output;

/// Lines of one event at most.
const LINES: usize = 4;
/// Characters of the longest bar.
const BAR: usize = 20;

/// Columns of a pane: head, and width; the first is as wide as its longest name, the last takes what is left.
fn columns(pane: Pane) -> &'static [(&'static str, u16)] {
    match pane {
        Pane::Rack => &[
            ("PLACE", 5),
            ("KIND", 9),
            ("POWER", 8),
            ("HELD BY", 12),
            ("  WATTS", 7),
            ("  INLET", 7),
            ("HEALTH", 0),
        ],
        Pane::Power => &[
            ("PLACE", 5),
            ("HELD BY", 12),
            ("  WATTS", 7),
            ("", BAR as u16),
            ("HEALTH", 0),
        ],
        Pane::Heat => &[
            ("PLACE", 5),
            ("  INLET", 7),
            ("HOTTEST", 7),
            ("WHERE", 14),
            ("FAN RPM", 7),
            ("", 0),
        ],
        Pane::Machines => &[
            ("NAME", 4),
            ("STAT", 4),
            (" NI", 3),
            ("WHERE", 9),
            ("MADE OF", 18),
            ("WATTS", 5),
            (" TEMP", 5),
            ("IMAGE", 12),
            ("", 0),
        ],
        Pane::Boxes => &[
            ("PLACE", 5),
            ("KIND", 9),
            ("HELD BY", 10),
            ("MADE OF", 18),
            ("ARMED", 5),
            ("", 0),
        ],
        Pane::Events => &[("TIME", 8), ("LEVEL", 7), ("WHAT", 0)],
    }
}

/// Widths that fit in so many columns with one between each two: from the left, each what it needs while there is room. What has
/// no room has no width either.
fn widths(needed: &[u16], room: u16) -> Vec<u16> {
    let mut left = room;
    let mut all = Vec::new();
    for need in needed {
        if left == 0 {
            return all;
        }
        let width = (*need).min(left);
        left = left.saturating_sub(width + 1);
        all.push(width);
    }
    // nothing stands behind the last, not even the one between
    let used: u16 = all.iter().map(|w| w + 1).sum();
    if let Some(last) = all.last_mut() {
        *last += (room + 1).saturating_sub(used);
    }
    all
}

/// The table of the pane in so many columns and rows, its head not counted; and which of its rows is the selected one.
pub fn table(state: &mut State, width: u16, height: u16, look: Look) -> (Table<'static>, Option<usize>) {
    let pane = state.pane();
    let heads = columns(pane);
    let height = usize::from(height);
    let what = width.saturating_sub(8 + 1 + 7 + 1);
    let tall = |state: &State, at: usize| match state.row(at) {
        Some(Row::Event(e)) => event(&e.event, what.into(), look).len().max(1),
        _ => 1,
    };
    state.top = first(state.top, state.selected, state.count(), height, |at| tall(state, at));
    let state = &*state;
    let mut shown = Vec::new();
    let mut used = 0;
    for at in state.top..state.count() {
        if used >= height {
            break;
        }
        used += tall(state, at);
        shown.extend(state.row(at));
    }
    let longest = shown.iter().map(|r| r.key().chars().count()).max().unwrap_or(0);
    let mut needed: Vec<u16> = heads.iter().map(|(_, width)| *width).collect();
    if pane != Pane::Events {
        needed[0] = needed[0].max(u16::try_from(longest).unwrap_or(u16::MAX));
    }
    let widths = widths(&needed, width);
    let most = |pick: fn(&Vital) -> Option<f64>| {
        let all = state.vitals.iter().flat_map(|v| &v.boxes).filter_map(pick);
        all.fold(0.0, f64::max)
    };
    let most = (most(|b| b.watts), most(|b| b.hottest));
    let none = Made::default();
    let rows = shown.iter().map(|row| match row {
        Row::Box(b) => {
            let made = state.made.as_ref().and_then(|m| m.get(&b.place)).unwrap_or(&none);
            let last = widths.last().copied().unwrap_or(0);
            boxed(b, made, pane, most, last.into(), look)
        }
        Row::Machine(m) => {
            let made = m.status.place.as_ref();
            let made = made.and_then(|p| state.made.as_ref()?.get(p)).unwrap_or(&none);
            machine(m, made, look)
        }
        Row::Event(e) => {
            let lines = event(&e.event, what.into(), look);
            let tall = u16::try_from(lines.len().max(1)).unwrap_or(1);
            let text = Text::from(lines.into_iter().map(Line::raw).collect::<Vec<_>>());
            let style = match e.event.level {
                Level::Error => look.style(Color::Red),
                Level::Warning => look.style(Color::Yellow),
                Level::Audit | Level::Info => Style::new(),
            };
            let words = [clock(e.event.at), level(e.event.level).to_owned()];
            let cells = words.into_iter().map(Text::raw).chain([text]);
            Drawn::new(cells.collect::<Vec<_>>()).height(tall).style(style)
        }
    });
    let rows: Vec<Drawn> = rows.collect();
    let selected = state.selected.checked_sub(state.top).filter(|at| *at < rows.len());
    let head = Drawn::new(heads.iter().map(|(head, _)| *head)).style(Style::new().add_modifier(Modifier::BOLD));
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    (table, selected)
}

/// The first row to show: the one as before, if the selected row is then to be seen and no room is left below the last.
fn first(before: usize, selected: usize, count: usize, room: usize, tall: impl Fn(usize) -> usize) -> usize {
    // The first of the rows that end with this one and fit.
    let fitting = |last: usize| {
        let (mut first, mut used) = (last, 0);
        for at in (0..=last).rev() {
            used += tall(at);
            if used > room && at != last {
                break;
            }
            first = at;
        }
        first
    };
    let Some(last) = count.checked_sub(1) else { return 0 };
    let selected = selected.min(last);
    before.clamp(fitting(selected), selected).min(fitting(last))
}

fn number(value: Option<f64>, width: usize, look: Look) -> String {
    let text = value.map_or_else(|| look.dash().to_owned(), |v| format!("{v:.0}"));
    format!("{text:>width$}")
}

fn boxed(b: &Vital, made: &Made, pane: Pane, most: (f64, f64), last: usize, look: Look) -> Drawn<'static> {
    let (word, style) = health(b, look);
    let place = b.place.to_string();
    let holder = b.holder.as_ref().map_or_else(String::new, ToString::to_string);
    let number = |v| number(v, 7, look);
    let cells = match pane {
        Pane::Power => {
            let bar = bar(b.watts, most.0, BAR, look);
            vec![place, holder, number(b.watts), bar, word]
        }
        Pane::Heat => vec![
            place,
            number(b.inlet),
            number(b.hottest),
            b.hottest_name.clone().unwrap_or_default(),
            number(b.fan),
            bar(b.hottest, most.1, last.min(BAR), look),
        ],
        Pane::Boxes => vec![
            place,
            b.kind.clone(),
            holder,
            made.of.clone(),
            match made.armed {
                Some(true) => "yes".into(),
                Some(false) => "no".into(),
                None => String::new(),
            },
            match &b.silent {
                Some(_) => word,
                None => made.note(),
            },
        ],
        _ => vec![
            place,
            b.kind.clone(),
            power(b).into(),
            holder,
            number(b.watts),
            number(b.inlet),
            word,
        ],
    };
    Drawn::new(cells.iter().map(|c| look.text(c)).collect::<Vec<_>>()).style(style)
}

fn machine(m: &Machine, made: &Made, look: Look) -> Drawn<'static> {
    let status = &m.status;
    let cells = [
        m.name.to_string(),
        ps::stat(status.state, m.shed.as_ref()),
        format!("{:>3}", m.ask.nice),
        status
            .place
            .as_ref()
            .map_or_else(|| look.dash().to_owned(), ToString::to_string),
        made.of.clone(),
        number(m.watts, 5, look),
        number(m.inlet, 5, look),
        m.ask.image.name.to_string(),
        m.note(output::now().since(status.since)),
    ];
    let style = match status.state {
        rack::State::Held => look.style(Color::Red),
        _ if ps::taken(m.shed.as_ref()).is_some() => look.style(Color::Yellow),
        rack::State::Running => Style::new(),
        _ => look.style(Color::Cyan),
    };
    Drawn::new(cells.iter().map(|c| look.text(c)).collect::<Vec<_>>()).style(style)
}

/// What happened, why and by whom, in lines.
fn event(e: &rack::Event, width: usize, look: Look) -> Vec<String> {
    let because = e.because.as_ref().map(|b| format!(" because {b}")).unwrap_or_default();
    let text = format!("{}: {}{because} [{}]", e.about, e.what, e.by);
    let mut lines = wrap(&look.text(&text), width);
    lines.truncate(LINES);
    lines
}

/// Hours, minutes and seconds, UTC.
pub fn clock(at: rack::Time) -> String {
    let text = at.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    time.chars().take(8).collect()
}

/// A text in lines of at most so many characters, broken between words where there are some.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line: Vec<char> = Vec::new();
    for c in text.chars() {
        if line.len() == width {
            // a line that begins with blanks keeps them; one is not broken there
            let begin = line.iter().take_while(|c| **c == ' ').count();
            let at = line.iter().rposition(|c| *c == ' ').filter(|at| *at > begin);
            let rest = match at {
                _ if c == ' ' => Vec::new(),
                Some(at) => line.split_off(at)[1..].to_vec(),
                None => Vec::new(),
            };
            lines.push(line.iter().collect::<String>().trim_end().to_owned());
            line = rest;
            if line.is_empty() && c == ' ' {
                continue;
            }
        }
        line.push(c);
    }
    if !line.is_empty() {
        lines.push(line.iter().collect());
    }
    lines
}

/// A bar of a value's share of the largest.
fn bar(value: Option<f64>, most: f64, width: usize, look: Look) -> String {
    let share = value.map_or(0.0, |v| (v / most.max(1.0)).clamp(0.0, 1.0));
    let full = if look.ascii { "#" } else { "█" };
    full.repeat((share * width as f64).round() as usize)
}

fn power(b: &Vital) -> &'static str {
    match b.power {
        _ if b.silent.is_some() => "?",
        Some(PowerState::On) => "on",
        Some(PowerState::Off) => "off",
        Some(PowerState::PoweringOn) => "starting",
        Some(PowerState::PoweringOff) => "stopping",
        Some(PowerState::Paused) => "paused",
        None => "",
    }
}

fn health(b: &Vital, look: Look) -> (String, Style) {
    match (&b.silent, b.health) {
        (Some(why), _) => (format!("silent: {why}"), look.style(Color::Yellow)),
        (_, Health::Critical) => ("CRITICAL".into(), look.style(Color::Red).add_modifier(Modifier::BOLD)),
        (_, Health::Warning) => ("warning".into(), look.style(Color::Yellow)),
        (_, Health::Ok) => ("ok".into(), Style::new()),
        (_, Health::Unknown) => (String::new(), Style::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("  because abcdefgh", 10), ["  because", "abcdefgh"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), Vec::<String>::new());
        assert_eq!(wrap("ab", 0), ["a", "b"]);
    }

    #[test]
    fn columns_on_the_left_are_whole_and_the_last_takes_the_rest() {
        assert_eq!(widths(&[5, 9, 0], 30), [5, 9, 14]);
        assert_eq!(widths(&[5, 9, 3], 30), [5, 9, 14]);
        assert_eq!(widths(&[20, 9, 5], 25), [20, 4]);
        assert_eq!(widths(&[20, 9, 5], 8), [8]);
    }

    #[test]
    fn the_selected_row_is_on_the_screen_and_others_stay_where_they_are() {
        let even = |_| 1;
        assert_eq!(first(0, 4, 100, 10, even), 0);
        assert_eq!(first(0, 12, 100, 10, even), 3);
        assert_eq!(first(3, 5, 100, 10, even), 3);
        assert_eq!(first(3, 2, 100, 10, even), 2);
        assert_eq!(first(90, 4, 5, 10, even), 0);
        assert_eq!(first(0, 3, 9, 4, |at| at + 1), 3);
        assert_eq!(first(0, 0, 0, 10, even), 0);
    }
}
