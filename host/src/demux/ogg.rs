//! Ogg Opus, [RFC 7845](https://www.rfc-editor.org/rfc/rfc7845): the first stream of a file.
//!
//! Pages are read by the crate `ogg`, which also judges our own writer: nothing here is shared with it.

use std::fmt;
use std::io::{Read, Seek};

use ogg::{Packet, PacketReader};

use super::{DemuxError, More};
use crate::codec::Decoder;
use crate::codec::opus::OpusDecoder;
use crate::media::{AudioFormat, Channels, SampleRate};

/// An Ogg file whose head was read.
pub(super) struct Ogg<R: Read + Seek> {
    packets: PacketReader<R>,
    serial: u32,
    decoder: OpusDecoder,
    /// What each sample is multiplied by.
    gain: f32,
    /// Samples per channel at the beginning that are not to be heard.
    skip: u64,
    /// Samples per channel that were decoded, and where the first of them is in the file.
    decoded: u64,
    origin: Option<u64>,
}

/// The part of `OpusHead` that matters to a player (RFC 7845 §5.1).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Head {
    channels: Channels,
    pre_skip: u16,
    gain: f32,
}

impl<R: Read + Seek> Ogg<R> {
    /// Reads both headers.
    pub(super) fn open(file: R) -> Result<Self, DemuxError> {
        let mut packets = PacketReader::new(file);
        let first = packets.read_packet()?.ok_or(DemuxError::NotOpus)?;
        let head = Head::parse(&first.data)?;
        let format = AudioFormat::new(SampleRate::HZ_48000, head.channels);
        let mut this = Self {
            packets,
            serial: first.stream_serial(),
            decoder: OpusDecoder::new(format)?,
            gain: head.gain,
            skip: head.pre_skip.into(),
            decoded: 0,
            origin: None,
        };
        let tags = this.next()?;
        let has_tags = tags.is_some_and(|tags| tags.data.starts_with(b"OpusTags"));
        if !has_tags {
            return Err(DemuxError::Malformed("no `OpusTags` behind `OpusHead`"));
        }
        Ok(this)
    }

    pub(super) fn format(&self) -> AudioFormat {
        self.decoder.format()
    }

    /// Appends a packet's sound.
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> Result<More, DemuxError> {
        let Some(packet) = self.next()? else {
            return Ok(More::No);
        };
        let (start, channels) = (out.len(), self.format().channels.count());
        self.decoder.decode(&packet.data, out)?;
        let made = ((out.len() - start) / channels) as u64;
        self.decoded += made;
        let surplus = self.surplus(&packet).min(made);
        let skipped = self.skip.min(made - surplus);
        self.skip -= skipped;
        let values = |samples: u64| usize::try_from(samples).unwrap_or(0) * channels;
        out.truncate(out.len() - values(surplus));
        out.drain(start..start + values(skipped));
        let (_, heard) = out.split_at_mut(start);
        heard.iter_mut().for_each(|sample| *sample *= self.gain);
        let is_over = packet.last_in_stream();
        Ok(if is_over { More::No } else { More::Yes })
    }

    /// The next packet of the stream, whatever else is in the file.
    fn next(&mut self) -> Result<Option<Packet>, DemuxError> {
        while let Some(packet) = self.packets.read_packet()? {
            if packet.stream_serial() == self.serial {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    /// How much of the last packet lies behind the end, which the last page tells (RFC 7845 §4.4).
    fn surplus(&mut self, packet: &Packet) -> u64 {
        if !packet.last_in_page() {
            return 0;
        }
        let granule = packet.absgp_page();
        let is_last = packet.last_in_stream();
        let origin = match self.origin {
            Some(origin) => origin,
            // A stream that is nothing but its last page begins at its beginning.
            None if is_last => 0,
            None => granule.saturating_sub(self.decoded),
        };
        self.origin = Some(origin);
        let end = granule.saturating_sub(origin);
        if is_last {
            self.decoded.saturating_sub(end)
        } else {
            0
        }
    }
}

impl Head {
    fn parse(packet: &[u8]) -> Result<Self, DemuxError> {
        let head = packet
            .strip_prefix(b"OpusHead")
            .ok_or(DemuxError::NotOpus)?;
        let [_version, channels, s0, s1, _, _, _, _, g0, g1, _family, ..] = head else {
            return Err(DemuxError::Malformed("`OpusHead` is too short"));
        };
        let channels = u16::from(*channels);
        // Steps of 1/256 dB.
        let gain = f32::from(i16::from_le_bytes([*g0, *g1])) / 256.0;
        Ok(Self {
            channels: Channels::new(channels.into()).ok_or(DemuxError::Channels(channels))?,
            pre_skip: u16::from_le_bytes([*s0, *s1]),
            gain: 10_f32.powf(gain / 20.0),
        })
    }
}

impl<R: Read + Seek> fmt::Debug for Ogg<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ogg = f.debug_struct("Ogg");
        ogg.field("serial", &self.serial)
            .field("decoded", &self.decoded);
        ogg.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_channels_pre_skip_and_gain() {
        let head = |channels: u8, gain: i16| {
            let [low, high] = gain.to_le_bytes();
            let mut packet = b"OpusHead\x01".to_vec();
            packet.extend([channels, 0x38, 1, 0x80, 0xbb, 0, 0, low, high, 0]);
            Head::parse(&packet)
        };

        let stereo = head(2, 0).unwrap();
        let softer = head(1, -1_541).unwrap();

        assert_eq!((stereo.channels, stereo.pre_skip), (Channels::Stereo, 312));
        assert!((stereo.gain - 1.0).abs() < 1e-6);
        assert!((softer.gain - 0.5).abs() < 1e-3);
        assert!(matches!(head(6, 0), Err(DemuxError::Channels(6))));
        assert!(matches!(
            Head::parse(b"\x01vorbis"),
            Err(DemuxError::NotOpus)
        ));
        assert!(matches!(
            Head::parse(b"OpusHead\x01"),
            Err(DemuxError::Malformed(_))
        ));
    }
}
