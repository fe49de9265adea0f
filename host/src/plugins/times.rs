use std::time::Duration;

/// How long calls took, in classes that are at most a quarter wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    classes: [u32; CLASSES],
    count: u64,
    sum: Duration,
    min: Duration,
    max: Duration,
}

impl Times {
    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All together.
    pub fn total(&self) -> Duration {
        self.sum
    }

    /// The shortest; zero if none was measured.
    pub fn min(&self) -> Duration {
        self.min.min(self.max)
    }

    /// The longest; zero if none was measured.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The time that `share` of the calls (0.5 for the median) did not exceed: the upper end of its class,
    /// so never too short; zero if none was measured.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut left = share.clamp(0.0, 1.0) * self.count_f64();
        for (class, count) in (0_u32..).zip(&self.classes) {
            left -= f64::from(*count);
            if *count > 0 && left <= 0.0 {
                return upper_end(class).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// Takes in what another one has measured.
    pub fn add_all(&mut self, other: &Self) {
        for (class, more) in self.classes.iter_mut().zip(&other.classes) {
            *class = class.saturating_add(*more);
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Takes in a call.
    pub fn add(&mut self, time: Duration) {
        if let Some(class) = self.classes.get_mut(class(time)) {
            *class = class.saturating_add(1);
        }
        self.count += 1;
        self.sum += time;
        self.min = self.min.min(time);
        self.max = self.max.max(time);
    }

    fn count_f64(&self) -> f64 {
        self.classes.iter().map(|count| f64::from(*count)).sum()
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            classes: [0; CLASSES],
            count: 0,
            sum: Duration::ZERO,
            min: Duration::MAX,
            max: Duration::ZERO,
        }
    }
}

/// Four classes an octave of nanoseconds.
fn class(time: Duration) -> usize {
    let nanos = u32::try_from(time.as_nanos()).unwrap_or(u32::MAX).max(4);
    let octave = nanos.ilog2();
    let quarter = (nanos >> (octave - 2)) & 3;
    usize::try_from((octave - 2) * 4 + quarter).unwrap_or(CLASSES - 1)
}

fn upper_end(class: u32) -> Duration {
    let (octave, quarter) = (class / 4, u64::from(class % 4));
    Duration::from_nanos(((quarter + 5) << octave) - 1)
}

/// Of 4 ns to 4.3 s.
const CLASSES: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_at_most_a_quarter_too_long() {
        let mut times = Times::default();
        for micros in 1..=1_000 {
            times.add(Duration::from_micros(micros));
        }

        for (share, exact) in [(0.5, 500_u64), (0.9, 900), (0.99, 990)] {
            let micros = times.quantile(share).as_micros();
            let exact = u128::from(exact);
            assert!(
                (exact..=exact * 5 / 4).contains(&micros),
                "{share}: {micros}"
            );
        }
        assert_eq!(times.min(), Duration::from_micros(1));
        assert_eq!(times.max(), Duration::from_millis(1));
        assert_eq!(times.quantile(1.0), times.max());
    }

    #[test]
    fn what_several_have_measured_is_as_if_one_had() {
        let (mut all, mut even, mut odd) = (Times::default(), Times::default(), Times::default());
        for micros in 1..=1_000 {
            let time = Duration::from_micros(micros);
            all.add(time);
            if micros % 2 == 0 { &mut even } else { &mut odd }.add(time);
        }

        even.add_all(&odd);
        even.add_all(&Times::default());

        assert_eq!(even, all);
    }

    #[test]
    fn extremes_have_a_class() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), Duration::ZERO);

        times.add(Duration::ZERO);
        times.add(Duration::from_secs(100));

        assert_eq!(times.count(), 2);
        assert_eq!(times.max(), Duration::from_secs(100));
    }
}
