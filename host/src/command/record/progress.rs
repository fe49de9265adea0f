//! What the user sees while tracks are recorded: a line a track on a terminal, plain lines
//! otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

use super::follow::RecordingId;
use crate::pipeline::Progress;
use crate::sink::websocket::{self, Watch};

/// Shows how far each recording is.
#[derive(Debug)]
pub(super) struct Display {
    mode: Mode,
    tracks: BTreeMap<RecordingId, Line>,
}

#[derive(Debug)]
enum Mode {
    Off,
    Terminal(MultiProgress),
    Plain { next: Option<Instant> },
}

#[derive(Debug)]
struct Line {
    name: String,
    progress: Arc<Progress>,
    /// How far it is on the way to a server, if it goes to one.
    delivery: Option<Watch>,
    bar: Option<ProgressBar>,
    before: Option<(Instant, u64)>,
}

impl Display {
    pub(super) fn new(is_wanted: bool) -> Self {
        let mode = match (is_wanted, std::io::stderr().is_terminal()) {
            (false, _) => Mode::Off,
            (true, true) => Mode::Terminal(MultiProgress::new()),
            (true, false) => Mode::Plain { next: None },
        };
        Self {
            mode,
            tracks: BTreeMap::new(),
        }
    }

    /// How often [`refresh`](Self::refresh) is worth it; `None` if never.
    pub(super) const fn interval(&self) -> Option<Duration> {
        match self.mode {
            Mode::Off => None,
            Mode::Terminal(_) => Some(Duration::from_millis(500)),
            Mode::Plain { .. } => Some(Duration::from_secs(1)),
        }
    }

    pub(super) fn begin(
        &mut self,
        id: RecordingId,
        name: String,
        progress: Arc<Progress>,
        delivery: Option<Watch>,
    ) {
        let bar = match &self.mode {
            Mode::Terminal(bars) => Some(bars.add(line_of_text())),
            Mode::Off | Mode::Plain { .. } => None,
        };
        self.say(&format!("recording {name}"));
        let line = Line {
            name,
            progress,
            delivery,
            bar,
            before: None,
        };
        self.tracks.insert(id, line);
    }

    pub(super) fn end(&mut self, id: RecordingId) {
        if let Some(bar) = self.tracks.remove(&id).and_then(|line| line.bar) {
            bar.finish_and_clear();
        }
    }

    /// Says something that stays.
    pub(super) fn say(&self, text: &str) {
        match &self.mode {
            Mode::Off => {}
            Mode::Terminal(bars) => drop(bars.println(text)),
            Mode::Plain { .. } => print_line(text),
        }
    }

    pub(super) fn refresh(&mut self, now: Instant) {
        if let Mode::Plain { next } = &mut self.mode {
            let due = *next.get_or_insert(now + PLAIN_INTERVAL);
            if now < due {
                return;
            }
            *next = Some(now + PLAIN_INTERVAL);
        }
        for line in self.tracks.values_mut() {
            let text = line.text(now);
            match &line.bar {
                Some(bar) => bar.set_message(text),
                None if matches!(self.mode, Mode::Plain { .. }) => print_line(&text),
                None => {}
            }
        }
    }
}

impl Line {
    fn text(&mut self, now: Instant) -> String {
        let delivery = self.delivery.as_ref().map(|delivery| *delivery.borrow());
        let Self { name, progress, .. } = self;
        let bytes = delivery.map_or_else(|| progress.bytes(), |delivery| delivery.counters.bytes);
        let (since, had) = self.before.replace((now, bytes)).unwrap_or((now, bytes));
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let rate = if seconds > 0.0 {
            HumanBits(bytes.saturating_sub(had), seconds).to_string()
        } else {
            "-".to_owned()
        };
        let media = progress.media().as_secs();
        let (hours, minutes, seconds) = (media / 3_600, media / 60 % 60, media % 60);
        let muted = if progress.is_muted() { "  muted" } else { "" };
        let sent = delivery.map(on_the_way).unwrap_or_default();
        format!(
            "{name}  {hours:02}:{minutes:02}:{seconds:02}  {}  {rate}  lost {}{sent}{muted}",
            HumanBytes(bytes),
            progress.lost(),
        )
    }
}

fn on_the_way(delivery: websocket::Progress) -> String {
    let dropped = delivery.counters.dropped().as_secs_f64();
    let delay = delivery.delay.as_millis();
    let link = if delivery.is_connected {
        format!("delay {delay} ms")
    } else {
        "not connected".to_owned()
    };
    format!("  {link}  dropped {dropped:.1} s")
}

/// A bit rate: bytes in seconds.
struct HumanBits(u64, f64);

impl std::fmt::Display for HumanBits {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.0 as f64 * 8.0 / self.1;
        if bits >= 1e6 {
            write!(f, "{:.2} Mbit/s", bits / 1e6)
        } else {
            write!(f, "{:.0} kbit/s", bits / 1e3)
        }
    }
}

fn line_of_text() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}")
        .expect("the template is a constant that indicatif reads");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[expect(
    clippy::print_stderr,
    reason = "progress is for whoever started the command"
)]
fn print_line(text: &str) {
    eprintln!("{text}");
}

/// How often plain lines come, which often end in a log.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_shows_how_far_behind_it_is_and_what_was_dropped() {
        let counters = websocket::Counters {
            dropped_slow: Duration::from_millis(1_260),
            ..websocket::Counters::default()
        };
        let mut delivery = websocket::Progress {
            counters,
            delay: Duration::from_micros(4_900),
            is_connected: true,
        };
        assert_eq!(on_the_way(delivery), "  delay 4 ms  dropped 1.3 s");

        delivery.is_connected = false;

        assert_eq!(on_the_way(delivery), "  not connected  dropped 1.3 s");
    }
}
