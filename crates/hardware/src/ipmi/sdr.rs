//! Sensor data records, and how a raw reading becomes a value (IPMI 2.0 §36, §43). Pure.

use rack::{Health, Unit};

use crate::ipmi::fru::text;

/// Entities that anything is decided by (§43.14, table 43-13; DCMI 1.5 table 6-21 from 40h on).
pub mod entity {
    /// A processor.
    pub const PROCESSOR: [u8; 2] = [0x03, 0x41];
    /// A power supply.
    pub const SUPPLY: u8 = 0x0a;
    /// A fan.
    pub const FAN: u8 = 0x1d;
    /// Where air comes in.
    pub const INLET: [u8; 2] = [0x37, 0x40];
}

/// Sensor types (§42.2, table 42-3).
pub mod kind {
    /// Temperature.
    pub const TEMPERATURE: u8 = 0x01;
    /// Fan.
    pub const FAN: u8 = 0x04;
    /// Processor.
    pub const PROCESSOR: u8 = 0x07;
    /// Power supply.
    pub const SUPPLY: u8 = 0x08;
    /// Memory.
    pub const MEMORY: u8 = 0x0c;
    /// Drive bay.
    pub const DRIVE: u8 = 0x0d;
}

/// Reading is by thresholds (§42.1).
const THRESHOLDS: u8 = 0x01;
/// States are those of the sensor's type.
const SPECIFIC: u8 = 0x6f;
/// States are redundant, lost, degraded…
const REDUNDANCY: u8 = 0x0b;
/// From here on, the factors are another for each reading (§36.2).
const NON_LINEAR: u8 = 0x70;
/// Most sensors that one compact record stands for.
const SHARED: u8 = 16;

/// How a raw reading becomes a value: y = L((M·x + B·10^bexp)·10^rexp) (§36.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// M, 10 bits.
    pub m: i16,
    /// B, 10 bits.
    pub b: i16,
    /// Exponent of B.
    pub b_exp: i8,
    /// Exponent of the result.
    pub r_exp: i8,
}

impl Factors {
    /// Six bytes, as in a full record from byte 25 on, and in the answer to Get Sensor Reading Factors from M on.
    pub fn read(bytes: &[u8]) -> Option<Factors> {
        let [m, m_high, b, b_high, _, exponents, ..] = *bytes else {
            return None;
        };
        let ten = |low: u8, high: u8| sign(i16::from(low) | i16::from(high & 0xc0) << 2, 10);
        let four = |nibble: u8| i8::try_from(sign(i16::from(nibble & 0x0f), 4)).unwrap_or(0);
        Some(Factors {
            m: ten(m, m_high),
            b: ten(b, b_high),
            b_exp: four(exponents),
            r_exp: four(exponents >> 4),
        })
    }
}

/// A two's complement number of `bits` bits.
fn sign(value: i16, bits: u32) -> i16 {
    let half = 1 << (bits - 1);
    (value ^ half) - half
}

/// One sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Who has it; 20h is the BMC itself.
    pub owner: u8,
    /// Logical unit there.
    pub lun: u8,
    /// Number.
    pub number: u8,
    /// What it watches over.
    pub entity: u8,
    /// Which one of these.
    pub instance: u8,
    /// Sensor type.
    pub kind: u8,
    /// Event/reading type.
    pub reading: u8,
    /// Its name.
    pub name: String,
    /// How its readings are written, when they are analog.
    pub analog: Option<Analog>,
}

/// An analog reading's form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Analog {
    /// 0 unsigned, 1 one's complement, 2 two's complement.
    pub format: u8,
    /// Whether values are percentages.
    pub percent: bool,
    /// Base unit (§43.17).
    pub unit: u8,
    /// Linearization.
    pub curve: u8,
    /// The factors; those of a non-linear sensor hold only once they were asked for.
    pub factors: Factors,
}

impl Analog {
    /// Whether factors must be asked for with each reading.
    pub fn is_non_linear(&self) -> bool {
        self.curve & 0x7f >= NON_LINEAR
    }

    /// The value of a raw reading, with the unit's own scale; nothing when it is no number.
    pub fn value(&self, raw: u8, factors: Factors) -> Option<f64> {
        let x = match self.format {
            0 => f64::from(raw),
            // One's complement has two zeros.
            1 if raw & 0x80 != 0 => -f64::from(!raw),
            1 => f64::from(raw),
            _ => f64::from(i8::from_le_bytes([raw])),
        };
        let linear = (f64::from(factors.m) * x + f64::from(factors.b) * 10f64.powi(factors.b_exp.into()))
            * 10f64.powi(factors.r_exp.into());
        let y = match self.curve & 0x7f {
            1 => linear.ln(),
            2 => linear.log10(),
            3 => linear.log2(),
            4 => linear.exp(),
            5 => 10f64.powf(linear),
            6 => linear.exp2(),
            7 => 1.0 / linear,
            8 => linear * linear,
            9 => linear * linear * linear,
            10 => linear.sqrt(),
            11 => linear.cbrt(),
            _ => linear,
        };
        // What the record says in °F or K is told in °C.
        let y = match self.unit {
            2 => (y - 32.0) / 1.8,
            3 => y - 273.15,
            _ => y,
        };
        // Factors such as 10^-3 leave a tail that no sensor has.
        let y = (y * 1e6).round() / 1e6;
        y.is_finite().then_some(y)
    }

    /// What the value counts in, when it is one that is used here.
    pub fn counts(&self) -> Option<Unit> {
        if self.percent {
            return Some(Unit::Percent);
        }
        match self.unit {
            1..=3 => Some(Unit::Celsius),
            4 => Some(Unit::Volts),
            5 => Some(Unit::Amperes),
            6 => Some(Unit::Watts),
            18 => Some(Unit::Rpm),
            _ => None,
        }
    }
}

/// Where the FRU information of a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator {
    /// Who has it; 20h is the BMC itself.
    pub owner: u8,
    /// FRU device, to be read by its number.
    pub device: u8,
    /// What part it is.
    pub entity: u8,
    /// Which one of these.
    pub instance: u8,
    /// Its name.
    pub name: String,
}

/// A record that is used here.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// One sensor, or several that share a record.
    Sensors(Vec<Sensor>),
    /// Where FRU information is.
    Fru(Locator),
    /// Another.
    Other,
}

/// Bytes of a record's header.
pub const HEADER: usize = 5;

/// Reads a record, header included. Nothing when it is cut short.
pub fn parse(record: &[u8]) -> Option<Record> {
    let length = usize::from(*record.get(4)?);
    let body = record.get(..HEADER + length)?;
    match body[3] {
        // §43.1
        0x01 => {
            let analog = (body.get(13) == Some(&THRESHOLDS) || body.get(20)? >> 6 != 3).then(|| {
                Some(Analog {
                    format: body.get(20)? >> 6,
                    percent: body.get(20)? & 1 != 0,
                    unit: *body.get(21)?,
                    curve: *body.get(23)?,
                    factors: Factors::read(body.get(24..30)?)?,
                })
            });
            let mut sensor = sensor(body, 47)?;
            sensor.analog = analog.flatten();
            Some(Record::Sensors(vec![sensor]))
        }
        // §43.2: no factors, so no analog readings.
        0x02 => {
            let first = sensor(body, 31)?;
            let (share, modifier) = (*body.get(23)?, *body.get(24)?);
            let count = (share & 0x0f).clamp(1, SHARED);
            let named = |n: u8| {
                let offset = modifier & 0x7f;
                let n_th = offset.wrapping_add(n);
                match share >> 4 & 3 {
                    _ if count == 1 => first.name.clone(),
                    1 => format!("{}{}", first.name, char::from(b'A' + n_th % 26)),
                    _ => format!("{}{n_th}", first.name),
                }
            };
            let all = (0..count).map(|n| Sensor {
                number: first.number.wrapping_add(n),
                instance: first.instance.wrapping_add(if modifier & 0x80 != 0 { n } else { 0 }),
                name: named(n),
                ..first.clone()
            });
            Some(Record::Sensors(all.collect()))
        }
        // §43.8
        0x11 => Some(Record::Fru(Locator {
            // Only a logical device is read by number; another sits behind a bus.
            owner: if body.get(7)? & 0x80 != 0 { body[5] } else { 0 },
            device: body[6],
            entity: *body.get(12)?,
            instance: *body.get(13)?,
            name: named(body, 15),
        })),
        _ => Some(Record::Other),
    }
}

fn sensor(body: &[u8], name: usize) -> Option<Sensor> {
    Some(Sensor {
        owner: *body.get(5)?,
        lun: body.get(6)? & 3,
        number: *body.get(7)?,
        entity: *body.get(8)?,
        instance: *body.get(9)?,
        kind: *body.get(12)?,
        reading: *body.get(13)?,
        name: named(body, name),
        analog: None,
    })
}

/// The name at the end of a record; one that is cut short is taken as far as it goes.
fn named(body: &[u8], at: usize) -> String {
    let kind = body.get(at).copied().unwrap_or(0);
    let rest = body.get(at + 1..).unwrap_or_default();
    let length = usize::from(kind & 0x1f).min(rest.len());
    text(kind, &rest[..length], true).unwrap_or_default()
}

/// What a sensor says now (§35.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Its raw reading.
    pub raw: u8,
    /// Thresholds that are passed, or states that hold, by bit.
    pub bits: u16,
}

impl State {
    /// Reads an answer to Get Sensor Reading; nothing when the sensor gives no reading.
    pub fn read(data: &[u8]) -> Option<State> {
        let (raw, flags) = (*data.first()?, *data.get(1)?);
        // Scanning disabled, or reading unavailable.
        if flags & 0x40 == 0 || flags & 0x20 != 0 {
            return None;
        }
        let low = u16::from(data.get(2).copied().unwrap_or(0));
        let high = u16::from(data.get(3).copied().unwrap_or(0) & 0x7f);
        Some(State {
            raw,
            bits: low | high << 8,
        })
    }
}

/// How bad a state is, as far as its meaning is the same on every box.
pub fn health(sensor: &Sensor, state: State) -> Health {
    let any = |mask: u16| state.bits & mask != 0;
    let worst = |critical: u16, warning: u16| {
        if any(critical) {
            Health::Critical
        } else if any(warning) {
            Health::Warning
        } else {
            Health::Ok
        }
    };
    match (sensor.reading, sensor.kind) {
        // Bits: lower non-critical, critical, non-recoverable; upper the same.
        (THRESHOLDS, _) => worst(0b11_0110, 0b00_1001),
        // Lost, degraded, and the forms of non-redundant.
        (REDUNDANCY, _) => worst(0, 0b1111_1110),
        // Internal error, thermal trip, failures at start; throttled; machine check.
        (SPECIFIC, kind::PROCESSOR) => worst(0b1000_0001_1111, 0b100_0000_0000),
        // Failure; predicted failure, input lost or out of range, wrong configuration.
        (SPECIFIC, kind::SUPPLY) => worst(0b10, 0b111_1100),
        // Uncorrectable error, too hot; correctable errors past their limit.
        (SPECIFIC, kind::MEMORY) => worst(0b100_0000_0010, 0b10_0000),
        // Fault, in a failed array; predicted failure, in a critical array.
        (SPECIFIC, kind::DRIVE) => worst(0b100_0010, 0b10_0100),
        _ => Health::Unknown,
    }
}

/// Whether a part says of itself that it is not there.
pub fn is_absent(sensor: &Sensor, state: State) -> bool {
    let presence = match sensor.kind {
        kind::SUPPLY | kind::DRIVE => 0,
        kind::PROCESSOR => 7,
        _ => return false,
    };
    sensor.reading == SPECIFIC && state.bits & 1 << presence == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn analog(format: u8, curve: u8) -> Analog {
        Analog {
            format,
            percent: false,
            unit: 1,
            curve,
            factors: Factors {
                m: 1,
                b: 0,
                b_exp: 0,
                r_exp: 0,
            },
        }
    }

    #[test]
    fn a_reading_is_converted_as_its_record_says() {
        let by = |a: Analog, raw| a.value(raw, a.factors);
        assert_eq!(by(analog(0, 0), 200), Some(200.0));
        assert_eq!(by(analog(1, 0), 0xfe), Some(-1.0));
        assert_eq!(by(analog(2, 0), 0xfe), Some(-2.0));
        assert_eq!(by(analog(0, 8), 12), Some(144.0));
        assert_eq!(by(analog(0, 10), 144), Some(12.0));
        assert_eq!(by(analog(0, 7), 0), None, "one divided by nothing is no reading");
        assert_eq!(by(analog(0, 1), 0), None);
        let scaled = Analog {
            factors: Factors {
                m: 4,
                b: -100,
                b_exp: 1,
                r_exp: -2,
            },
            ..analog(0, 0)
        };
        assert_eq!(by(scaled, 255), Some(0.2));
        let fahrenheit = Analog {
            unit: 2,
            ..analog(0, 0)
        };
        assert_eq!(by(fahrenheit, 212), Some(100.0));
    }

    #[test]
    fn factors_have_ten_bits_and_exponents_four() {
        let f = Factors::read(&[0xff, 0xc0, 0x01, 0x80, 0x00, 0xe1]).unwrap();
        assert_eq!((f.m, f.b, f.b_exp, f.r_exp), (-1, -511, 1, -2));
    }

    /// The record of OpenIPMI's example: a temperature of the board.
    pub const FULL: [u8; 54] = [
        0x00, 0x00, 0x51, 0x01, 0x31, 0x20, 0x00, 0x01, 0x03, 0x01, 0x67, 0x88, 0x01, 0x01, 0xc0, 0x0f, 0xc0, 0x7f,
        0x38, 0x38, 0x00, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x60, 0xb0, 0x00, 0xb0, 0x00,
        0xa0, 0x90, 0x70, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc6, b'D', b'J', b't', b'e', b'm', b'p',
    ];

    #[test]
    fn a_full_record_tells_name_entity_and_factors() {
        let Some(Record::Sensors(sensors)) = parse(&FULL) else {
            panic!("no sensor")
        };
        let [s] = sensors.as_slice() else { panic!("{sensors:?}") };
        assert_eq!((s.name.as_str(), s.entity, s.instance, s.number), ("DJtemp", 3, 1, 1));
        assert_eq!(s.analog.unwrap().counts(), Some(Unit::Celsius));
        assert_eq!(s.analog.unwrap().value(0x60, s.analog.unwrap().factors), Some(96.0));
    }

    #[test]
    fn a_shared_record_stands_for_several_sensors() {
        let mut record = vec![1, 0, 0x51, 0x02, 0, 0x20, 0, 10, 0x0a, 1, 0, 0, kind::SUPPLY, SPECIFIC];
        record.resize(32, 0);
        (record[23], record[24]) = (0x02, 0x81);
        record[31] = 0xc2;
        record.extend(b"PS");
        record[4] = u8::try_from(record.len() - HEADER).unwrap();
        let Some(Record::Sensors(sensors)) = parse(&record) else {
            panic!("no sensors")
        };
        let told: Vec<_> = sensors
            .iter()
            .map(|s| (s.name.as_str(), s.number, s.instance))
            .collect();
        assert_eq!(told, [("PS1", 10, 1), ("PS2", 11, 2)]);
    }

    #[test]
    fn health_comes_from_thresholds_and_known_states_only() {
        let mut s = Sensor {
            owner: 0x20,
            lun: 0,
            number: 1,
            entity: 7,
            instance: 1,
            kind: kind::TEMPERATURE,
            reading: THRESHOLDS,
            name: String::new(),
            analog: None,
        };
        let of = |s: &Sensor, bits| health(s, State { raw: 0, bits });
        assert_eq!(of(&s, 0), Health::Ok);
        assert_eq!(of(&s, 0b00_1000), Health::Warning);
        assert_eq!(of(&s, 0b01_1000), Health::Critical);
        (s.kind, s.reading) = (kind::SUPPLY, SPECIFIC);
        assert_eq!(of(&s, 0b0001), Health::Ok, "presence");
        assert_eq!(of(&s, 0b1001), Health::Warning, "input lost");
        assert_eq!(of(&s, 0b0011), Health::Critical);
        assert!(is_absent(&s, State { raw: 0, bits: 0 }));
        s.reading = 0x03;
        assert_eq!(of(&s, 2), Health::Unknown);
        // Scanning disabled; reading unavailable.
        assert_eq!(State::read(&[9, 0x00, 0x3f]), None);
        assert_eq!(State::read(&[9, 0x60, 0x3f]), None);
        assert_eq!(State::read(&[9, 0xc0]), Some(State { raw: 9, bits: 0 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), raw: u8) {
            if let Some(Record::Sensors(sensors)) = parse(&bytes) {
                for s in sensors {
                    let _ = s.analog.map(|a| a.value(raw, a.factors));
                    let _ = State::read(&bytes).map(|state| (health(&s, state), is_absent(&s, state)));
                }
            }
        }

        #[test]
        fn no_change_of_a_good_record_makes_it_panic(at in 0usize..54, value: u8, kind in 0u8..0x20, cut in 0usize..54) {
            let mut record = FULL;
            record[3] = kind;
            record[at] = value;
            let _ = parse(&record);
            let _ = parse(&record[..cut]);
        }
    }
}
