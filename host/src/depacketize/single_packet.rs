//! Payload formats that put one access unit into each packet.

use std::collections::VecDeque;

use super::{Depacketizer, PayloadError};
use crate::media::{AccessUnit, Integrity, Pts};
use crate::rtp::RtpPacket;

/// Gives each payload as it came.
#[derive(Debug)]
pub(super) struct SinglePacket {
    /// What is wrong with a payload, if anything.
    check: fn(&[u8]) -> Result<(), &'static str>,
    finished: VecDeque<AccessUnit>,
}

impl SinglePacket {
    pub(super) const fn new(check: fn(&[u8]) -> Result<(), &'static str>) -> Self {
        Self {
            check,
            finished: VecDeque::new(),
        }
    }
}

impl Depacketizer for SinglePacket {
    fn push(&mut self, packet: &RtpPacket, pts: Pts) -> Result<(), PayloadError> {
        if packet.payload.is_empty() {
            return Ok(());
        }
        (self.check)(&packet.payload).map_err(|reason| PayloadError::new(packet, reason))?;
        self.finished.push_back(AccessUnit {
            pts,
            is_keyframe: true,
            integrity: Integrity::Whole,
            data: packet.payload.clone(),
        });
        Ok(())
    }

    fn lost(&mut self) {}

    fn pull(&mut self) -> Option<AccessUnit> {
        self.finished.pop_front()
    }

    fn take_skipped(&mut self) -> u32 {
        0
    }

    fn finish(&mut self) {}
}
