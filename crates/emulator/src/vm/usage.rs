//! How busy a machine is, by what the kernel counts of its process.

use std::path::PathBuf;
use std::time::Instant;

/// Counts the time that all threads of a process ran (proc(5), `/proc/PID/stat`, fields 14 and 15).
#[derive(Debug)]
pub(super) struct Usage {
    file: PathBuf,
    /// Ticks of a second.
    ticks: f64,
    cpus: f64,
    last: Option<(Instant, f64)>,
}

impl Usage {
    /// Of a process that emulates so many processors.
    pub(super) fn of(pid: u32, cpus: u32) -> Usage {
        Usage {
            file: format!("/proc/{pid}/stat").into(),
            ticks: rustix::param::clock_ticks_per_second() as f64,
            cpus: f64::from(cpus.max(1)),
            last: None,
        }
    }

    /// The share of its processors that was busy since the last look, 0 to 1; none at the first.
    pub(super) fn since(&mut self, now: Instant) -> Option<f64> {
        let used = ticks(&std::fs::read_to_string(&self.file).ok()?)? / self.ticks;
        let (then, before) = self.last.replace((now, used))?;
        let passed = (now - then).as_secs_f64();
        (passed > 0.0).then(|| ((used - before) / passed / self.cpus).clamp(0.0, 1.0))
    }
}

/// User and system time. The program's name may hold spaces and parentheses: fields count after its last one.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_name_with_parentheses_moves_nothing() {
        let stat = "77 (a ) b) S 1 77 77 0 -1 4194560 5 0 0 0 120 30 0 0 20 0 3 0 1 2 3";
        assert_eq!(ticks(stat), Some(150.0));
        assert_eq!(ticks("77 (x) S 1"), None);
    }

    #[test]
    fn a_process_that_computes_is_busy_and_the_first_look_knows_nothing() {
        let mut usage = Usage::of(std::process::id(), 1);
        let start = Instant::now();
        assert_eq!(usage.since(start), None);
        let used = || ticks(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        let before = used();
        let mut x = 1u64;
        while used() < before + 5.0 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        // as if a second had passed: at least 5 of its ticks were used
        let share = usage.since(start + Duration::from_secs(1)).unwrap();
        assert!((0.049..=1.0).contains(&share), "{share}");
    }
}
