//! `busbar whatif fail …`: what would come of a failure. A question: nothing is changed.

use anyhow::Result;
use clap::Subcommand;
use rack::Place;
use rack::power::{Fate, Forecast, Load};

use crate::cli::Cli;
use crate::client::Client;
use crate::output::{self, Table, plain};

/// What may happen.
#[derive(Subcommand)]
pub enum WhatIf {
    /// These fail at once: PDUs, outlets, boxes, supplies
    ///
    /// Says which boxes and machines lose all power, which go on with fewer inputs, what load moves to which PDU, whether that
    /// trips the next one, and what is not known. It is reckoned from the cords that are written down and from what was read
    /// just now. Nothing is changed.
    #[command(
        before_help = "busbar whatif fail r1/pdu-a\nbusbar whatif fail r1/pdu-a/3      one outlet\n\
        busbar whatif fail r1/u3/psu1     a supply\nbusbar whatif fail r1/pdu-a r1/pdu-c --json"
    )]
    Fail {
        /// A PDU, an outlet, a box or a supply
        #[arg(required = true)]
        places: Vec<Place>,
    },
}

pub async fn whatif(cli: &Cli, client: &Client, what: &WhatIf) -> Result<u8> {
    let WhatIf::Fail { places } = what;
    let query: Vec<String> = places.iter().map(|p| format!("fail={p}")).collect();
    let answer = client.get(&format!("/v1/whatif?{}", query.join("&"))).await?;
    if cli.json {
        output::json(&answer, false)?;
        return Ok(0);
    }
    output::text(told(&serde_json::from_value(answer)?));
    Ok(0)
}

/// The forecast as people read it.
fn told(forecast: &Forecast) -> String {
    let mut text = format!("{}\n", plain(&forecast.headline));
    if !forecast.loads.is_empty() {
        text += &format!("\n{}", loads(&forecast.loads));
    }
    if !forecast.dies.is_empty() {
        let mut table = Table::new(&["DIES", "PLACE", ">NI", "STATE", ">WATTS", "BECAUSE"]);
        for v in &forecast.dies {
            let power = v.power.map(|p| format!("{p:?}").to_lowercase());
            table.row(vec![
                v.machine.as_ref().map_or("—".into(), ToString::to_string),
                v.place.to_string(),
                v.nice.map_or("—".into(), |n| n.to_string()),
                v.state.clone().or(power).unwrap_or_else(|| "—".into()),
                watts(v.watts),
                v.because.clone(),
            ]);
        }
        text += &format!("\n{table}");
    }
    if !forecast.sheds.is_empty() {
        let mut table = Table::new(&["GIVES UP", "PLACE", ">NI", ">WATTS", "HOW", "BECAUSE"]);
        for given in &forecast.sheds {
            let cap = given.cap.map(|w| format!("capped at {w:.0} W"));
            table.row(vec![
                given.machine.to_string(),
                given.place.to_string(),
                given.nice.to_string(),
                watts(Some(given.watts)),
                cap.filter(|_| given.stop.is_none()).unwrap_or_else(|| "stopped".into()),
                given.because.clone(),
            ]);
        }
        text += &format!("\n{table}");
    }
    let mut empty = 0;
    let mut table = Table::new(&["GOES ON", "PLACE", ">INPUTS", "FED BY"]);
    for w in &forecast.weaker {
        let Some(machine) = &w.machine else {
            empty += 1;
            continue;
        };
        let on: Vec<String> = w.on.iter().map(ToString::to_string).collect();
        let inputs = format!("{} of {}", w.left, w.of);
        table.row(vec![machine.to_string(), w.place.to_string(), inputs, on.join(" ")]);
    }
    if empty < forecast.weaker.len() {
        text += &format!("\n{table}");
    }
    if empty > 0 {
        let boxes = output::counted(empty, "box", "boxes");
        text += &format!("\n {boxes} without a machine would have fewer inputs\n");
    }
    let said =
        |before: &str, all: &[String]| -> String { all.iter().map(|n| format!(" {before}: {}\n", plain(n))).collect() };
    let notes = said("not known", &forecast.unknown) + &said("assumed", &forecast.assumed);
    if !notes.is_empty() {
        text += &format!("\n{notes}");
    }
    text + "Nothing was changed.\n"
}

fn loads(all: &[Load]) -> Table {
    let mut table = Table::new(&["PDU", ">NOW", ">THEN", ">RATED", ">SHARE", ">THEN", ""]);
    for load in all {
        let share = |watts| load.share(watts).map_or("—".into(), |s| format!("{:.0} %", s * 100.0));
        let least = if load.at_least { "≥ " } else { "" };
        let word = match load.fate {
            Fate::Dark => "dark already",
            Fate::Fails => "fails",
            Fate::Trips => "trips",
            Fate::Relieved => "kept from tripping",
            Fate::Soft => "over 80 %",
            Fate::Fine => "",
            Fate::Unknown => "not known",
        };
        let because = load.because.as_ref().map_or(String::new(), |b| {
            format!("{}{b}", if word.is_empty() { "" } else { ": " })
        });
        table.row(vec![
            load.pdu.to_string(),
            watts(load.before),
            format!("{least}{}", watts(load.after)),
            watts(load.rated),
            share(load.before),
            format!("{least}{}", share(load.after)),
            format!("{word}{because}"),
        ]);
    }
    table
}

fn watts(watts: Option<f64>) -> String {
    watts.map_or("unknown".into(), |w| format!("{w:.0} W"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_zero_and_bounds_are_marked() {
        let forecast: Forecast = serde_json::from_value(serde_json::json!({
            "at": "2026-11-29T00:00:00Z", "fails": ["r1/pdu-a"], "headline": "1 machine dies: web-1.",
            "dies": [{"place": "r1/u1", "machine": "web-1", "state": "running", "nice": -10, "power": "on", "watts": null,
                "because": "r1/pdu-a is its only input"}],
            "sheds": [], "weaker": [], "unaffected": 0,
            "loads": [
                {"pdu": "r1/pdu-a", "rated": null, "before": null, "after": 0.0, "at_least": false, "fate": "fails",
                    "round": null, "trips_in": null, "because": null},
                {"pdu": "r1/pdu-b", "rated": 1000.0, "before": 500.0, "after": 850.0, "at_least": true, "fate": "soft",
                    "round": null, "trips_in": null, "because": null}
            ],
            "moves": [], "unknown": ["how much moves with r1/u2: nothing tells what they draw"], "assumed": [],
        }))
        .unwrap();
        let text = told(&forecast);
        for line in [
            " r1/pdu-a  unknown      0 W  unknown      —       —  fails",
            " r1/pdu-b    500 W  ≥ 850 W   1000 W   50 %  ≥ 85 %  over 80 %",
            " web-1  r1/u1  -10  running  unknown  r1/pdu-a is its only input",
            " not known: how much moves with r1/u2: nothing tells what they draw",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(text.ends_with("Nothing was changed.\n"), "{text}");
    }

    #[test]
    fn who_gives_up_watts_is_told_in_their_order_and_whether_they_are_capped_or_stopped() {
        let given = |machine: &str, place: &str, nice: i8, cap: Option<f64>, stop: Option<&str>| {
            serde_json::json!({"place": place, "machine": machine, "nice": nice, "watts": 612.4, "cap": cap, "stop": stop,
                "because": "to keep r1/pdu-b below its limit"})
        };
        let forecast: Forecast = serde_json::from_value(serde_json::json!({
            "at": "2026-11-29T00:00:00Z", "fails": ["r1/pdu-a"], "headline": "Nothing dies.", "dies": [],
            "sheds": [given("lab-17", "r1/u1", 19, None, Some("cut")), given("web-3", "r1/u12", -10, Some(316.0), None)],
            "weaker": [], "unaffected": 0,
            "loads": [{"pdu": "r1/pdu-b", "rated": 11_040.0, "before": 7730.0, "after": 9384.0, "peak": 15_456.0, "at_least": false,
                "fate": "relieved", "round": null, "trips_in": 58.0, "because": "140 % of its rating would come to it"}],
            "moves": [], "unknown": [], "assumed": [],
        }))
        .unwrap();
        let text = told(&forecast);
        let table = text.split("\n\n").find(|part| part.contains("GIVES UP"));
        assert_eq!(
            table,
            Some(
                " GIVES UP  PLACE    NI  WATTS  HOW              BECAUSE\n \
                 lab-17    r1/u1    19  612 W  stopped          to keep r1/pdu-b below its limit\n \
                 web-3     r1/u12  -10  612 W  capped at 316 W  to keep r1/pdu-b below its limit\n\
                 Nothing was changed.\n"
            ),
            "{text}"
        );
        let load =
            " r1/pdu-b  7730 W  9384 W  11040 W   70 %  85 %  kept from tripping: 140 % of its rating would come to it";
        assert!(text.lines().any(|l| l == load), "{load}\n{text}");
    }
}
