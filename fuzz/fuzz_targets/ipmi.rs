//! Any packet, sensor record and FRU information of a BMC: no panic, and nothing told that is longer than it may be.
#![no_main]

use hardware::ipmi::packet::{Packet, Request, Response, Serial};
use hardware::ipmi::sdr::{self, Record, State};
use hardware::ipmi::{chassis, fru, sel};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = Packet::parse(bytes) {
        assert!(packet.body.len() <= bytes.len());
        let _ = (Request::decode(packet.body), Response::decode(packet.body));
        if let Ok(serial) = Serial::decode(packet.body) {
            assert_eq!(Serial::decode(&serial.encode()), Ok(serial));
        }
    }
    let mut sensors = Vec::new();
    match sdr::parse(bytes) {
        Some(Record::Sensors(read)) => {
            assert!(read.len() <= 16);
            sensors = read;
        }
        Some(Record::Fru(locator)) => assert!(locator.name.chars().count() <= 128),
        Some(Record::Other) | None => {}
    }
    for sensor in &sensors {
        for raw in [0, 1, 0x7f, 0x80, 0xff] {
            let value = sensor.analog.and_then(|a| a.value(raw, a.factors));
            assert!(value.is_none_or(f64::is_finite));
        }
        if let Some(state) = State::read(bytes) {
            let _ = (sdr::health(sensor, state), sdr::is_absent(sensor, state));
        }
    }
    let told = fru::parse(bytes);
    for text in [told.maker, told.model, told.serial].into_iter().flatten() {
        assert!(!text.is_empty() && text.chars().count() <= 128);
    }
    let _ = (
        sel::entry(bytes, &sensors),
        chassis::Status::read(bytes),
        chassis::BootFlags::read(bytes),
    );
});
