//! An elevation as SVG 1.1: text that can be searched, a `<title>` for each box, light or dark as the reader has it, and
//! light on paper. No script, no link, nothing from elsewhere.

use std::fmt::Write as _;

use rack::elevation::{Class, DrawnBox, DrawnValue, Elevation, Flank};
use rack::intent::Face;
use rack::shed::Shed;
use rack::{PowerState, Time};

use super::palette::{Rgb, cividis, hex, ink, of_class, shape};

/// One rack unit, in pixels.
const UNIT: f64 = 22.0;
/// Inner width of the rack.
const WIDTH: f64 = 460.0;
/// What the unit numbers take at the left.
const NUMBERS: f64 = 30.0;
/// What one PDU takes, and the gap before it.
const PDU: f64 = 76.0;
const GAP: f64 = 8.0;
/// What the heading and the margins take.
const HEAD: f64 = 58.0;
const MARGIN: f64 = 16.0;
/// Width of an average letter of the sizes that are used, a little too wide: text is cut by it.
const LETTER: f64 = 6.7;

/// The only style; the policy of the answer knows it by its hash.
pub const STYLE: &str = "text{font:11px system-ui,sans-serif}\
.g{fill:#fbfbf9}.i{fill:#16181a}.s{fill:#55595e}.p{fill:#f2f2ee;stroke:#84888d}.n{fill:none;stroke:#84888d}.b{stroke:#84888d}\
.h{font-size:16px;font-weight:600}.m{text-anchor:middle}.e{text-anchor:end}.d{stroke-dasharray:4 3}\
@media (prefers-color-scheme:dark){.g{fill:#101214}.i{fill:#e8e9ea}.s{fill:#a3a8ae}.p{fill:#181b1e;stroke:#6d7278}.n,.b{stroke:#6d7278}}\
@media print{.g{fill:#fff}.i{fill:#000}.s{fill:#333}.p{fill:#fff;stroke:#333}.n,.b{stroke:#333}}";

/// Text as XML takes it: markup escaped, and characters left out that XML 1.0 §2.2 forbids or that turn a line around.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() => {}
            '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => out.push(c),
        }
    }
    out
}

/// As much of a text as fits.
fn cut(text: &str, width: f64) -> String {
    let most = (width / LETTER).max(0.0) as usize;
    if text.chars().count() <= most {
        return escape(text);
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    if kept.is_empty() {
        String::new()
    } else {
        escape(&kept) + "…"
    }
}

/// Fill of a value; nothing where there is none.
fn fill(shade: Option<f64>, class: Option<Class>) -> Option<Rgb> {
    shade.map(cividis).or(class.map(of_class))
}

fn shown(value: Option<&DrawnValue>, missing: Option<&str>) -> String {
    match value {
        Some(value) => match value.class {
            Some(class) => format!("{} {}", shape(class), value.text),
            None => value.text.clone(),
        },
        None => missing.unwrap_or("no reading").to_owned(),
    }
}

/// A rectangle: of the panel's colour (`p`), or with an edge alone (`n`), unless it has a colour of its own. That is an
/// attribute, which any rule would override, as a style's policy allows none on elements.
fn rect(out: &mut String, [x, y, w, h]: [f64; 4], plain: &str, dashed: bool, filled: Option<Rgb>) {
    let (class, colour) = match filled {
        Some(fill) => ("b", format!(" fill=\"{}\"", hex(fill))),
        None => (plain, String::new()),
    };
    let dashes = if dashed { " d" } else { "" };
    let _ = write!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"2\" class=\"{class}{dashes}\"{colour}/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, class: &str, colour: Option<Rgb>, escaped: &str) {
    let colour = colour.map(|c| format!(" fill=\"{}\"", hex(c))).unwrap_or_default();
    let _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\"{colour}>{escaped}</text>"
    );
}

/// What someone reads who points at a box, or can't see it.
fn title(b: &DrawnBox) -> String {
    let mut lines = vec![b.place.to_string()];
    lines.extend(b.model.clone());
    lines.extend(b.name.clone());
    lines.push(shown(b.value.as_ref(), b.missing.as_deref()));
    if let Some(age) = b.value.as_ref().and_then(|v| v.age) {
        lines.push(format!("read {age} s before"));
    }
    if let Some(machine) = &b.machine {
        let state = b.state.as_deref().unwrap_or("?");
        lines.push(format!("machine {machine}, {state}"));
    }
    lines.extend(b.held.clone());
    lines.extend(b.shed.as_ref().filter(|s| !s.is_over()).map(Shed::in_words));
    lines.extend(
        b.power
            .map(|p| format!("power {}", if p == PowerState::Off { "off" } else { "on" })),
    );
    lines.extend(b.silent.as_ref().map(|why| format!("BMC silent: {why}")));
    lines.extend(b.cordoned.as_ref().map(|why| format!("cordoned: {why}")));
    if b.found && b.kind == "server" && !b.armed {
        lines.push("not armed".to_owned());
    }
    escape(&lines.join(" · "))
}

/// One box at `x, y`, `w` by `h`.
fn drawn_box(out: &mut String, b: &DrawnBox, [x, y, w, h]: [f64; 4]) {
    let colour = fill(
        b.value.as_ref().and_then(|v| v.shade),
        b.value.as_ref().and_then(|v| v.class),
    );
    let on = colour.map(ink);
    let dashed = !b.found || b.silent.is_some();
    let _ = write!(out, "<g><title>{}</title>", title(b));
    rect(out, [x + 1.0, y + 1.0, w - 2.0, h - 2.0], "p", dashed, colour);
    let ink = if on.is_some() { "" } else { "i" };
    let words = shown(b.value.as_ref(), b.missing.as_deref());
    let value_width = (words.chars().count() as f64 * LETTER).min(w / 2.0);
    let middle = y + h / 2.0 + 4.0;
    text(out, x + w - 8.0, middle, &format!("e {ink}"), on, &cut(&words, w / 2.0));
    let slot = b.place.slot().unwrap_or(b.place.as_str());
    let mut label = slot.to_owned();
    if let Some(machine) = &b.machine {
        label = format!("{label}  {machine}");
    } else if let Some(other) = b.name.as_ref().or(b.model.as_ref()) {
        label = format!("{label}  {other}");
    }
    if b.silent.is_some() {
        label += "  (silent)";
    } else if b.power == Some(PowerState::Off) {
        label += "  (off)";
    }
    let cells = (b.cells.len() as f64 * 14.0).min(w / 3.0);
    text(
        out,
        x + 8.0,
        middle,
        ink,
        on,
        &cut(&label, w - value_width - cells - 28.0),
    );
    let each = cells / (b.cells.len().max(1) as f64);
    for (n, cell) in b.cells.iter().enumerate() {
        let at = x + w - 16.0 - value_width - cells + n as f64 * each;
        let _ = write!(
            out,
            "<g><title>{}</title>",
            escape(&format!("{} {}", cell.name, cell.text))
        );
        rect(
            out,
            [at, y + 5.0, (each - 2.0).max(1.0), h - 10.0],
            "p",
            false,
            fill(cell.shade, cell.class),
        );
        out.push_str("</g>");
    }
    out.push_str("</g>");
}

fn flank(out: &mut String, f: &Flank, [x, y, w, h]: [f64; 4]) {
    let words = shown(f.value.as_ref(), f.missing.as_deref());
    let model = f.model.as_deref().unwrap_or("PDU");
    let _ = write!(
        out,
        "<g><title>{}</title>",
        escape(&format!("{} · {model} · {words}", f.place))
    );
    rect(out, [x, y, w, h], "p", !f.found, None);
    let middle = x + w / 2.0;
    text(
        out,
        middle,
        y + 14.0,
        "m i",
        None,
        &cut(f.place.slot().unwrap_or_default(), w),
    );
    text(out, middle, y + 28.0, "m s", None, &cut(&words, w));
    let room = h - 36.0;
    let each = (room / f.outlets.len().max(1) as f64).min(UNIT);
    for (n, outlet) in f.outlets.iter().enumerate() {
        let on = match outlet.on {
            Some(true) => "on",
            Some(false) => "off",
            None => "not told",
        };
        let mut words = format!("outlet {} {on}", outlet.outlet);
        words += &outlet.label.as_ref().map(|l| format!(" · {l}")).unwrap_or_default();
        words += &outlet
            .feeds
            .as_ref()
            .map(|p| format!(" · feeds {p}"))
            .unwrap_or_default();
        words += &outlet.watts.map(|w| format!(" · {w:.0} W")).unwrap_or_default();
        let top = y + 34.0 + n as f64 * each;
        let _ = write!(out, "<g><title>{}</title>", escape(&words));
        let edge = [x + 6.0, top + 1.0, w - 12.0, (each - 2.0).max(1.0)];
        rect(out, edge, "n", outlet.on != Some(true), None);
        // smaller ones would cover each other
        if each >= 12.0 {
            let feeds = outlet.feeds.as_ref().and_then(|p| p.slot()).unwrap_or("");
            let label = format!("{} {feeds}", outlet.outlet);
            text(out, middle, top + each / 2.0 + 4.0, "m s", None, &cut(&label, w - 14.0));
        }
        out.push_str("</g>");
    }
    out.push_str("</g>");
}

/// The palette or the classes, and what they mean.
fn legend(out: &mut String, e: &Elevation, x: f64, y: f64) {
    const STEPS: usize = 20;
    text(out, x, y, "s", None, &escape(&e.legend.label));
    if let (Some(low), Some(high)) = (e.legend.low, e.legend.high) {
        let step = (WIDTH - 120.0) / STEPS as f64;
        for n in 0..STEPS {
            let colour = cividis((n as f64 + 0.5) / STEPS as f64);
            let at = x + 60.0 + n as f64 * step;
            let _ = write!(
                out,
                "<rect x=\"{at:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" fill=\"{}\"/>",
                y + 8.0,
                step + 0.3,
                hex(colour)
            );
        }
        let unit = escape(&e.unit);
        text(out, x + 54.0, y + 17.0, "e s", None, &format!("{low:.0} {unit}"));
        text(out, x + WIDTH - 54.0, y + 17.0, "s", None, &format!("{high:.0} {unit}"));
        return;
    }
    let mut at = x;
    for class in &e.legend.classes {
        let words = format!("{} {} ({})", shape(class.class), class.label, class.boxes);
        rect(out, [at, y + 7.0, 12.0, 12.0], "n", false, Some(of_class(class.class)));
        text(out, at + 18.0, y + 17.0, "s", None, &escape(&words));
        at += 34.0 + words.chars().count() as f64 * LETTER;
    }
}

fn heading(e: &Elevation, side: Face) -> (String, String) {
    let from = match side {
        Face::Front => "front",
        Face::Rear => "rear",
    };
    let mut facts = vec![from.to_owned(), e.legend.label.clone()];
    facts.extend(e.totals.watts.map(|w| format!("{w:.0} W")));
    if e.totals.unknown > 0 {
        facts.push(format!("{} without a reading", e.totals.unknown));
    }
    facts.extend(e.totals.inlet_max.map(|c| format!("warmest inlet {c:.0} °C")));
    // to the second: more says nothing to who reads it on paper
    let at = Time::from_millis(e.at.as_millis().div_euclid(1000) * 1000);
    (format!("Rack {}", e.rack), format!("{} · {at}", facts.join(" · ")))
}

/// The picture of a rack from one side.
pub fn svg(e: &Elevation, side: Face) -> String {
    // seen from behind, left is right
    let flip = side == Face::Rear;
    let left = e.flanks.len().div_ceil(2);
    let (mut before, mut after): (Vec<&Flank>, Vec<&Flank>) = (
        e.flanks.iter().take(left).collect(),
        e.flanks.iter().skip(left).collect(),
    );
    if flip {
        std::mem::swap(&mut before, &mut after);
    }
    let rows = f64::from(e.units);
    let body = rows * UNIT;
    let at = MARGIN + before.len() as f64 * (PDU + GAP) + NUMBERS;
    let wide = at + WIDTH + GAP + after.len() as f64 * (PDU + GAP) + MARGIN;
    let feet = if e.feet.is_empty() {
        0.0
    } else {
        24.0 + e.feet.len() as f64 * (UNIT + 2.0)
    };
    let high = HEAD + body + feet + 44.0 + MARGIN;
    let (name, facts) = heading(e, side);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {wide:.0} {high:.0}\" \
         role=\"img\" aria-labelledby=\"t\"><title id=\"t\">{}</title><style>{STYLE}</style>",
        escape(&format!("{name}: {facts}"))
    );
    let _ = write!(out, "<rect width=\"{wide:.0}\" height=\"{high:.0}\" class=\"g\"/>");
    text(&mut out, MARGIN, 28.0, "h i", None, &escape(&name));
    text(&mut out, MARGIN, 46.0, "s", None, &cut(&facts, wide - 2.0 * MARGIN));
    rect(&mut out, [at, HEAD, WIDTH, body], "p", false, None);
    for unit in 1..=e.units {
        let y = HEAD + body - f64::from(unit) * UNIT;
        text(&mut out, at - 8.0, y + UNIT / 2.0 + 4.0, "e s", None, &unit.to_string());
    }
    for b in &e.boxes {
        let Some(unit) = b.unit.filter(|_| !b.half_depth || b.face == side) else {
            continue;
        };
        let width = WIDTH / f64::from(b.columns.max(1));
        let column = if flip {
            b.columns.saturating_sub(b.column + 1)
        } else {
            b.column
        };
        let y = HEAD + body - (unit - 1.0 + b.height) * UNIT;
        drawn_box(&mut out, b, [at + f64::from(column) * width, y, width, b.height * UNIT]);
    }
    for (n, f) in before.iter().enumerate() {
        flank(&mut out, f, [MARGIN + n as f64 * (PDU + GAP), HEAD, PDU, body]);
    }
    for (n, f) in after.iter().enumerate() {
        flank(
            &mut out,
            f,
            [at + WIDTH + GAP + n as f64 * (PDU + GAP), HEAD, PDU, body],
        );
    }
    if !e.feet.is_empty() {
        text(&mut out, at, HEAD + body + 18.0, "s", None, "without a unit");
        for (n, b) in e.feet.iter().enumerate() {
            let y = HEAD + body + 24.0 + n as f64 * (UNIT + 2.0);
            drawn_box(&mut out, b, [at, y, WIDTH, UNIT]);
        }
    }
    legend(&mut out, e, at, HEAD + body + feet + 20.0);
    out.push_str("</svg>\n");
    out
}
