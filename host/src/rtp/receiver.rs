use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::header::Header;
use super::nack::RoundTrip;
use super::rtcp::{self, MAX_BLOCKS, Part, Writer};
use super::statistics::Reason;
use super::stream::{Opened, Stream};
use super::streams::{Carries, Streams};
use super::{Dropped, RtpPacket, SenderReport, StreamDescription, StreamStatistics};
use crate::media::Ssrc;
use crate::srtp::{Keys, Protected};

/// The media plane of one peer connection: opens SRTP, keeps the books of each stream, and asks
/// the sender for what is missing.
///
/// ```text
/// handle_rtp   datagram ─ header ─ SSRC → stream ─ SRTP ─ gaps, RTX, clock ─► RtpPacket
/// handle_rtcp  datagram ─ SRTCP ─ sender reports, BYE ─► poll_sender_report
/// poll_timeout ─► poll_transmit  NACK, PLI, receiver reports ─ SRTCP ─► datagrams
/// ```
///
/// What is not authentic changes nothing but the counters of [`Dropped`].
#[derive(Debug)]
pub struct Receiver {
    local: Ssrc,
    cname: String,
    keys: Option<Keys>,
    streams: Streams,
    round_trip: RoundTrip,
    nack_at: Option<Instant>,
    report_at: Option<Instant>,
    reports_written: u32,
    is_keyframe_wanted: bool,
    has_sender_report: bool,
    /// Clear RTCP that is due.
    outbox: VecDeque<Vec<u8>>,
    dropped: Dropped,
    spare: Vec<u8>,
}

impl Receiver {
    /// A receiver without keys or streams. `local` is the SSRC of its RTCP, `cname` is cut to 255
    /// bytes.
    pub fn new(local: Ssrc, cname: String) -> Self {
        Self {
            local,
            cname,
            keys: None,
            streams: Streams::default(),
            round_trip: RoundTrip::default(),
            nack_at: None,
            report_at: None,
            reports_written: 0,
            is_keyframe_wanted: false,
            has_sender_report: false,
            outbox: VecDeque::new(),
            dropped: Dropped::default(),
            spare: Vec::new(),
        }
    }

    /// Takes the keys of a DTLS session: once for each, after the fingerprint of its certificate
    /// was verified. Counters and replay windows of earlier keys are forgotten.
    pub fn set_keys(&mut self, keys: Keys) {
        if self.keys.replace(keys).is_some() {
            self.streams.restart();
            self.nack_at = None;
        }
    }

    /// Takes the streams of an offer, which replace those of the one before. An SSRC that stays
    /// keeps its counters.
    pub fn set_streams(&mut self, streams: &[StreamDescription]) {
        self.streams.set(streams);
        self.nack_at = self.streams.iter().filter_map(Stream::nack_at).min();
    }

    /// Takes an RTP datagram, which it opens in place. `None` if nothing is to be handed on;
    /// [`dropped`](Self::dropped) counts why.
    ///
    /// Packets come out as they arrived: perhaps out of order, none twice. One with nothing but
    /// padding has an empty payload: it fills its place in the sequence.
    pub fn handle_rtp(&mut self, now: Instant, datagram: &mut [u8]) -> Option<RtpPacket> {
        match self.receive(now, datagram) {
            Ok(packet) => Some(packet),
            Err(reason) => {
                self.dropped.count(reason);
                None
            }
        }
    }

    /// Takes an RTCP datagram, which it opens in place.
    pub fn handle_rtcp(&mut self, now: Instant, datagram: &mut [u8]) {
        if let Err(reason) = self.receive_control(now, datagram) {
            self.dropped.count(reason);
        }
    }

    /// The next sender report. If several of one stream came meanwhile, only the last is left.
    pub fn poll_sender_report(&mut self) -> Option<SenderReport> {
        if !self.has_sender_report {
            return None;
        }
        let report = self.streams.iter_mut().find_map(Stream::take_sender_report);
        self.has_sender_report = report.is_some();
        report
    }

    /// Asks the sender of `ssrc` for a keyframe: with the next
    /// [`poll_transmit`](Self::poll_transmit), but a second after the last request at the
    /// earliest.
    pub fn request_keyframe(&mut self, ssrc: Ssrc) {
        if let Some(stream) = self.streams.media(ssrc) {
            stream.keyframe().want();
            self.is_keyframe_wanted = true;
        }
    }

    /// When [`poll_transmit`](Self::poll_transmit) has something to send; never before `now`
    /// unless it is overdue. `None` without keys.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.keys.as_ref()?.outbound.is_exhausted() {
            return None;
        }
        let keyframe_at = self.is_keyframe_wanted.then(|| self.keyframe_at(now));
        [self.nack_at, self.report_at, keyframe_at.flatten()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next RTCP datagram to send, sealed; call it until it returns `None`.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.outbox.is_empty() && self.poll_timeout(now).is_some_and(|at| at <= now) {
            self.write_due(now);
        }
        let mut packet = self.outbox.pop_front()?;
        let outbound = &mut self.keys.as_mut()?.outbound;
        outbound.seal_rtcp(&mut packet).ok()?;
        Some(packet)
    }

    /// What came of the stream `ssrc`. `None` if the SDP does not name it.
    pub fn statistics(&self, ssrc: Ssrc) -> Option<StreamStatistics> {
        Some(self.streams.peek(ssrc)?.statistics(self.round_trip))
    }

    /// What was thrown away, and why.
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn receive(&mut self, now: Instant, datagram: &mut [u8]) -> Result<RtpPacket, Reason> {
        let keys = self.keys.as_ref().ok_or(Reason::NoKeys)?;
        let header = Header::parse(datagram).ok_or(Reason::Malformed)?;
        let (stream, carries) = self.streams.find(header.ssrc).ok_or(Reason::UnknownSsrc)?;
        let source = stream.source(carries).ok_or(Reason::UnknownSsrc)?;
        let (head, body) = datagram
            .split_at_mut_checked(header.length)
            .ok_or(Reason::Malformed)?;
        let mut protected = Protected {
            sequence_number: header.sequence_number,
            header: head,
            body,
        };
        let (sequence_number, length) =
            source.open_rtp(now, &keys.inbound, &mut protected, &mut self.spare)?;
        let opened = Opened {
            now,
            header,
            sequence_number,
            payload: body.get(..length).ok_or(Reason::Malformed)?,
        };
        let packet = match carries {
            Carries::Media => stream.accept(opened, &mut self.round_trip),
            Carries::Rtx => stream.accept_rtx(opened, &mut self.round_trip),
        };
        self.nack_at = earlier(self.nack_at, stream.nack_at());
        self.report_at.get_or_insert(now + FIRST_REPORT);
        packet
    }

    fn receive_control(&mut self, now: Instant, datagram: &mut [u8]) -> Result<(), Reason> {
        let keys = self.keys.as_ref().ok_or(Reason::NoKeys)?;
        let sender = rtcp::sender(datagram).ok_or(Reason::Malformed)?;
        let (stream, carries) = self.streams.find(sender).ok_or(Reason::UnknownSsrc)?;
        let source = stream.source(carries).ok_or(Reason::UnknownSsrc)?;
        let length = source.open_rtcp(&keys.inbound, datagram)?;
        let packet = datagram.get(..length).ok_or(Reason::Malformed)?;
        for part in rtcp::read(packet) {
            self.handle_part(now, part);
        }
        Ok(())
    }

    fn handle_part(&mut self, now: Instant, part: Part) {
        match part {
            Part::SenderReport {
                ssrc,
                ntp,
                timestamp,
            } => {
                if let Some(stream) = self.streams.media(ssrc) {
                    stream.accept_sender_report(now, ntp, timestamp);
                    self.has_sender_report = true;
                }
            }
            Part::Bye(ssrc) => {
                if let Some(stream) = self.streams.media(ssrc) {
                    stream.end();
                }
            }
        }
    }

    fn keyframe_at(&self, now: Instant) -> Option<Instant> {
        self.streams
            .iter()
            .filter_map(|stream| stream.keyframe_at(now))
            .min()
    }

    fn write_due(&mut self, now: Instant) {
        if self.report_at.is_some_and(|at| at <= now) {
            self.write_reports(now);
            self.report_at = Some(now + self.report_interval());
        }
        self.write_feedback(now);
        self.nack_at = self.streams.iter().filter_map(Stream::nack_at).min();
        self.is_keyframe_wanted = self.keyframe_at(now).is_some();
    }

    fn write_reports(&mut self, now: Instant) {
        let blocks: Vec<_> = self
            .streams
            .iter_mut()
            .filter_map(|stream| stream.report(now))
            .collect();
        for blocks in blocks.chunks(MAX_BLOCKS) {
            let mut writer = Writer::new(self.local);
            writer.receiver_report(blocks);
            writer.source_description(&self.cname);
            self.outbox.push_back(writer.into_packet());
        }
    }

    /// NACK and PLI go without a report in front: RFC 5506, which the server offers.
    fn write_feedback(&mut self, now: Instant) {
        let patience = self.round_trip.patience();
        let mut writer = Writer::new(self.local);
        for stream in self.streams.iter_mut() {
            for numbers in stream.take_missing(now, patience).chunks(MAX_NACK) {
                writer.nack(stream.ssrc(), numbers);
            }
            if stream.keyframe().take_due(now) {
                writer.picture_loss(stream.ssrc());
            }
            if writer.len() > FULL {
                let full = std::mem::replace(&mut writer, Writer::new(self.local));
                self.outbox.push_back(full.into_packet());
            }
        }
        if writer.len() > 0 {
            self.outbox.push_back(writer.into_packet());
        }
    }

    /// ± 1/8, so that many receivers do not report in step (RFC 3550 §6.2).
    fn report_interval(&mut self) -> Duration {
        let interval = if self.streams.iter().any(Stream::is_video) {
            VIDEO_REPORTS
        } else {
            AUDIO_REPORTS
        };
        self.reports_written = self.reports_written.wrapping_add(1);
        let spread = (self.local.0 ^ self.reports_written).wrapping_mul(0x9e37_79b9) >> 24;
        interval * 7 / 8 + interval * spread / 1_024
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

const FIRST_REPORT: Duration = Duration::from_millis(500);
const AUDIO_REPORTS: Duration = Duration::from_secs(3);
const VIDEO_REPORTS: Duration = Duration::from_secs(1);

/// Sequence numbers in one NACK: 512 octets if none share a word.
const MAX_NACK: usize = 128;

/// Octets after which feedback goes into another datagram.
const FULL: usize = 600;
