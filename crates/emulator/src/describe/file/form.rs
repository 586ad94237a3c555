//! The form of a description's file, with where each thing stands in it.

use serde::Deserialize;
use toml::Spanned;

use crate::describe::Fluid;
use crate::physics::breaker::Curve;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default = "r1")]
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) about: String,
    #[serde(default = "units")]
    pub(super) units: u32,
    #[serde(default)]
    pub(super) room: RoomIn,
    pub(super) door: Option<DoorIn>,
    #[serde(default, rename = "loop")]
    pub(super) loops: Vec<LoopIn>,
    #[serde(default, rename = "feed")]
    pub(super) feeds: Vec<FeedIn>,
    #[serde(default, rename = "pdu")]
    pub(super) pdus: Vec<PduIn>,
    #[serde(default, rename = "shelf")]
    pub(super) shelves: Vec<ShelfIn>,
    #[serde(default, rename = "box")]
    pub(super) boxes: Vec<BoxIn>,
}

fn r1() -> Spanned<String> {
    Spanned::new(0..0, "r1".into())
}
fn units() -> u32 {
    42
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RoomIn {
    pub(super) celsius: f64,
    pub(super) cubic_metres: f64,
    pub(super) steel_kilograms: f64,
    pub(super) cooling_watts: Option<f64>,
    pub(super) restart_seconds: f64,
}

impl Default for RoomIn {
    fn default() -> Self {
        RoomIn {
            celsius: 22.0,
            cubic_metres: 60.0,
            steel_kilograms: 500.0,
            cooling_watts: None,
            restart_seconds: 150.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoorIn {
    pub(super) effectiveness: f64,
    pub(super) water_celsius: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoopIn {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) fluid: Fluid,
    pub(super) litres: f64,
    pub(super) litres_per_minute: f64,
    pub(super) supply_celsius: f64,
    pub(super) water_celsius: f64,
    pub(super) water_litres_per_minute: Option<f64>,
    #[serde(default = "effectiveness")]
    pub(super) effectiveness: f64,
    #[serde(default = "pumps")]
    pub(super) pumps: u8,
    #[serde(default)]
    pub(super) pump_watts: f64,
}

fn effectiveness() -> f64 {
    0.8
}
fn pumps() -> u8 {
    2
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedIn {
    pub(super) name: Spanned<String>,
    #[serde(default = "volts")]
    pub(super) volts: f64,
    #[serde(default = "phases")]
    pub(super) phases: Spanned<u8>,
    pub(super) amps: Spanned<f64>,
    #[serde(default)]
    pub(super) curve: Curve,
    pub(super) transfer_millis: Option<f64>,
    pub(super) ups_watts: Option<f64>,
    pub(super) ups_minutes: Option<f64>,
}

fn volts() -> f64 {
    230.0
}
fn phases() -> Spanned<u8> {
    Spanned::new(0..0, 3)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PduIn {
    pub(super) name: Spanned<String>,
    pub(super) feed: Spanned<String>,
    pub(super) outlets: Spanned<usize>,
    #[serde(default)]
    pub(super) branches: usize,
    #[serde(default = "branch_amps")]
    pub(super) branch_amps: f64,
    #[serde(default = "yes")]
    pub(super) managed: bool,
}

fn yes() -> bool {
    true
}

fn branch_amps() -> f64 {
    16.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShelfIn {
    pub(super) name: Spanned<String>,
    pub(super) feed: Spanned<String>,
    pub(super) bus: String,
    pub(super) rectifiers: u8,
    pub(super) watts: f64,
    #[serde(default)]
    pub(super) battery_joules: f64,
    pub(super) unit: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxIn {
    pub(super) slot: Spanned<String>,
    pub(super) kind: Spanned<String>,
    /// Where a slot that is not called after its unit is.
    pub(super) unit: Option<Spanned<u32>>,
    #[serde(default = "one")]
    pub(super) height: u32,
    #[serde(default = "one")]
    pub(super) count: u32,
    #[serde(default)]
    pub(super) cords: Vec<Spanned<String>>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) gpus: Option<u8>,
    pub(super) load: Option<Spanned<LoadIn>>,
    #[serde(default = "yes")]
    pub(super) managed: bool,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum LoadIn {
    Number(f64),
    Named(String),
}
