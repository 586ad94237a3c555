//! Debian's Prometheus, its `promtool`, and the page of names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::output;
use crate::daemon::{Busbar, free, until};
use crate::process::Process;
use crate::test::Tally;

/// The page that the names are documented on.
const PAGE: &str = include_str!("../../../docs/metrics.md");
/// Names that have no sample in a rack where nothing runs.
const MAY_BE_EMPTY: [&str; 1] = ["busbar_machines"];

/// A name of the page.
struct Documented {
    name: String,
    kind: String,
    help: String,
    always: bool,
}

/// The rows of the page's tables.
fn documented() -> Vec<Documented> {
    let mut always = true;
    let mut all = Vec::new();
    for line in PAGE.lines() {
        if line.starts_with("## ") {
            always = line == "## Always";
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", name, kind, _, help, ""] = cells[..]
            && let Some(name) = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'))
        {
            all.push(Documented {
                name: name.into(),
                kind: kind.into(),
                help: help.into(),
                always,
            });
        }
    }
    all
}

/// Everything.
pub fn check(tally: &mut Tally, busbar: &Busbar, folder: &Path, port: u16) -> Result<()> {
    let token = folder.join("token");
    fs::write(
        &token,
        busbar
            .call(&["token", "make", "prometheus", "--role", "reader"])?
            .trim(),
    )?;
    let certificate = busbar.home.state().join("tls-cert.pem");
    let address = format!("https://127.0.0.1:{port}");
    let curl = |path: &str, token: Option<&Path>| -> Result<String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "30", "--cacert"]);
        curl.arg(&certificate);
        if let Some(token) = token {
            let token = fs::read_to_string(token)?;
            curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        output(curl.arg(format!("{address}{path}")))
    };
    tally.check("nobody without a token is told", {
        match curl("/metrics", None) {
            Err(e) if e.to_string().contains("401") => Ok(()),
            other => Err(anyhow::anyhow!("{other:?}")),
        }
    });
    let text = curl("/metrics?readings=all", Some(&token))?;
    tally.check("promtool check metrics", promtool(folder, &text));

    let at = free()?;
    let _server = start(folder, &token, &certificate, port, at)?;
    let query = |what: &str| -> Result<Vec<(Value, f64)>> { values(&ask(at, "query", Some(("query", what)))?) };
    let up = || query("up").is_ok_and(|v| v.len() == 2 && v.iter().all(|(_, up)| *up == 1.0));
    tally.check("both targets are up", until("Prometheus with its targets", up));

    let metadata = ask(at, "metadata", None)?;
    let mut samples: BTreeMap<String, f64> = BTreeMap::new();
    for (labels, count) in query(r#"count by (__name__) ({job=~"busbar.*"})"#)? {
        samples.insert(labels["__name__"].as_str().unwrap_or_default().to_owned(), count);
    }
    let all = documented();
    ensure!(all.len() > 30, "the page has {} names", all.len());
    for d in &all {
        tally.check(
            &format!("{} is as documented", d.name),
            as_documented(d, &metadata, &samples),
        );
    }
    tally.check("nothing is told that is not documented", {
        let base = |name: &str| {
            let known = |d: &Documented| {
                let histogram = ["_bucket", "_count", "_sum"]
                    .iter()
                    .any(|s| name == format!("{}{s}", d.name));
                d.name == name || (d.kind == "histogram" && histogram)
            };
            // what Prometheus itself says of each scrape
            name == "up" || name.starts_with("scrape_") || all.iter().any(known)
        };
        match samples.keys().find(|n| !base(n)) {
            None => Ok(()),
            Some(name) => Err(anyhow::anyhow!("{name}")),
        }
    });
    tally.check("its watts are those of `busbar sensors`", agrees(busbar, &query));
    tally.check("exchanges with BMCs are counted", {
        let answered = query(r#"sum(busbar_bmc_requests_total{job="busbar",outcome="ok"})"#)?;
        match answered.first() {
            Some((_, n)) if *n > 0.0 => Ok(()),
            other => Err(anyhow::anyhow!("{other:?}")),
        }
    });
    tally.check("the history has what was scraped", history(busbar));
    Ok(())
}

fn promtool(folder: &Path, text: &str) -> Result<()> {
    let file = folder.join("metrics.txt");
    fs::write(&file, text)?;
    let out = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(fs::File::open(&file)?)
        .output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success() && said.trim().is_empty(), "{said}");
    Ok(())
}

fn start(folder: &Path, token: &Path, certificate: &Path, target: u16, at: u16) -> Result<Process> {
    let job = |name: &str, more: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    authorization: {{ credentials_file: {} }}\n    \
             tls_config: {{ ca_file: {} }}\n    static_configs: [{{ targets: [\"127.0.0.1:{target}\"] }}]\n{more}",
            token.display(),
            certificate.display()
        )
    };
    let file = folder.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n{}{}",
        job("busbar", ""),
        job("busbar-readings", "    params: { readings: [all] }\n")
    );
    fs::write(&file, text)?;
    output(Command::new("promtool").args(["check", "config"]).arg(&file))?;
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let mut server = Command::new("prometheus");
    server
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{at}"));
    Process::start("prometheus", folder, &mut server)
}

/// An answer of Prometheus' own API.
fn ask(at: u16, path: &str, query: Option<(&str, &str)>) -> Result<Value> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "20", "--get"]);
    if let Some((name, value)) = query {
        curl.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    let text = output(curl.arg(format!("http://127.0.0.1:{at}/api/v1/{path}")))?;
    let answer: Value = serde_json::from_str(&text)?;
    ensure!(answer["status"] == "success", "{text}");
    Ok(answer["data"].clone())
}

/// Labels and value of each series.
fn values(data: &Value) -> Result<Vec<(Value, f64)>> {
    let result = data["result"].as_array().context("a list of results")?;
    let value = |r: &Value| -> Result<(Value, f64)> {
        let number = r["value"][1].as_str().context("a value")?.parse()?;
        Ok((r["metric"].clone(), number))
    };
    result.iter().map(value).collect()
}

fn as_documented(d: &Documented, metadata: &Value, samples: &BTreeMap<String, f64>) -> Result<()> {
    let family = match d.kind.as_str() {
        "counter" => d.name.strip_suffix("_total"),
        "info" => d.name.strip_suffix("_info"),
        _ => Some(d.name.as_str()),
    };
    let family = family.context("the name has no suffix of its kind")?;
    let told = &metadata[family][0];
    ensure!(!told.is_null(), "Prometheus knows nothing of {family}");
    ensure!(told["type"] == d.kind.as_str(), "it is a {}", told["type"]);
    ensure!(told["help"] == d.help.as_str(), "its help is {}", told["help"]);
    let unit = told["unit"].as_str().unwrap_or_default();
    ensure!(unit.is_empty() || family.ends_with(unit), "its unit is {unit}");
    let sample = if d.kind == "histogram" {
        format!("{}_count", d.name)
    } else {
        d.name.clone()
    };
    let needed = d.always && !MAY_BE_EMPTY.contains(&d.name.as_str());
    ensure!(!needed || samples.contains_key(&sample), "it has no sample");
    Ok(())
}

/// Each node's watts by Prometheus, against what the command line shows before or after.
fn agrees(busbar: &Busbar, query: &impl Fn(&str) -> Result<Vec<(Value, f64)>>) -> Result<()> {
    const TIMES: u32 = 30;
    let shown = || -> Result<BTreeMap<String, f64>> {
        let sensors: BTreeMap<String, Vec<Value>> = serde_json::from_str(&busbar.call(&["sensors", "--json"])?)?;
        let watts = |(place, all): (String, Vec<Value>)| {
            let one = all.iter().find(|r| r["name"] == "watts" && r["unit"] == "watts")?;
            Some((place, one["value"].as_f64()?))
        };
        Ok(sensors.into_iter().filter_map(watts).collect())
    };
    let mut last = String::new();
    for _ in 0..TIMES {
        let before = shown()?;
        // longer than a scrape, far shorter than readings are apart
        sleep(Duration::from_secs(2));
        let told = query(r#"busbar_node_power_watts{job="busbar"}"#)?;
        let (sum, after) = (query(r#"sum(busbar_rack_power_watts{job="busbar"})"#)?, shown()?);
        let total: f64 = told.iter().map(|(_, w)| w).sum();
        let same = |(labels, watts): &(Value, f64)| {
            let place = labels["place"].as_str().unwrap_or_default();
            [&before, &after].iter().any(|s| s.get(place) == Some(watts))
        };
        let summed = sum.first().is_some_and(|(_, s)| (s - total).abs() < 0.5);
        if told.len() == super::NODES as usize + 1 && told.iter().all(same) && summed {
            return Ok(());
        }
        last = format!("Prometheus: {told:?}, sum {sum:?}; sensors: {before:?}");
    }
    bail!("{last}")
}

fn history(busbar: &Busbar) -> Result<()> {
    let view: Value = serde_json::from_str(&busbar.call(&["sensors", "r1/u1/watts", "--history", "--json"])?)?;
    let samples = view["series"][0]["samples"].as_array().context("a list of counts")?;
    let count: u64 = samples.iter().filter_map(Value::as_u64).sum();
    ensure!(count > 0, "no sample: {view}");
    let drawn = busbar.call(&["sensors", "r1/u1", "--history"])?;
    ensure!(drawn.contains("r1/u1/watts") && drawn.contains("MEAN"), "{drawn}");
    Ok(())
}
