use std::time::{Duration, Instant};

use bytes::Bytes;

use super::header::Header;
use super::keyframe::KeyframeRequest;
use super::media_clock::MediaClock;
use super::nack::{Missing, RoundTrip};
use super::reception::Reception;
use super::rtcp::ReportBlock;
use super::statistics::Reason;
use super::streams::Carries;
use super::{RtpPacket, SenderReport, StreamDescription, StreamStatistics};
use crate::media::{ClockRate, Codec, MediaTime, NtpTimestamp, SeqNo, Ssrc, TrackKind};
use crate::srtp::Source;

/// One media stream with its retransmission stream: everything known of one receiving m-line.
#[derive(Debug)]
pub(super) struct Stream {
    media: Source,
    /// The payload type of the last packet: nearly always that of the next.
    format: Option<(u8, Codec)>,
    clock: MediaClock,
    reception: Reception,
    missing: Missing,
    rtx: Option<Source>,
    formats: Vec<(u8, Codec)>,
    /// RTX payload type → codec of what is in it.
    rtx_formats: Vec<(u8, Codec)>,
    duplicates: u64,
    keyframe: KeyframeRequest,
    sender_report: Option<SenderReport>,
}

/// An RTP packet after SRTP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened<'a> {
    pub(super) now: Instant,
    pub(super) header: Header,
    /// Of the SSRC in `header`.
    pub(super) sequence_number: SeqNo,
    pub(super) payload: &'a [u8],
}

impl Stream {
    /// A stream of which the SDP has said nothing else; `media` remembers what came before.
    pub(super) fn new(media: Source) -> Self {
        Self {
            media,
            format: None,
            clock: MediaClock::default(),
            reception: Reception::default(),
            missing: Missing::default(),
            rtx: None,
            formats: Vec::new(),
            rtx_formats: Vec::new(),
            duplicates: 0,
            keyframe: KeyframeRequest::default(),
            sender_report: None,
        }
    }

    /// Takes over what the SDP says of it.
    pub(super) fn describe(&mut self, description: &StreamDescription, rtx: Option<Source>) {
        self.rtx = rtx;
        self.format = None;
        self.formats.clone_from(&description.formats);
        self.rtx_formats = description
            .rtx_formats
            .iter()
            .filter_map(|(rtx, apt)| Some((*rtx, find(&description.formats, *apt)?)))
            .collect();
    }

    pub(super) const fn ssrc(&self) -> Ssrc {
        self.media.ssrc()
    }

    /// The SRTP state of one of its two SSRCs.
    pub(super) const fn source(&mut self, carries: Carries) -> Option<&mut Source> {
        match carries {
            Carries::Media => Some(&mut self.media),
            Carries::Rtx => self.rtx.as_mut(),
        }
    }

    /// What to remember once the SDP names the stream no more.
    pub(super) fn into_media(self) -> Source {
        self.media
    }

    /// What is known of its retransmission stream, before the SDP may name another.
    pub(super) const fn take_rtx(&mut self) -> Option<Source> {
        self.rtx.take()
    }

    /// Forgets what came, not what the SDP says.
    pub(super) fn restart(&mut self) {
        let rtx = self.rtx.as_ref().map(|rtx| Source::new(rtx.ssrc()));
        let fresh = Self::new(Source::new(self.ssrc()));
        let old = std::mem::replace(self, fresh);
        self.rtx = rtx;
        self.formats = old.formats;
        self.rtx_formats = old.rtx_formats;
        self.keyframe = old.keyframe;
    }

    pub(super) fn is_video(&self) -> bool {
        self.formats
            .iter()
            .any(|(_, codec)| codec.kind() == TrackKind::Video)
    }

    /// Takes a packet of the media stream.
    pub(super) fn accept(
        &mut self,
        packet: Opened<'_>,
        round_trip: &mut RoundTrip,
    ) -> Result<RtpPacket, Reason> {
        let is_newest = self.book(packet, round_trip);
        let payload = packet
            .header
            .unpadded(packet.payload)
            .ok_or(Reason::Malformed)?;
        let codec = self.codec(packet.header.payload_type)?;
        let rate = codec.clock_rate();
        let timestamp = self.clock.place(packet.header.timestamp, packet.now, rate);
        if is_newest {
            self.clock.advance(timestamp, packet.now);
            self.reception.observe(packet.now, timestamp, rate);
        }
        Ok(self.packet(packet, timestamp, (codec, payload)))
    }

    /// Takes a packet of the retransmission stream: the original sequence number, then the
    /// original payload, [RFC 4588 §4](https://www.rfc-editor.org/rfc/rfc4588#section-4).
    pub(super) fn accept_rtx(
        &mut self,
        mut packet: Opened<'_>,
        round_trip: &mut RoundTrip,
    ) -> Result<RtpPacket, Reason> {
        if let Some(rtx) = &mut self.rtx {
            rtx.accept(packet.now, packet.sequence_number);
        }
        let payload = packet
            .header
            .unpadded(packet.payload)
            .ok_or(Reason::Malformed)?;
        if payload.is_empty() {
            return Err(Reason::RtxProbe);
        }
        let (original, payload) = payload.split_first_chunk().ok_or(Reason::Malformed)?;
        let codec = find(&self.rtx_formats, packet.header.payload_type)
            .ok_or(Reason::UnknownPayloadType)?;
        packet.sequence_number = self.place_repaired(u16::from_be_bytes(*original))?;
        self.missing
            .remove(packet.now, packet.sequence_number, round_trip);
        self.media.accept_repaired(packet.sequence_number);
        let timestamp = self
            .clock
            .place(packet.header.timestamp, packet.now, codec.clock_rate());
        Ok(self.packet(packet, timestamp, (codec, payload)))
    }

    /// Takes a sender report.
    pub(super) fn accept_sender_report(&mut self, now: Instant, ntp: NtpTimestamp, timestamp: u32) {
        self.reception.sender_report(now, ntp);
        let timestamp = self.clock.place(timestamp, now, self.clock_rate());
        if !self.clock.is_set() {
            self.clock.advance(timestamp, now);
        }
        self.sender_report = Some(SenderReport {
            ssrc: self.ssrc(),
            ntp,
            timestamp,
            arrival: now,
        });
    }

    /// The last sender report, once.
    pub(super) const fn take_sender_report(&mut self) -> Option<SenderReport> {
        self.sender_report.take()
    }

    /// The sender said goodbye: what is missing will not come.
    pub(super) fn end(&mut self) {
        self.missing.clear();
    }

    pub(super) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        self.reception
            .report(now, self.ssrc(), self.media.newest()?)
    }

    /// When [`take_missing`](Self::take_missing) has something to do.
    pub(super) const fn nack_at(&self) -> Option<Instant> {
        self.missing.next_at()
    }

    /// Takes the sequence numbers to ask for at `now`.
    pub(super) fn take_missing(&mut self, now: Instant, patience: Duration) -> Vec<u16> {
        match self.media.newest() {
            Some(newest) => self.missing.take_due(now, newest, patience),
            None => Vec::new(),
        }
    }

    pub(super) const fn keyframe(&mut self) -> &mut KeyframeRequest {
        &mut self.keyframe
    }

    /// When the keyframe that is wanted may be asked for.
    pub(super) fn keyframe_at(&self, now: Instant) -> Option<Instant> {
        self.keyframe.at(now)
    }

    pub(super) fn statistics(&self, round_trip: RoundTrip) -> StreamStatistics {
        let jitter = self.reception.jitter();
        StreamStatistics {
            received: self.reception.received(),
            recovered: self.missing.recovered(),
            given_up: self.missing.given_up(),
            missing: self.missing.len(),
            duplicates: self.duplicates,
            jitter: jitter.duration(self.clock_rate()),
            jitter_peak: jitter.peak(self.clock_rate()),
            round_trip: round_trip.get(),
        }
    }

    /// Remembers that a packet came; says whether it is newer than all before it.
    fn book(&mut self, packet: Opened<'_>, round_trip: &mut RoundTrip) -> bool {
        let came = packet.sequence_number;
        let newest = self.media.newest();
        match newest {
            Some(newest) if came > newest.next() => {
                self.missing.add_gap(packet.now, newest.next(), came);
            }
            Some(newest) if came < newest => self.missing.remove(packet.now, came, round_trip),
            _ => {}
        }
        self.media.accept(packet.now, came);
        self.reception.count(came);
        newest.is_none_or(|newest| came > newest)
    }

    /// Where a retransmitted packet belongs. It can only be one that we passed by.
    fn place_repaired(&mut self, original: u16) -> Result<SeqNo, Reason> {
        let place = self.media.place(original);
        if self.media.newest().is_none_or(|newest| place > newest) {
            return Err(Reason::RtxUnplaced);
        }
        if !self.media.is_fresh(place) {
            self.duplicates += 1;
            return Err(Reason::RtxDuplicate);
        }
        Ok(place)
    }

    fn codec(&mut self, payload_type: u8) -> Result<Codec, Reason> {
        if let Some((known, codec)) = self.format
            && known == payload_type
        {
            return Ok(codec);
        }
        let codec = find(&self.formats, payload_type).ok_or(Reason::UnknownPayloadType)?;
        self.format = Some((payload_type, codec));
        Ok(codec)
    }

    /// That of the last packet; before the first that of the preferred format.
    fn clock_rate(&self) -> ClockRate {
        self.format
            .or_else(|| self.formats.first().copied())
            .map_or(ClockRate::VIDEO, |(_, codec)| codec.clock_rate())
    }

    fn packet(
        &self,
        packet: Opened<'_>,
        timestamp: MediaTime,
        (codec, payload): (Codec, &[u8]),
    ) -> RtpPacket {
        RtpPacket {
            ssrc: self.ssrc(),
            sequence_number: packet.sequence_number,
            timestamp,
            codec,
            marker: packet.header.marker,
            arrival: packet.now,
            payload: Bytes::copy_from_slice(payload),
        }
    }
}

fn find(formats: &[(u8, Codec)], payload_type: u8) -> Option<Codec> {
    let (_, codec) = formats.iter().find(|(known, _)| *known == payload_type)?;
    Some(*codec)
}
