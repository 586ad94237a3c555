//! Draws what [`super::state`] holds: 80 columns and 24 rows are enough, more are used, and fewer say so. Sixteen colours at most,
//! none with `NO_COLOR`, and nothing is said by colour alone.

use rack::Health;
use rack::vitals::Vital;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, TableState};

use super::rows::{Pane, Row, watts};
use super::state::{LEAST, Opened, State, WHOLE};
use super::table::{clock, table, wrap};
use crate::commands::look::told;
use crate::commands::spark::spark;
use crate::output::{self, plain};

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
    /// Foreground of this colour, if any is wished for.
    pub fn style(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    fn block<'a>(self, title: impl Into<Line<'a>>) -> Block<'a> {
        let block = Block::bordered().title(title);
        if self.ascii {
            block.border_set(ASCII_BORDER)
        } else {
            block
        }
    }

    /// What stands where nothing is known.
    pub fn dash(self) -> &'static str {
        if self.ascii { "-" } else { "—" }
    }

    fn degrees(self) -> &'static str {
        if self.ascii { "C" } else { "°C" }
    }

    /// Words as they can be shown: no control characters, and only ASCII where that is all.
    pub fn text(self, text: &str) -> String {
        let text = plain(text);
        if !self.ascii || text.is_ascii() {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if c.is_ascii() => out.push(c),
                '—' | '–' | '−' => out.push('-'),
                '→' => out.push_str("->"),
                '←' => out.push_str("<-"),
                '…' => out.push_str("..."),
                '‘' | '’' => out.push('\''),
                'µ' => out.push('u'),
                '°' => {}
                _ => out.push('?'),
            }
        }
        out
    }
}

/// Draws one frame.
pub fn draw(frame: &mut Frame, state: &mut State, look: Look) {
    let area = frame.area();
    state.fit(area.width, area.height);
    if !state.fits() {
        let ((columns, rows), (w, h)) = (LEAST, (area.width, area.height));
        let text = format!(
            "busbar top needs {columns} columns and {rows} rows, this terminal has {w} and {h}: make it larger, or use busbar top | cat"
        );
        let lines: Vec<Line> = wrap(&text, area.width.into()).into_iter().map(Line::raw).collect();
        return frame.render_widget(Paragraph::new(lines), area);
    }
    let foot = foot(state, area.width.into(), look);
    // what is asked is never cut off: the rows make room
    let tall = u16::try_from(foot.len()).unwrap_or(1).min(area.height - 3);
    let [head, body, under] =
        Layout::vertical([Constraint::Length(3), Constraint::Min(0), Constraint::Length(tall)]).areas(area);
    frame.render_widget(Paragraph::new(summary(state, head.width, look)), head);
    rows(frame, body, state, look);
    frame.render_widget(Paragraph::new(foot), under);
    if state.help {
        popup(frame, body, " keys ", &HELP.map(str::to_owned), 0, look);
    } else if let Some(opened) = &mut state.opened {
        let title = format!(" busbar why {} ", look.text(&opened.about));
        let width = usize::from(body.width.saturating_sub(4)).max(1);
        let lines = opened_lines(opened, width, look);
        opened.past = popup(frame, body, &title, &lines, opened.past, look);
    }
}

fn opened_lines(opened: &Opened, width: usize, look: Look) -> Vec<String> {
    let mut lines = opened.known.clone();
    match &opened.why {
        Some(Ok(why)) => {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(told(why));
        }
        Some(Err(problem)) => lines.extend(problem.lines().map(str::to_owned)),
        None if opened.about == "busbar" => {}
        None => lines.push("asking the daemon".into()),
    }
    let wrapped = |line: &String| match wrap(&look.text(line), width) {
        lines if lines.is_empty() => vec![String::new()],
        lines => lines,
    };
    lines.iter().flat_map(wrapped).collect()
}

/// The panes, and whether keys act.
fn bar(state: &State, width: u16, look: Look) -> Line<'static> {
    let mut spans = Vec::new();
    for (i, pane) in Pane::ALL.into_iter().enumerate() {
        spans.push(if pane == state.pane() {
            let bold = Style::new().add_modifier(Modifier::BOLD);
            Span::styled(format!("[{} {}]", i + 1, pane.title()), bold)
        } else {
            Span::raw(format!(" {} {} ", i + 1, pane.title()))
        });
    }
    let word = match (state.hand.armed(), state.may_act()) {
        (true, _) => "ARMED: keys act ",
        (false, Some(false)) => "read-only, reader ",
        (false, _) => "read-only ",
    };
    let used: usize = spans.iter().map(Span::width).sum();
    let gap = usize::from(width).saturating_sub(used + word.len());
    spans.push(Span::raw(" ".repeat(gap)));
    spans.push(Span::raw(word));
    let line = Line::from(spans);
    if state.hand.armed() {
        line.patch_style(look.style(Color::Red).add_modifier(Modifier::REVERSED | Modifier::BOLD))
    } else {
        line
    }
}

/// Three lines: the panes, the watts and the heat of all, each with how it was.
fn summary(state: &State, width: u16, look: Look) -> Vec<Line<'static>> {
    let empty = Vec::new();
    let boxes = state.vitals.as_ref().map_or(&empty, |v| &v.boxes);
    let drawn = |pick| {
        /// What stands before the bars.
        const BEFORE: u16 = 44;
        spark(&state.past.drawn(pick), width.saturating_sub(BEFORE).into(), look.ascii)
    };
    let number =
        |value: Option<f64>, unit: &str| value.map_or_else(|| look.dash().to_owned(), |v| format!("{v:.0} {unit}"));
    let (sum, missing) = watts(boxes);
    let missing = match missing {
        0 => String::new(),
        n => format!("{n} tell nothing"),
    };
    let hot = boxes.iter().filter(|b| b.hottest.is_some());
    let hot = hot.max_by(|a, b| a.hottest.unwrap_or(0.0).total_cmp(&b.hottest.unwrap_or(0.0)));
    let at = hot.map(|b| format!("{} {}", b.place, b.hottest_name.as_deref().unwrap_or_default()));
    vec![
        bar(state, width, look),
        Line::from(vec![
            Span::raw(format!("power   {:>9}  {missing:<22} ", number(sum, "W"))),
            Span::styled(drawn(|p| p.0), look.style(Color::Cyan)),
        ]),
        Line::from(vec![
            Span::raw(format!(
                "hottest {:>9}  {:<22.22} ",
                number(hot.and_then(|b| b.hottest), look.degrees()),
                look.text(&at.unwrap_or_default())
            )),
            Span::styled(drawn(|p| p.1), look.style(Color::Magenta)),
        ]),
    ]
}

/// How many there are and how they are.
fn counts(boxes: &[Vital], look: Look) -> Line<'static> {
    let count = |is: &dyn Fn(&Vital) -> bool| boxes.iter().filter(|b| is(b)).count();
    let (nodes, held) = (count(&|b| b.kind == "node"), count(&|b| b.holder.is_some()));
    let silent = count(&|b| b.silent.is_some());
    let ill = count(&|b| matches!(b.health, Health::Warning | Health::Critical));
    let mut spans = vec![Span::raw(format!(" {nodes} nodes, {held} held"))];
    if silent > 0 {
        spans.push(Span::styled(format!(", {silent} silent"), look.style(Color::Yellow)));
    }
    if ill > 0 {
        spans.push(Span::styled(format!(", {ill} not well"), look.style(Color::Red)));
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// The pane's rows, with what they are sorted by above, and the whole of the selected one below.
fn rows(frame: &mut Frame, area: Rect, state: &mut State, look: Look) {
    let (table, selected) = table(state, area.width.saturating_sub(2), area.height.saturating_sub(3), look);
    let mut title = format!(" {} by {}", state.pane().title(), state.sort().title());
    if state.reversed {
        title += ", reversed";
    }
    if !state.filter.is_empty() {
        title += &format!(", only `{}`", look.text(&state.filter));
    }
    let boxes = state.vitals.as_ref().map_or(&[][..], |v| &v.boxes);
    let mut block = look.block(title + " ").title_top(counts(boxes, look).right_aligned());
    if let Some(whole) = whole(state) {
        block = block.title_bottom(format!(" {} ", look.text(&whole)));
    }
    let size = (area.width, state.size.map_or(0, |s| s.1));
    if size.0 < WHOLE.0 || size.1 < WHOLE.1 {
        let (columns, rows) = WHOLE;
        let text = format!(" {}x{} is small: {columns}x{rows} shows all ", size.0, size.1);
        block = block.title_bottom(Line::raw(text).right_aligned());
    }
    if state.count() == 0 {
        let text = match state.known() {
            false => "waiting for the daemon",
            true if !state.filter.is_empty() => "nothing here holds that; Esc shows all",
            true if state.pane() == Pane::Machines => "no machine: busbar run IMAGE",
            true => "nothing",
        };
        return frame.render_widget(Paragraph::new(text).block(block), area);
    }
    let mut at = TableState::default().with_selected(selected);
    frame.render_stateful_widget(table.block(block), area, &mut at);
}

/// The selected row's name as the command line takes it, and what is said of it.
fn whole(state: &State) -> Option<String> {
    Some(match state.row(state.selected)? {
        Row::Machine(m) => match m.note(output::now().since(m.status.since)) {
            note if note.is_empty() => format!("{}: {}", m.name, m.status.state),
            note => format!("{}: {}, {note}", m.name, m.status.state),
        },
        Row::Box(b) => {
            let made = state.made.as_ref().and_then(|m| m.get(&b.place)).map(|m| m.note());
            let silent = b.silent.as_ref().map(|s| format!("silent: {s}"));
            let notes: Vec<String> = silent.into_iter().chain(made).filter(|n| !n.is_empty()).collect();
            match notes.join(", ") {
                note if note.is_empty() => b.place.to_string(),
                note => format!("{}: {note}", b.place),
            }
        }
        Row::Event(e) => e.event.about.clone(),
    })
}

/// What is said, asked, typed, or what keys do: as many lines as it takes.
fn foot(state: &State, width: usize, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut say = |text: &str, style: Style| {
        let wrapped = text.lines().flat_map(|line| wrap(&look.text(line), width));
        lines.extend(wrapped.map(|line| Line::styled(line, style)));
    };
    let (bold, red) = (Style::new().add_modifier(Modifier::BOLD), look.style(Color::Red));
    if let Some(why) = &state.lost {
        say(&format!("NO ANSWER, what is shown is old: {why}"), red.patch(bold));
    }
    if let Some(said) = &state.hand.said {
        say(
            &said.text,
            if said.good {
                bold
            } else {
                look.style(Color::Yellow).patch(bold)
            },
        );
    }
    if let Some(ask) = state.hand.asks() {
        let [what, todo] = ask.lines();
        say(&what, red.patch(bold));
        say(&todo, bold);
    } else if state.typing {
        say(&format!("/{}_   Enter keeps it, Esc shows all", state.filter), bold);
    } else {
        let acts = match (state.hand.armed(), state.pane()) {
            (true, Pane::Machines) => "s stop  k off  c start  x rm  A disarm",
            (true, Pane::Events) => "A disarm",
            (true, _) => "l light  L dark  d cordon  A disarm",
            (false, _) => "q quit  1-6 panes  < > sort  / find  Enter why  A arm",
        };
        let at = state.vitals.as_ref().map(|v| clock(v.at));
        let at = at.map(|at| format!("{at} UTC")).unwrap_or_default();
        say(&format!("{acts}  ? help  {at}"), Style::new());
    }
    lines
}

/// What keys do.
const HELP: [&str; 17] = [
    "1 to 6, Tab, left, right  rack, power, heat, machines, boxes, events",
    "up, down, PgUp, PgDn, Home, End            select a row",
    "Enter       why the selected row is as it is: busbar why",
    "< > r       sort by another column, turn the order round",
    "/           show only rows that hold a word; Esc shows all",
    "A           arm: the keys below act, and each asks first. They go off",
    "            by A, and by themselves after 5 minutes without a key",
    "  s k c x   machines: busbar kill -TERM, -KILL, -CONT; busbar rm",
    "  l L d     boxes: busbar locate, locate --off; cordon or uncordon",
    "q, Ctrl-C   leave",
    "",
    "The bars above are the last hour, or as long as it is known.",
    "A dash is no fresh reading: it is never zero.",
    "Machines: STAT is P pending, L placed, C composing, B booting,",
    "I installing, R running, T stopped, D draining, W wiping, H held;",
    "< behind it: gives up watts so that nothing trips.",
    "NI is the shed order, highest first.",
];

/// A window over the rows; gives the lines that it is scrolled past, which are no more than there are.
fn popup(frame: &mut Frame, area: Rect, title: &str, lines: &[String], past: usize, look: Look) -> usize {
    let longest = lines
        .iter()
        .map(|l| l.chars().count())
        .chain([title.chars().count()])
        .max();
    let side = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let (width, height) = (
        side(longest.unwrap_or(0) + 4).min(area.width),
        side(lines.len() + 2).min(area.height),
    );
    let middle = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let room = usize::from(height.saturating_sub(2));
    // scrolled to the end and no further
    let past = past.min(lines.len().saturating_sub(room));
    let mut block = look.block(title.to_owned());
    if past + room < lines.len() {
        block = block.title_bottom(Line::raw(" down: more ").right_aligned());
    }
    frame.render_widget(Clear, middle);
    let text: Vec<Line> = lines.iter().skip(past).map(|l| Line::raw(format!(" {l}"))).collect();
    frame.render_widget(Paragraph::new(text).block(block), middle);
    past
}
