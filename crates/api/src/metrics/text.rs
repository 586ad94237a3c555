//! The two text formats that Prometheus reads: OpenMetrics 1.0, and the older exposition format 0.0.4.
//!
//! `prometheus-client` writes a registry in one go, and keeps every sample of it: what is shown here is a view of a hall,
//! written piece by piece as it is read. The format is thirty lines.

use std::fmt::Write as _;

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value now.
    Gauge,
    /// A count since the start.
    Counter,
    /// How long things took, in classes.
    Histogram,
    /// Labels only; the value is 1.
    Info,
}

impl Kind {
    /// As the formats call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }

    /// What every sample's name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    Open,
    /// The exposition format 0.0.4.
    Classic,
}

impl Format {
    /// What `Accept` asks for: OpenMetrics where it is named and not refused.
    pub fn accepted(accept: &str) -> Format {
        let open = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next() == Some("application/openmetrics-text");
            named && !parts.any(|p| p == "q=0")
        });
        if open { Format::Open } else { Format::Classic }
    }

    /// `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A family's name and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Without the suffix of its kind.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit, which its name ends with; empty where it counts things.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// Labels of a sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// Writes one of the formats.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    name: &'static str,
    suffix: &'static str,
    out: String,
}

impl Writer {
    /// A writer that wrote nothing.
    pub fn new(format: Format) -> Writer {
        Writer {
            format,
            name: "",
            suffix: "",
            out: String::new(),
        }
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Begins a family. Its samples follow.
    pub fn head(&mut self, head: &Head) {
        (self.name, self.suffix) = (head.name, head.kind.suffix());
        let (kind, shown) = match (self.format, head.kind) {
            (Format::Open, kind) => (kind.word(), head.name.to_owned()),
            // the older format knows no info, and its names have their suffix
            (Format::Classic, Kind::Info) => ("gauge", format!("{}_info", head.name)),
            (Format::Classic, kind) => (kind.word(), format!("{}{}", head.name, kind.suffix())),
        };
        self.line(format_args!("# HELP {shown} {}", escape(head.help)));
        self.line(format_args!("# TYPE {shown} {kind}"));
        if self.format == Format::Open && !head.unit.is_empty() {
            self.line(format_args!("# UNIT {shown} {}", head.unit));
        }
    }

    /// One sample of the family.
    pub fn sample(&mut self, labels: Labels, value: f64) {
        self.written(self.suffix, labels, value);
    }

    /// A histogram: counts up to each upper end, the count of all, and their sum.
    pub fn histogram(&mut self, labels: Labels, ends: &[f64], below: &[u64], count: u64, sum: f64) {
        // OpenMetrics 1.0 wants these as floats: 1.0, not 1
        let ends = ends.iter().map(|end| format!("{end:?}"));
        let counts = below.iter().copied().chain([count]);
        for (end, count) in ends.chain(["+Inf".to_owned()]).zip(counts) {
            let labels = [labels, &[("le", &*end)]].concat();
            self.written("_bucket", &labels, count as f64);
        }
        self.written("_count", labels, count as f64);
        self.written("_sum", labels, sum);
    }

    /// Ends the document.
    pub fn end(&mut self) {
        if self.format == Format::Open {
            self.line(format_args!("# EOF"));
        }
    }

    fn written(&mut self, suffix: &str, labels: Labels, value: f64) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        for (i, (name, value)) in labels.iter().enumerate() {
            let _ = write!(
                self.out,
                "{}{name}=\"{}\"",
                if i == 0 { "{" } else { "," },
                escape(value)
            );
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    fn line(&mut self, text: std::fmt::Arguments) {
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{text}");
    }
}

/// Longest text: names come from BMCs.
const TEXT: usize = 256;

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(TEXT) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        name: "busbar_things_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "Things.",
    };

    fn written(format: Format) -> String {
        let mut writer = Writer::new(format);
        writer.head(&HEAD);
        writer.sample(&[("place", "r1/u1"), ("reading", "a\"b\\c\nd\x1b[m")], 1.5);
        writer.end();
        writer.take()
    }

    #[test]
    fn both_formats_are_written_and_labels_from_hardware_are_harmless() {
        let labels = r#"{place="r1/u1",reading="a\"b\\c\nd[m"} 1.5"#;
        assert_eq!(
            written(Format::Open),
            format!(
                "# HELP busbar_things_seconds Things.\n# TYPE busbar_things_seconds counter\n\
                 # UNIT busbar_things_seconds seconds\nbusbar_things_seconds_total{labels}\n# EOF\n"
            )
        );
        assert_eq!(
            written(Format::Classic),
            format!(
                "# HELP busbar_things_seconds_total Things.\n# TYPE busbar_things_seconds_total counter\n\
                 busbar_things_seconds_total{labels}\n"
            )
        );
    }

    #[test]
    fn a_histogram_has_its_classes_count_and_sum() {
        let mut writer = Writer::new(Format::Open);
        writer.name = "h";
        writer.histogram(&[], &[0.5, 1.0], &[1, 3], 4, 7.25);
        let want = "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1.0\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_count 4\nh_sum 7.25\n";
        assert_eq!(writer.take(), want);
        writer.histogram(&[("by", "x")], &[0.5], &[1], 1, 0.25);
        let want = "h_bucket{by=\"x\",le=\"0.5\"} 1\nh_bucket{by=\"x\",le=\"+Inf\"} 1\nh_count{by=\"x\"} 1\nh_sum{by=\"x\"} 0.25\n";
        assert_eq!(writer.take(), want);
    }

    #[test]
    fn who_asks_for_open_metrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::Open);
        for other in ["", "*/*", "text/plain", "application/openmetrics-text;q=0"] {
            assert_eq!(Format::accepted(other), Format::Classic, "{other}");
        }
    }
}
