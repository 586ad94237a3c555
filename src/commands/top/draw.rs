//! Draws what [`super::state`] holds: 80 columns and 24 rows are enough, more are used. Sixteen colours at most, none with
//! `NO_COLOR`, and nothing is said by colour alone.

use rack::vitals::Vital;
use rack::{Health, PowerState};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState};

use super::state::{Pane, State, watts};
use crate::commands::spark::spark;
use crate::output::plain;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub colour: bool,
    /// Only ASCII.
    pub ascii: bool,
}

const ASCII_BORDER: border::Set = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Look {
    fn style(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn block(self, title: &str) -> Block<'_> {
        let block = Block::bordered().title(format!(" {title} "));
        if self.ascii {
            block.border_set(ASCII_BORDER)
        } else {
            block
        }
    }

    fn degrees(self) -> &'static str {
        if self.ascii { "C" } else { "°C" }
    }
}

/// Draws one frame.
pub fn draw(frame: &mut Frame, state: &State, look: Look) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(3), Constraint::Min(3), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(Paragraph::new(summary(state, head.width, look)), head);
    boxes(frame, body, state, look);
    frame.render_widget(Paragraph::new(footer(state, look)), foot);
    if state.help {
        help(frame, body, look);
    }
}

fn number(value: Option<f64>, unit: &str, look: Look) -> String {
    value.map_or_else(|| dash(look).to_owned(), |v| format!("{v:.0} {unit}"))
}

fn dash(look: Look) -> &'static str {
    if look.ascii { "-" } else { "—" }
}

/// Three lines: the panes, the watts and the heat of all, each with how it was.
pub fn summary(state: &State, width: u16, look: Look) -> Vec<Line<'static>> {
    let empty = Vec::new();
    let boxes = state.vitals.as_ref().map_or(&empty, |v| &v.boxes);
    let nodes = boxes.iter().filter(|b| b.kind == "node").count();
    let count = |is: &dyn Fn(&Vital) -> bool| boxes.iter().filter(|b| is(b)).count();
    let silent = count(&|b| b.silent.is_some());
    let ill = count(&|b| matches!(b.health, Health::Warning | Health::Critical));
    let mut panes = Vec::new();
    for (i, pane) in Pane::ALL.into_iter().enumerate() {
        let text = if pane == state.pane {
            format!("[{} {}]", i + 1, pane.title())
        } else {
            format!(" {} {} ", i + 1, pane.title())
        };
        let style = if pane == state.pane {
            Style::new().add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        };
        panes.push(Span::styled(text, style));
    }
    let held = count(&|b| b.holder.is_some());
    panes.push(Span::raw(format!("   {nodes} nodes, {held} held")));
    if silent > 0 {
        panes.push(Span::styled(format!(", {silent} silent"), look.style(Color::Yellow)));
    }
    if ill > 0 {
        panes.push(Span::styled(format!(", {ill} not well"), look.style(Color::Red)));
    }
    let drawn = |pick| {
        /// What stands before the bars.
        const BEFORE: u16 = 44;
        spark(&state.drawn(pick), width.saturating_sub(BEFORE).into(), look.ascii)
    };
    let (sum, missing) = watts(boxes);
    let missing = match missing {
        0 => String::new(),
        n => format!("{n} tell nothing"),
    };
    let hot = boxes.iter().filter(|b| b.hottest.is_some());
    let hot = hot.max_by(|a, b| a.hottest.unwrap_or(0.0).total_cmp(&b.hottest.unwrap_or(0.0)));
    let at = hot.map(|b| format!("{} {}", b.place, plain(b.hottest_name.as_deref().unwrap_or_default())));
    vec![
        Line::from(panes),
        Line::from(vec![
            Span::raw(format!("power   {:>9}  {missing:<22} ", number(sum, "W", look))),
            Span::styled(drawn(|p| p.0), look.style(Color::Cyan)),
        ]),
        Line::from(vec![
            Span::raw(format!(
                "hottest {:>9}  {:<22.22} ",
                number(hot.and_then(|b| b.hottest), look.degrees(), look),
                at.unwrap_or_default()
            )),
            Span::styled(drawn(|p| p.1), look.style(Color::Magenta)),
        ]),
    ]
}

/// A bar of a value's share of the largest.
fn bar(value: Option<f64>, most: f64, look: Look) -> String {
    const WIDTH: f64 = 24.0;
    let share = value.map_or(0.0, |v| (v / most.max(1.0)).clamp(0.0, 1.0));
    let full = if look.ascii { "#" } else { "█" };
    full.repeat((share * WIDTH).round() as usize)
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
        (Some(why), _) => (format!("silent: {}", plain(why)), look.style(Color::Yellow)),
        (_, Health::Critical) => ("CRITICAL".into(), look.style(Color::Red).add_modifier(Modifier::BOLD)),
        (_, Health::Warning) => ("warning".into(), look.style(Color::Yellow)),
        (_, Health::Ok) => ("ok".into(), Style::new()),
        (_, Health::Unknown) => (String::new(), Style::new()),
    }
}

fn boxes(frame: &mut Frame, area: Rect, state: &State, look: Look) {
    let rows = state.rows();
    let most = |pick: fn(&Vital) -> Option<f64>| rows.iter().filter_map(|b| pick(b)).fold(0.0, f64::max);
    let (most_watts, most_heat) = (most(|b| b.watts), most(|b| b.hottest));
    let right = |v: Option<f64>| v.map_or_else(|| format!("{:>7}", dash(look)), |v| format!("{v:>7.0}"));
    let holder = |b: &Vital| b.holder.as_ref().map_or_else(String::new, ToString::to_string);
    let cells = |b: &Vital| -> Row<'static> {
        let place = b.place.to_string();
        let (word, style) = health(b, look);
        let row = match state.pane {
            Pane::Rack => vec![
                place,
                b.kind.clone(),
                power(b).into(),
                holder(b),
                right(b.watts),
                right(b.inlet),
                word,
            ],
            Pane::Power => vec![place, holder(b), right(b.watts), bar(b.watts, most_watts, look), word],
            Pane::Heat => vec![
                place,
                right(b.inlet),
                right(b.hottest),
                b.hottest_name.clone().unwrap_or_default(),
                right(b.fan),
                bar(b.hottest, most_heat, look),
            ],
        };
        Row::new(row.iter().map(|c| plain(c)).collect::<Vec<_>>()).style(style)
    };
    let (head, widths): (&[&str], &[u16]) = match state.pane {
        Pane::Rack => (
            &["PLACE", "KIND", "POWER", "HELD BY", "  WATTS", "  INLET", "HEALTH"],
            &[12, 7, 8, 12, 7, 7, 20],
        ),
        Pane::Power => (&["PLACE", "HELD BY", "  WATTS", "", "HEALTH"], &[12, 12, 7, 24, 16]),
        Pane::Heat => (
            &["PLACE", "  INLET", "HOTTEST", "WHERE", "FAN RPM", ""],
            &[12, 7, 7, 14, 7, 24],
        ),
    };
    let title = format!(
        "{} by {}{}",
        state.pane.title(),
        state.sort.title(),
        if state.reversed { ", reversed" } else { "" }
    );
    let table = Table::new(
        rows.iter().map(|b| cells(b)),
        widths.iter().map(|w| Constraint::Length(*w)),
    )
    .header(Row::new(head.to_vec()).style(Style::new().add_modifier(Modifier::BOLD)))
    .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
    .block(look.block(&title));
    let mut at = TableState::default().with_selected((!rows.is_empty()).then_some(state.selected));
    frame.render_stateful_widget(table, area, &mut at);
}

fn footer(state: &State, look: Look) -> Line<'static> {
    match (&state.lost, &state.vitals) {
        (Some(why), _) => Line::styled(
            format!("NO ANSWER, what is shown is old: {}", plain(why)),
            look.style(Color::Red).add_modifier(Modifier::BOLD),
        ),
        (None, None) => Line::raw("waiting for the daemon"),
        (None, Some(v)) => Line::raw(format!(
            "q quit  1-3 pane  s sort  r reverse  ? help    read every {} s, {}",
            v.read_seconds, v.at
        )),
    }
}

/// What keys do.
const HELP: [&str; 10] = [
    "1 2 3, Tab, left, right   rack, power, heat",
    "up, down, PgUp, PgDn      select a box",
    "s                         sort by the next column",
    "r                         turn the order round",
    "?                         this",
    "q, Esc, Ctrl-C            leave",
    "",
    "The bars are the last hour, or as long as it is known.",
    "A dash is no fresh reading: it is never zero.",
    "busbar why PLACE says why a box is as it is.",
];

fn help(frame: &mut Frame, area: Rect, look: Look) {
    let (width, height) = (56.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let middle = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, middle);
    let text: Vec<Line> = HELP.iter().map(|l| Line::raw(*l)).collect();
    frame.render_widget(Paragraph::new(text).block(look.block("keys")), middle);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::state::{Key, tests::vitals};
    use super::*;

    fn shown(state: &State, width: u16, height: u16, look: Look) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state, look)).unwrap();
        let buffer = terminal.backend().buffer();
        if !look.colour {
            assert!(
                buffer.content.iter().all(|c| c.fg == Color::Reset),
                "colours with NO_COLOR"
            );
        }
        let lines = buffer.content.chunks(width.into());
        lines
            .map(|l| l.iter().map(|c| c.symbol()).collect::<String>() + "\n")
            .collect()
    }

    const PLAIN: Look = Look {
        colour: false,
        ascii: true,
    };

    fn state() -> State {
        let mut state = State::default();
        (0..3).for_each(|_| state.see(vitals()));
        state
    }

    #[test]
    fn eighty_columns_show_every_pane_and_only_ascii_where_that_is_all() {
        let mut state = state();
        for (pane, wants) in [
            (
                Pane::Rack,
                ["[1 rack]", "r1/u1", "web", "412", "CRITICAL", "silent: no answer"],
            ),
            (
                Pane::Power,
                [
                    "[2 power]",
                    "power by watts",
                    "#######",
                    "508 W",
                    "1 tell nothing",
                    "1 not well",
                ],
            ),
            (Pane::Heat, ["[3 heat]", "HOTTEST", "cpu1", "71 C", "7200", "1 silent"]),
        ] {
            state.press(Key::Go(pane));
            let text = shown(&state, 80, 24, PLAIN);
            assert!(text.is_ascii(), "{text}");
            for want in wants {
                assert!(text.contains(want), "no {want} in\n{text}");
            }
            let coloured = Look {
                colour: true,
                ascii: false,
            };
            assert!(!shown(&state, 80, 24, coloured).is_ascii());
        }
    }

    #[test]
    fn any_size_is_drawn_and_what_is_old_is_said() {
        let mut state = state();
        state.help = true;
        for (width, height) in [(1, 1), (10, 3), (20, 5), (80, 24), (300, 100)] {
            shown(&state, width, height, PLAIN);
        }
        assert!(shown(&state, 80, 24, PLAIN).contains("PgUp"));
        state.lost = Some("no daemon answers".into());
        assert!(shown(&state, 80, 24, PLAIN).contains("NO ANSWER, what is shown is old: no daemon answers"));
        assert!(shown(&State::default(), 80, 24, PLAIN).contains("waiting for the daemon"));
    }
}
