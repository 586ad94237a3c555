//! Golden inventories: how one is written down, and compared.

use std::fmt::Write as _;
use std::path::PathBuf;

use hardware::capability::Cap;
use hardware::{FoundDevice, FoundSystem, Problem};
use rack::{Health, Part, PartKind, Reading};

/// Problems written out; their number is always told.
const PROBLEMS: usize = 12;

fn dash<T: std::fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "-".into(), ToString::to_string)
}

fn part(p: &Part) -> String {
    let what = match &p.kind {
        PartKind::Processor { cores, threads } => format!("cpu {cores} cores {threads} threads"),
        PartKind::Memory { size } => format!("memory {size}"),
        PartKind::Drive { size, bus } => format!("drive {} {bus:?}", size.decimal()),
        PartKind::Nic {
            mac,
            link,
            mbps,
            neighbour,
        } => format!(
            "nic {} {} {} {}",
            dash(mac),
            match link {
                Some(true) => "up",
                Some(false) => "down",
                None => "-",
            },
            mbps.map_or_else(|| "-".into(), |m| format!("{m} Mbit/s")),
            neighbour
                .as_ref()
                .map_or_else(|| "-".into(), |n| format!("{}:{}", n.system, n.port)),
        ),
        PartKind::Gpu { memory } => format!("gpu {}", dash(memory)),
        PartKind::Pcie => "pcie".into(),
        PartKind::Supply { watts } => format!("supply {} W", dash(watts)),
        PartKind::Fan => "fan".into(),
        PartKind::LeakDetector => "leak detector".into(),
    };
    format!(
        "    {}: {what} | {} {} {} fw {} | {:?}\n",
        p.id,
        dash(&p.maker),
        dash(&p.model),
        dash(&p.serial),
        dash(&p.firmware),
        p.health
    )
}

pub fn system(s: &FoundSystem, readings: &[Reading], polled: u32, caps: &[Cap]) -> String {
    let mut out = String::new();
    let i = &s.identity;
    let kind = if s.is_machine { "machine" } else { "no machine" };
    let _ = writeln!(out, "{kind} {}", s.system);
    let _ = writeln!(
        out,
        "  {} {} serial {} uuid {} bios {} bmc {}",
        dash(&i.maker),
        dash(&i.model),
        dash(&i.serial),
        dash(&i.uuid),
        dash(&i.bios),
        dash(&i.bmc_firmware)
    );
    let bad: Vec<&str> = s
        .parts
        .iter()
        .filter(|p| p.health >= Health::Warning)
        .map(|p| p.id.as_str())
        .collect();
    let _ = writeln!(out, "  power {:?} health {:?} {}", s.power, s.health, bad.join(" "));
    let _ = writeln!(out, "  manager {} chassis {}", dash(&s.manager), dash(&s.chassis));
    let a = &s.abilities;
    let _ = writeln!(out, "  reset {:?}", a.reset);
    let _ = writeln!(
        out,
        "  boot {:?} once {} media {} manager reset {} cap {} light {} console {}",
        a.boot, a.boot_once, a.virtual_media, a.manager_reset, a.cap, a.indicator, a.console
    );
    let memory: u64 = s
        .parts
        .iter()
        .map(|p| {
            if let PartKind::Memory { size } = p.kind {
                size.0
            } else {
                0
            }
        })
        .sum();
    let _ = writeln!(out, "  {} parts, {} of memory", s.parts.len(), rack::Bytes(memory));
    s.parts.iter().for_each(|p| out += &part(p));
    for c in caps {
        let range = c.range.map_or_else(|| "-".into(), |(l, h)| format!("{l:.0} to {h:.0}"));
        let now = c.watts.map_or_else(|| "none".into(), |w| format!("{w:.0} W"));
        let _ = writeln!(out, "  cap {}: {now} range {range} writable {}", c.id, c.writable);
    }
    let _ = writeln!(out, "  {} readings by {polled} requests", readings.len());
    for r in readings {
        let value = r.value.map_or_else(|| "no reading".into(), |v| format!("{v:.1}"));
        let _ = writeln!(out, "    {} {value} {}", r.name, r.unit);
    }
    let _ = writeln!(out, "  {} firmware", s.firmware.len());
    for f in &s.firmware {
        let fixed = if f.updateable { "" } else { " fixed" };
        let _ = writeln!(out, "    {}: {} ({}){fixed}", f.id, dash(&f.version), f.name);
    }
    out
}

pub fn device(d: &FoundDevice) -> String {
    let mut out = String::new();
    let i = &d.identity;
    let _ = writeln!(out, "{:?} {} {}", d.kind, d.name, d.path);
    let _ = writeln!(
        out,
        "  {} {} serial {} fw {} | {:?} | {}",
        dash(&i.maker),
        dash(&i.model),
        dash(&i.serial),
        dash(&i.bmc_firmware),
        d.health,
        d.watts.map_or_else(|| "no reading".into(), |w| format!("{w:.1} W"))
    );
    for m in &d.mains {
        let _ = writeln!(out, "    mains {} A {} V {} phases", m.amps, m.volts, m.phases);
    }
    for (name, value, unit) in &d.readings {
        let value = value.map_or_else(|| "no reading".into(), |v| format!("{v:.1}"));
        let _ = writeln!(out, "    {name} {value} {unit}");
    }
    for o in &d.outlets {
        let power = o.power.map_or_else(|| "-".into(), |p| format!("{p:?}"));
        let _ = writeln!(
            out,
            "    outlet {}: {power} {} W {} A label {} switched {}",
            o.id,
            dash(&o.watts),
            dash(&o.amps),
            dash(&o.label),
            o.switched
        );
    }
    out
}

pub fn problems(all: &[Problem]) -> String {
    let mut out = format!("{} problems\n", all.len());
    let mut sorted: Vec<String> = all.iter().map(|p| format!("  {}: {}\n", p.path, p.what)).collect();
    sorted.sort();
    sorted.iter().take(PROBLEMS).for_each(|p| out += p);
    out
}

/// Whether `text` is what is kept for `tree`; writes it when told to.
pub fn same(tree: &str, text: &str) -> bool {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{tree}.txt"));
    if std::env::var_os("BUSBAR_RENEW").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept != text {
        let first = kept.lines().zip(text.lines()).find(|(a, b)| a != b);
        eprintln!("{tree} differs from {}: {first:?}", file.display());
    }
    kept == text
}
