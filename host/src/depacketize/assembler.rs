//! Where access units of video begin and end, and what loss and limits do to them: the same for
//! every payload format.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Depacketizer, MAX_ACCESS_UNIT, PayloadError};
use crate::media::{AccessUnit, Integrity, Pts};
use crate::rtp::RtpPacket;

/// Joins the payloads of a picture as their payload format says.
pub(super) trait Format: std::fmt::Debug + Send {
    /// Packets are missing in front of the unit that begins; they may have been its beginning.
    fn suspect(&mut self) {}

    /// Takes the next payload of the unit; it is not empty.
    fn take(&mut self, payload: &Bytes) -> Result<(), &'static str>;

    /// Packets of the unit are missing, or of no use, behind what was taken.
    fn hole(&mut self);

    /// The unit is over. The next payload begins another one.
    fn finish(&mut self) -> Finished;
}

/// What became of a unit.
#[derive(Debug)]
pub(super) enum Finished {
    /// It can be given.
    Unit {
        /// Laid out as [`AccessUnit`] says.
        data: Bytes,
        is_keyframe: bool,
        integrity: Integrity,
    },
    /// There is nothing to give although there was a picture.
    Skipped,
    /// There was no picture in it.
    NoPicture,
}

/// Makes a [`Depacketizer`] of a payload format.
#[derive(Debug)]
pub(super) struct Assembler<F> {
    format: F,
    /// The unit under construction.
    open: Option<Open>,
    is_hole_pending: bool,
    finished: VecDeque<AccessUnit>,
    skipped: u32,
}

#[derive(Debug)]
struct Open {
    pts: Pts,
    /// How many bytes it may still take; `None` once it wanted more.
    room: Option<usize>,
}

impl<F: Format> Assembler<F> {
    pub(super) const fn new(format: F) -> Self {
        Self {
            format,
            open: None,
            is_hole_pending: false,
            finished: VecDeque::new(),
            skipped: 0,
        }
    }

    fn take(&mut self, payload: &Bytes, pts: Pts) -> Result<(), &'static str> {
        let open = self.open.get_or_insert(Open {
            pts,
            room: Some(MAX_ACCESS_UNIT),
        });
        let Some(room) = open.room else {
            return Ok(());
        };
        open.room = room.checked_sub(payload.len());
        let outcome = match open.room {
            Some(_) => self.format.take(payload),
            None => Err("an access unit of more than 8 MiB"),
        };
        if outcome.is_err() {
            self.format.hole();
        }
        outcome
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        match self.format.finish() {
            _ if open.room.is_none() => self.skipped += 1,
            Finished::Unit {
                data,
                is_keyframe,
                integrity,
            } => self.finished.push_back(AccessUnit {
                pts: open.pts,
                is_keyframe,
                integrity,
                data,
            }),
            Finished::Skipped => self.skipped += 1,
            Finished::NoPicture => {}
        }
    }
}

impl<F: Format> Depacketizer for Assembler<F> {
    fn push(&mut self, packet: &RtpPacket, pts: Pts) -> Result<(), PayloadError> {
        if packet.payload.is_empty() {
            return Ok(());
        }
        let is_behind_hole = std::mem::take(&mut self.is_hole_pending);
        if is_behind_hole && self.open.is_some() {
            self.format.hole();
        }
        if self.open.as_ref().is_some_and(|open| open.pts != pts) {
            self.close();
        }
        if is_behind_hole && self.open.is_none() {
            self.format.suspect();
        }
        let outcome = self.take(&packet.payload, pts);
        if packet.marker {
            self.close();
        }
        outcome.map_err(|reason| PayloadError::new(packet, reason))
    }

    fn lost(&mut self) {
        self.is_hole_pending = true;
    }

    fn pull(&mut self) -> Option<AccessUnit> {
        self.finished.pop_front()
    }

    fn take_skipped(&mut self) -> u32 {
        std::mem::take(&mut self.skipped)
    }

    fn finish(&mut self) {
        if self.open.is_some() {
            self.format.hole();
        }
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::depacketize::testing::{Packets, run};
    use crate::media::Codec;

    #[test]
    fn a_unit_of_more_than_8_mib_is_refused_once_and_dropped() {
        for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
            let mut packets = Packets::of(codec);
            // Begins a unit in VP8 and VP9 and means nothing in the others.
            for _ in 0..=MAX_ACCESS_UNIT / 65_536 + 1 {
                packets.add(0, vec![0x18; 65_536]);
            }
            packets.add_last(0, [0x18]);

            let outcome = run(&packets);

            let tells = |error: &&PayloadError| error.reason.contains("8 MiB");
            assert_eq!(outcome.errors.iter().filter(tells).count(), 1, "{codec}");
            assert_eq!((outcome.units.len(), outcome.skipped), (0, 1), "{codec}");
        }
    }

    #[test]
    fn the_last_unit_is_whole_only_with_its_marker() {
        let mut packets = Packets::of(Codec::Vp8);
        packets.add(0, [0x10, 1]).add(1, [0x10, 2]);

        let integrity: Vec<_> = run(&packets)
            .units
            .iter()
            .map(|unit| unit.integrity)
            .collect();

        assert_eq!(integrity, [Integrity::Whole, Integrity::Damaged]);
    }

    #[test]
    fn skipped_units_are_counted_once() {
        let mut packets = Packets::of(Codec::Vp8);
        packets.lose().add_last(0, [0x00, 7]);
        let mut depacketizer = crate::depacketize::for_codec(Codec::Vp8);

        depacketizer.lost();
        let pushed = depacketizer.push(packets.packet(0), Pts(0));

        assert_eq!(pushed, Ok(()));
        assert_eq!(depacketizer.pull(), None);
        assert_eq!(
            [depacketizer.take_skipped(), depacketizer.take_skipped()],
            [1, 0]
        );
    }
}
