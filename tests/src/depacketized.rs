//! What the data path between jitter buffer and muxer makes of packets.

use trackmill::depacketize::for_codec;
use trackmill::media::{AccessUnit, Integrity, Pts};
use trackmill::rtp::injected::is_injected;

use crate::capture::Step;

/// What became of the packets of one stream.
#[derive(Debug, Default)]
pub struct Depacketized {
    /// What came out. Their times are the unrolled RTP timestamps.
    pub units: Vec<AccessUnit>,
    /// Packets that the SFU had made.
    pub injected: usize,
    /// Units of which nothing came out.
    pub skipped: usize,
}

impl Depacketized {
    /// Drops the SFU's packets and depacketizes the others.
    ///
    /// # Panics
    /// A payload is not what its format allows.
    pub fn of(steps: Vec<Step>) -> Self {
        let mut outcome = Self::default();
        let Some(codec) = steps.iter().find_map(|step| match step {
            Step::Packet(packet) => Some(packet.codec),
            Step::Lost(_) => None,
        }) else {
            return outcome;
        };
        let mut depacketizer = for_codec(codec);
        for step in steps {
            match step {
                Step::Lost(_) => depacketizer.lost(),
                Step::Packet(packet) if is_injected(&packet) => {
                    outcome.injected += 1;
                    depacketizer.lost();
                }
                Step::Packet(packet) => {
                    let pts = Pts(packet.timestamp.0);
                    depacketizer.push(&packet, pts).expect("a legal payload");
                }
            }
            outcome
                .units
                .extend(std::iter::from_fn(|| depacketizer.pull()));
        }
        depacketizer.finish();
        outcome
            .units
            .extend(std::iter::from_fn(|| depacketizer.pull()));
        outcome.skipped = usize::try_from(depacketizer.take_skipped()).expect("a small number");
        outcome
    }

    /// Injected packets, units, of these damaged, keyframes, skipped units.
    pub fn tally(&self) -> [usize; 5] {
        let count = |wanted: fn(&&AccessUnit) -> bool| self.units.iter().filter(wanted).count();
        [
            self.injected,
            self.units.len(),
            count(|unit| unit.integrity == Integrity::Damaged),
            count(|unit| unit.is_keyframe),
            self.skipped,
        ]
    }
}
