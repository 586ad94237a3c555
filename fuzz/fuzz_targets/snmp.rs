//! Any packet of an SNMP agent, and any answers of one: reading ends, and what is told is finite.
#![no_main]

use std::sync::Mutex;

use hardware::snmp::agent::{Agent, Oid, Reply, Trouble, Value};
use hardware::snmp::{profile, udp};
use hardware::{Mode, Pdu};
use libfuzzer_sys::fuzz_target;
use rack::Time;

/// Answers made of bytes as they come; at their end it is silent.
struct Agent_(Mutex<(Vec<u8>, usize)>);

impl Agent_ {
    fn byte(&self) -> Option<u8> {
        let mut at = self.0.lock().expect("not poisoned");
        let byte = at.0.get(at.1).copied();
        at.1 += 1;
        byte
    }

    fn value(&self) -> Option<Value> {
        Some(match self.byte()? % 6 {
            0 => Value::Missing,
            1 => Value::End,
            2 => Value::Number(i64::MIN + i64::from(self.byte()?)),
            3 => Value::Octets(vec![self.byte()?; usize::from(self.byte()?)]),
            4 => Value::Octets(self.byte()?.to_string().into_bytes()),
            _ => Value::Number(self.byte()?.into()),
        })
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let mut numbers = oid.numbers().to_vec();
        match self.byte()? % 4 {
            // As it should be: one further.
            0 | 1 => numbers.push(1 + u32::from(self.byte()? % 3)),
            // Or not: the same again, or one back.
            2 => {}
            _ => drop(numbers.pop()),
        }
        Some((Oid::new(numbers)?, self.value()?))
    }
}

fn silent() -> Trouble {
    Trouble::Silent("over".into())
}

impl Agent for Agent_ {
    fn get<'a>(&'a self, oids: &'a [Oid]) -> Reply<'a> {
        let all: Option<_> = oids.iter().map(|o| Some((o.clone(), self.value()?))).collect();
        Box::pin(async move { all.ok_or_else(silent) })
    }

    fn get_next<'a>(&'a self, oid: &'a Oid) -> Reply<'a> {
        let one = self.next(oid).map(|o| vec![o]);
        Box::pin(async move { one.ok_or_else(silent) })
    }

    fn get_bulk<'a>(&'a self, oid: &'a Oid, most: u32) -> Reply<'a> {
        let mut at = oid.clone();
        let all: Option<Vec<_>> = (0..most.min(4))
            .map(|_| {
                let (oid, value) = self.next(&at)?;
                at = oid.clone();
                Some((oid, value))
            })
            .collect();
        Box::pin(async move { all.ok_or_else(silent) })
    }

    fn set<'a>(&'a self, _: &'a Oid, _: i64) -> Reply<'a> {
        unreachable!("observing writes nothing")
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bindings) = udp::read(bytes) {
        for (oid, value) in &bindings {
            assert!(oid.numbers().len() <= 128);
            let _ = (value.number(), value.text(), value.bit(7));
        }
    }
    assert!(!profile::all().is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pdu = Pdu::with_agent("snmp://pdu.test", Box::new(Agent_(Mutex::new((bytes.to_vec(), 0)))), Mode::Observe);
        let Ok(found) = pdu.discover().await else { return };
        for device in found.devices.iter().take(4) {
            let _ = pdu.outlets(&device.path).await;
            for r in pdu.readings(&device.path, Time::from_millis(0)).await.unwrap_or_default() {
                assert!(r.value.is_none_or(f64::is_finite));
            }
        }
    });
});
