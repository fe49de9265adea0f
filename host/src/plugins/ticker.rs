use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Advances the epoch, by which guests are interrupted, every millisecond while guests run. When none has
/// run for a while it sleeps, and costs nothing.
#[derive(Debug)]
pub(crate) struct Ticker {
    pace: Pace,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What calls and ticker see of each other. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// [`ASLEEP`], calls that run times [`RUNNING`], and calls that began times [`BEGUN`], in one word so that
    /// the ticker cannot fall asleep beside a call that begins.
    state: Arc<AtomicU64>,
    ticker: Thread,
}

/// A call of a guest; the ticker is awake while there is one.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Pace);

impl Ticker {
    pub(crate) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let (engine, stop) = (engine.clone(), Arc::new(AtomicBool::new(false)));
        let state = Arc::new(AtomicU64::new(0));
        let (stopped, calls) = (Arc::clone(&stop), Arc::clone(&state));
        let thread = std::thread::Builder::new().name("plugin-epoch".to_owned());
        let thread = thread.spawn(move || tick(&calls, &stopped, || engine.increment_epoch()))?;
        Ok(Self {
            pace: Pace {
                state,
                ticker: thread.thread().clone(),
            },
            stop,
            thread: Some(thread),
        })
    }

    /// For those who call guests.
    pub(crate) fn pace(&self) -> Pace {
        self.pace.clone()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("The thread that interrupts guests has panicked.");
            }
        }
    }
}

impl Pace {
    /// A call begins: the epoch advances until what this returns is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        let before = self.state.fetch_add(BEGUN + RUNNING, Ordering::Relaxed);
        if before & ASLEEP != 0 {
            self.wake();
        }
        Running(self)
    }

    #[cold]
    fn wake(&self) {
        self.state.fetch_and(!ASLEEP, Ordering::Relaxed);
        self.ticker.unpark();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_sub(RUNNING, Ordering::Relaxed);
    }
}

/// The life of the ticker's thread.
fn tick(state: &AtomicU64, stop: &AtomicBool, advance: impl Fn()) {
    let mut seen = 0;
    let mut idle = 0;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        advance();
        let now = state.load(Ordering::Relaxed);
        let is_idle = now == seen && now & RUNNING_MASK == 0;
        idle = if is_idle { idle + 1 } else { 0 };
        seen = now;
        if idle >= LINGER && fall_asleep(state, now) {
            sleep(state, stop);
            idle = 0;
        }
    }
}

/// Whether no call has begun since `seen` was looked at.
fn fall_asleep(state: &AtomicU64, seen: u64) -> bool {
    let asleep = seen | ASLEEP;
    let exchanged = state.compare_exchange(seen, asleep, Ordering::Relaxed, Ordering::Relaxed);
    exchanged.is_ok()
}

fn sleep(state: &AtomicU64, stop: &AtomicBool) {
    while state.load(Ordering::Relaxed) & ASLEEP != 0 && !stop.load(Ordering::Relaxed) {
        std::thread::park();
    }
}

/// The unit of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call before it sleeps: frames come at least each 60 ms, and to wake it costs more than
/// to keep it awake so long.
const LINGER: u32 = 250;
/// The ticker sleeps.
const ASLEEP: u64 = 1;
/// One call that runs. There is room for 2^23 of them; each has a thread.
const RUNNING: u64 = 1 << 1;
const RUNNING_MASK: u64 = (1 << 24) - 2;
/// One call that began; wraps around.
const BEGUN: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_ticks_while_a_call_runs_and_sleeps_when_none_has_for_a_while() {
        let bench = Bench::new();

        let running = bench.pace.enter();
        bench.ticks(10);
        drop(running);
        bench.falls_asleep();
        let ticks = bench.count();
        (0..1_000).for_each(|_| std::thread::yield_now());
        let still = bench.count();
        let running = bench.pace.enter();
        bench.ticks(10);

        assert_eq!(still, ticks);
        drop(running);
    }

    #[test]
    fn short_calls_at_the_pace_of_frames_keep_it_awake() {
        let bench = Bench::new();
        let mut woken = 0;

        for _ in 0..20 {
            let before = bench.pace.state.load(Ordering::Relaxed);
            woken += usize::from(before & ASLEEP != 0);
            drop(bench.pace.enter());
            bench.ticks(20);
        }

        assert_eq!(woken, 0);
    }

    #[test]
    fn no_call_is_left_without_a_ticker_however_many_begin_while_it_falls_asleep() {
        let state = AtomicU64::new(0);
        for _ in 0..1_000 {
            let seen = state.load(Ordering::Relaxed);
            state.fetch_add(BEGUN + RUNNING, Ordering::Relaxed);

            assert!(!fall_asleep(&state, seen), "a call has begun");
            state.fetch_sub(RUNNING, Ordering::Relaxed);
            assert!(!fall_asleep(&state, seen), "a call was there");
            assert!(fall_asleep(&state, state.load(Ordering::Relaxed)));
            state.fetch_and(!ASLEEP, Ordering::Relaxed);
        }
    }

    /// A ticker that counts its ticks.
    struct Bench {
        pace: Pace,
        count: Arc<AtomicUsize>,
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Bench {
        fn new() -> Self {
            let (state, stop) = (
                Arc::new(AtomicU64::new(0)),
                Arc::new(AtomicBool::new(false)),
            );
            let count = Arc::new(AtomicUsize::new(0));
            let (calls, stopped, counter) = (state.clone(), stop.clone(), count.clone());
            let count_up = move || {
                counter.fetch_add(1, Ordering::Relaxed);
            };
            let thread = std::thread::spawn(move || tick(&calls, &stopped, count_up));
            Self {
                pace: Pace {
                    state,
                    ticker: thread.thread().clone(),
                },
                count,
                stop,
                thread: Some(thread),
            }
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::Relaxed)
        }

        /// Waits for so many ticks.
        fn ticks(&self, more: usize) {
            let until = self.count() + more;
            self.waits(|| self.count() >= until);
        }

        fn falls_asleep(&self) {
            self.waits(|| self.pace.state.load(Ordering::Relaxed) & ASLEEP != 0);
        }

        #[expect(clippy::disallowed_methods, reason = "a deadline for real threads")]
        fn waits(&self, is_so: impl Fn() -> bool) {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !is_so() {
                assert!(Instant::now() < deadline, "it takes too long");
                std::thread::yield_now();
            }
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            if let Some(thread) = self.thread.take() {
                thread.thread().unpark();
                thread.join().unwrap();
            }
        }
    }
}
