use super::summary::{Jitter, Summary};
use crate::rtp::StreamStatistics;

/// What the media plane counted of the streams that went into one file, one after the other.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Recovered packets of the streams that ended.
    recovered: u64,
    /// Of which a file that ended told already.
    settled: u64,
    jitter: Option<Jitter>,
    current: StreamStatistics,
}

impl Counted {
    /// Takes what the current stream has counted so far.
    pub(super) fn set(&mut self, counted: StreamStatistics) {
        // An SSRC that was gone and comes back begins anew.
        if counted.received < self.current.received {
            self.end_stream();
        }
        self.current = counted;
        // Nothing can be said of the spacing of a single packet.
        if counted.received > 1 {
            let peak = self.jitter.map_or(counted.jitter_peak, |jitter| {
                jitter.peak.max(counted.jitter_peak)
            });
            let last = counted.jitter;
            self.jitter = Some(Jitter { last, peak });
        }
    }

    /// Another stream goes on.
    pub(super) fn end_stream(&mut self) {
        let ended = std::mem::take(&mut self.current);
        self.recovered += ended.recovered;
    }

    /// Writes it into the summary of a file that ends. What the stream counts from here on belongs
    /// to the next.
    pub(super) fn settle(&mut self, summary: &mut Summary) {
        let total = self.recovered + self.current.recovered;
        summary.recovered = total - std::mem::replace(&mut self.settled, total);
        summary.jitter = self.jitter;
    }
}
