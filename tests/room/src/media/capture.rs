//! Captured RTP packets, in the format of `tests/data/rtp`.

use std::time::Duration;

use bytes::Bytes;

use super::{Codec, Media, MediaError, MediaPacket, keyframe};

impl Media {
    /// Reads a capture: arrival time in ns (u64 LE), length (u16 LE), packet; repeated.
    ///
    /// Packets are put in the order of their sequence numbers, as they were sent; packets lost
    /// in the capture stay lost, without a gap in the numbers that are sent later.
    ///
    /// # Errors
    ///
    /// If a record is cut short or there is no packet.
    pub fn from_capture(bytes: &[u8], codec: Codec) -> Result<Self, MediaError> {
        let mut records = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (record, behind) = Record::parse(rest)
                .ok_or_else(|| MediaError::Damaged("record cut short".into()))?;
            records.push(record);
            rest = behind;
        }
        let first = records.first().map_or(0, |record| record.sequence_number);
        records.sort_by_key(|record| distance(first, record.sequence_number));
        Self::new(codec, packets(codec, &records), end(&records))
    }
}

/// One captured packet without its RTP header.
struct Record {
    arrival: Duration,
    sequence_number: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let arrival = u64::from_le_bytes(bytes.get(0..8)?.try_into().ok()?);
        let length = usize::from(u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?));
        let packet = bytes.get(10..10 + length)?;
        let record = Self {
            arrival: Duration::from_nanos(arrival),
            sequence_number: u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?),
            timestamp: u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?),
            marker: packet.get(1)? & 0x80 != 0,
            // No packet of the captures has CSRCs or a header extension.
            payload: Bytes::copy_from_slice(packet.get(12..)?),
        };
        Some((record, bytes.get(10 + length..)?))
    }
}

fn packets(codec: Codec, records: &[Record]) -> Vec<MediaPacket> {
    let base = records.first().map_or(0, |record| record.timestamp);
    let mut at = Duration::ZERO;
    records
        .iter()
        .map(|record| {
            // A packet that came late by retransmission must not hold back those behind it.
            at = at.max(record.arrival.min(at + LONGEST_WAIT));
            MediaPacket {
                payload: record.payload.clone(),
                timestamp: record.timestamp.wrapping_sub(base),
                marker: record.marker,
                starts_keyframe: keyframe::begins(codec, &record.payload),
                at,
            }
        })
        .collect()
}

fn end(records: &[Record]) -> Duration {
    let last = records.iter().map(|record| record.arrival).max();
    last.unwrap_or_default() + Duration::from_millis(20)
}

/// Signed distance of sequence numbers, so that the order survives a wrap.
fn distance(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from).cast_signed()
}

/// No capture pauses longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
