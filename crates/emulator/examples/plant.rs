//! What the physical model costs: `cargo run --release -p emulator --example plant [RACKS]`. Prints a table; processor time
//! is this process's own.

use emulator::RackLayout;
use emulator::physics::Plant;
use emulator::physics::load::Trace;

/// Processor seconds of this process so far (`utime`, in hundredths; proc(5)).
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(11)?.parse::<f64>().ok());
    ticks.unwrap_or_default() / 100.0
}

/// Resident bytes (`/proc/self/statm`, in pages of 4 KiB).
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok());
    pages.unwrap_or_default() * 4096.0
}

/// Processor seconds that a second of all racks takes, over so many.
fn cost(racks: &mut [Plant], seconds: u32) -> f64 {
    let before = used();
    for _ in 0..seconds {
        for rack in racks.iter_mut() {
            rack.advance(1.0);
            rack.events();
        }
    }
    (used() - before) / f64::from(seconds)
}

fn set(racks: &mut [Plant], trace: &Trace) {
    for rack in racks {
        for id in rack.all().collect::<Vec<_>>() {
            rack.set_on(id, true);
            rack.set_load(id, trace.clone());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(250), |n| n.parse())?;
    let described = RackLayout::named("nvl72")?.describe();
    let before = resident();
    let mut racks: Vec<Plant> = (0..count).map(|_| described.plant().plant).collect();
    set(&mut racks, &Trace::Constant(0.8));
    cost(&mut racks, 1);
    let boxes = count * described.boxes.len();
    println!(
        "{count} racks like an NVL72, {boxes} boxes, {:.0} bytes a box",
        (resident() - before) / boxes as f64
    );
    println!("processor seconds for each second of all of them:");
    println!("  {:8.4}  warming up", cost(&mut racks, 60));
    racks.iter_mut().for_each(|r| r.advance(7200.0));
    println!("  {:8.4}  at rest under load", cost(&mut racks, 60));
    set(&mut racks, &Trace::named("training", 1)?);
    println!("  {:8.4}  training, all steps in time", cost(&mut racks, 60));
    Ok(())
}
