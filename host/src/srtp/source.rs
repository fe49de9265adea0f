use std::time::{Duration, Instant};

use super::OpenError;
use super::context::{Context, MAX_RTP_INDEX, RtcpTrailer, TAG};
use super::replay::Window;
use crate::media::{SeqNo, Ssrc};

/// What must be remembered of one SSRC that is received: its roll-over counter and which packets
/// came, [RFC 3711 §3.2.3](https://www.rfc-editor.org/rfc/rfc3711#section-3.2.3).
#[derive(Clone, Debug)]
pub struct Source {
    ssrc: Ssrc,
    last_authentic: Option<Instant>,
    rtp: Window<16>,
    rtcp: Window<1>,
}

impl Source {
    /// How far behind the newest packet another may be; older ones are refused.
    pub const SPAN: u64 = Window::<16>::SPAN;

    /// A source of which nothing came yet.
    pub const fn new(ssrc: Ssrc) -> Self {
        Self {
            ssrc,
            last_authentic: None,
            rtp: Window::new(),
            rtcp: Window::new(),
        }
    }

    /// The SSRC.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The newest packet that was accepted.
    pub const fn newest(&self) -> Option<SeqNo> {
        match self.rtp.newest() {
            Some(index) => Some(SeqNo(index)),
            None => None,
        }
    }

    /// The place of the packet numbered `wire` that is nearest to the newest,
    /// [RFC 3711 §3.3.1](https://www.rfc-editor.org/rfc/rfc3711#section-3.3.1).
    pub fn place(&self, wire: u16) -> SeqNo {
        let first_round = SeqNo(wire.into());
        let Some(newest) = self.newest() else {
            return first_round;
        };
        let distance = wire.wrapping_sub(newest.wire()).cast_signed();
        newest
            .0
            .checked_add_signed(distance.into())
            .map_or(first_round, SeqNo)
    }

    /// Whether that packet was neither accepted before nor is too old to tell.
    pub fn is_fresh(&self, sequence_number: SeqNo) -> bool {
        self.rtp.is_fresh(sequence_number.0) && sequence_number <= MAX_RTP_INDEX
    }

    /// Opens an RTP packet in place. Returns its place and the length of its clear payload.
    ///
    /// The sender's roll-over counter may have moved while nothing reached us (it counts what a
    /// dark link swallowed). For the first packet, and after two seconds of silence, three higher
    /// counters are therefore tried, and `spare` takes a copy of the packet for that.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the payload is lost then.
    pub fn open_rtp(
        &self,
        now: Instant,
        context: &Context,
        packet: &mut Protected<'_>,
        spare: &mut Vec<u8>,
    ) -> Result<(SeqNo, usize), OpenError> {
        if packet.body.len() < TAG {
            return Err(OpenError::TooShort);
        }
        let place = self.place(packet.sequence_number);
        if self.may_have_rolled_over(now) {
            return self.open_after_silence(place, context, packet, spare);
        }
        if !self.is_fresh(place) {
            return Err(OpenError::Replayed);
        }
        let length = context.open_rtp((self.ssrc, place), packet.header, packet.body)?;
        Ok((place, length))
    }

    /// Remembers an RTP packet that was opened.
    pub fn accept(&mut self, now: Instant, sequence_number: SeqNo) {
        self.rtp.accept(sequence_number.0);
        self.last_authentic = Some(now);
    }

    /// Remembers a packet of this stream that came within another one (RTX).
    pub fn accept_repaired(&mut self, sequence_number: SeqNo) {
        self.rtp.accept(sequence_number.0);
    }

    /// Opens an SRTCP packet in place and remembers it. Returns its clear length.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_rtcp(
        &mut self,
        context: &Context,
        datagram: &mut [u8],
    ) -> Result<usize, OpenError> {
        let (packet, trailer) = RtcpTrailer::split(datagram)?;
        let index = trailer.index.into();
        if !self.rtcp.is_fresh(index) {
            return Err(OpenError::Replayed);
        }
        let length = context.open_rtcp(packet, trailer)?;
        self.rtcp.accept(index);
        Ok(length)
    }

    fn may_have_rolled_over(&self, now: Instant) -> bool {
        self.last_authentic
            .is_none_or(|last| now.duration_since(last) > SILENCE)
    }

    #[cold]
    fn open_after_silence(
        &self,
        place: SeqNo,
        context: &Context,
        packet: &mut Protected<'_>,
        spare: &mut Vec<u8>,
    ) -> Result<(SeqNo, usize), OpenError> {
        spare.clear();
        spare.extend_from_slice(packet.body);
        let mut error = OpenError::Replayed;
        for rounds in 0..=MISSED_ROUNDS {
            let place = SeqNo(place.0 + (rounds << 16));
            if !self.is_fresh(place) {
                continue;
            }
            packet.body.copy_from_slice(spare);
            match context.open_rtp((self.ssrc, place), packet.header, packet.body) {
                Ok(length) => return Ok((place, length)),
                Err(reason) => error = reason,
            }
        }
        Err(error)
    }
}

/// An SRTP packet, parted where its encryption starts.
#[derive(Debug)]
pub struct Protected<'a> {
    /// From its header.
    pub sequence_number: u16,
    /// Fixed header, CSRCs and extension: authenticated, not encrypted.
    pub header: &'a [u8],
    /// Encrypted payload and tag.
    pub body: &'a mut [u8],
}

/// 32,768 packets, half a round of the sequence number, are 65 s of video at 500 packets a second.
const SILENCE: Duration = Duration::from_secs(2);

/// How many rounds of the sequence number may go unseen.
const MISSED_ROUNDS: u64 = 3;
