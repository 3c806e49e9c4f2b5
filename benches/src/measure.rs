//! Measuring two sides in turn, and printing their ratio.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How often both sides are measured, in turn.
const ROUNDS: usize = 9;

/// Work per second of two sides.
pub struct Ratio {
    pub what: &'static str,
    pub unit: &'static str,
    pub ours: f64,
    pub other: f64,
    pub target: &'static str,
}

/// Measures two sides in turn, so that a machine that slows down slows both, and takes the median
/// of each. Each side gets the round and answers with the time its work took.
pub fn compare(
    what: &'static str,
    unit: &'static str,
    work: u64,
    target: &'static str,
    mut ours: impl FnMut(usize) -> Duration,
    mut other: impl FnMut(usize) -> Duration,
) -> Ratio {
    let (mut our_times, mut other_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        our_times.push(ours(round));
        other_times.push(other(round));
    }
    let per_second = |times: Vec<Duration>| work as f64 / median(times).as_secs_f64();
    let ratio =
        Ratio { what, unit, ours: per_second(our_times), other: per_second(other_times), target };
    println!("{ratio}");
    ratio
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How long something takes.
pub fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, unit, ours, other, target } = self;
        let ratio = ours / other;
        write!(
            formatter,
            "{what:<46} {:>9.3} {:>9.3} M {unit:<11} {ratio:>8.2} {target:>8}",
            ours / 1e6,
            other / 1e6
        )
    }
}

/// How long a line of memory takes from one core to another. It decides what threads that write to one log
/// can do, and on a rented machine it changes within minutes.
pub fn from_core_to_core() -> Duration {
    const TURNS: u64 = 200_000;
    let ball = AtomicU64::new(0);
    let play = |mine: u64| {
        for turn in (mine..TURNS).step_by(2) {
            while ball.load(Ordering::Acquire) != turn {
                std::hint::spin_loop();
            }
            ball.store(turn + 1, Ordering::Release);
        }
    };
    time(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| play(1));
            play(0);
        });
    }) / TURNS as u32
}

/// The processor time that this process has taken in all its threads, in its own code and in the
/// system's.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The resident memory of this process in bytes, or none where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
