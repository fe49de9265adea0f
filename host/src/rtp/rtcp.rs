//! The RTCP a receiver reads and writes, [RFC 3550 §6](https://www.rfc-editor.org/rfc/rfc3550#section-6)
//! and [RFC 4585 §6](https://www.rfc-editor.org/rfc/rfc4585#section-6).

use crate::media::{NtpTimestamp, Ssrc};

/// What concerns a receiver in a compound packet. Stops at the first malformed part of it.
pub(super) fn read(packet: &[u8]) -> impl Iterator<Item = Part> {
    let mut rest = packet;
    std::iter::from_fn(move || split_part(&mut rest)).flat_map(|(head, body)| {
        read_sender_report(head, body)
            .into_iter()
            .chain(read_bye(head, body))
    })
}

/// Who sent a compound packet: the SSRC of its first part, which is never encrypted.
pub(super) fn sender(datagram: &[u8]) -> Option<Ssrc> {
    let [_head, ssrc] = *datagram.as_chunks().0.first_chunk()?;
    Some(Ssrc(u32::from_be_bytes(ssrc)))
}

/// What a sender says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1).
    SenderReport {
        ssrc: Ssrc,
        ntp: NtpTimestamp,
        timestamp: u32,
    },
    /// A stream ends, [RFC 3550 §6.6](https://www.rfc-editor.org/rfc/rfc3550#section-6.6).
    Bye(Ssrc),
}

#[derive(Clone, Copy)]
struct Head {
    count: u8,
    kind: u8,
}

/// Splits off the next part: its head, and what follows the first word of it.
fn split_part<'a>(rest: &mut &'a [u8]) -> Option<(Head, &'a [u8])> {
    let ([flags, kind, l0, l1], _) = rest.split_first_chunk()?;
    if flags >> 6 != 2 {
        return None;
    }
    let words = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (part, after) = rest.split_at_checked(4 * (words + 1))?;
    *rest = after;
    let head = Head {
        count: flags & 0x1f,
        kind: *kind,
    };
    Some((head, part.get(4..)?))
}

fn read_sender_report(head: Head, body: &[u8]) -> Option<Part> {
    if head.kind != SENDER_REPORT {
        return None;
    }
    let [ssrc, high, low, timestamp, _packets, _octets] = *body.as_chunks().0.first_chunk()?;
    let seconds = u64::from(u32::from_be_bytes(high));
    let fraction = u64::from(u32::from_be_bytes(low));
    Some(Part::SenderReport {
        ssrc: Ssrc(u32::from_be_bytes(ssrc)),
        ntp: NtpTimestamp(seconds << 32 | fraction),
        timestamp: u32::from_be_bytes(timestamp),
    })
}

/// A reason may follow the SSRCs.
fn read_bye(head: Head, body: &[u8]) -> impl Iterator<Item = Part> {
    let count = if head.kind == BYE { head.count } else { 0 };
    let (ssrcs, _) = body.as_chunks();
    ssrcs
        .iter()
        .take(count.into())
        .map(|ssrc| Part::Bye(Ssrc(u32::from_be_bytes(*ssrc))))
}

/// What a receiver report says of one stream,
/// [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReportBlock {
    pub(super) ssrc: Ssrc,
    /// Of 256, since the last report.
    pub(super) fraction_lost: u8,
    /// Since the start; written with 24 bits.
    pub(super) cumulative_lost: i32,
    /// Extended by the roll-over counter.
    pub(super) highest: u32,
    /// In ticks.
    pub(super) jitter: u32,
    /// The middle of the NTP timestamp of the last sender report, or 0.
    pub(super) last_sender_report: u32,
    /// In 1/65,536 s, or 0.
    pub(super) delay_since: u32,
}

/// Builds one RTCP packet of several parts, all from the same sender.
#[derive(Debug)]
pub(super) struct Writer {
    local: Ssrc,
    packet: Vec<u8>,
}

impl Writer {
    pub(super) const fn new(local: Ssrc) -> Self {
        Self {
            local,
            packet: Vec::new(),
        }
    }

    pub(super) fn into_packet(self) -> Vec<u8> {
        self.packet
    }

    pub(super) const fn len(&self) -> usize {
        self.packet.len()
    }

    /// Adds a receiver report of at most [`MAX_BLOCKS`] blocks.
    pub(super) fn receiver_report(&mut self, blocks: &[ReportBlock]) {
        let count = u8::try_from(blocks.len()).unwrap_or(u8::MAX);
        self.part(count, RECEIVER_REPORT, |out| {
            for block in blocks {
                let [_, lost @ ..] = block
                    .cumulative_lost
                    .clamp(-0x80_0000, 0x7f_ffff)
                    .to_be_bytes();
                out.extend(block.ssrc.0.to_be_bytes());
                out.push(block.fraction_lost);
                out.extend(lost);
                out.extend(block.highest.to_be_bytes());
                out.extend(block.jitter.to_be_bytes());
                out.extend(block.last_sender_report.to_be_bytes());
                out.extend(block.delay_since.to_be_bytes());
            }
        });
    }

    /// Adds a source description with a CNAME, cut to 255 octets
    /// ([RFC 3550 §6.5.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.5.1)).
    pub(super) fn source_description(&mut self, cname: &str) {
        let name = cname.as_bytes();
        let name = name.get(..usize::from(u8::MAX)).unwrap_or(name);
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        self.part(1, SOURCE_DESCRIPTION, |out| {
            out.extend([CNAME, length]);
            out.extend(name);
            // A zero octet ends the list of items, more fill the word.
            let padding = 4 - (2 + name.len()) % 4;
            out.extend(std::iter::repeat_n(0, padding));
        });
    }

    /// Asks for packets again: ascending sequence numbers, which may wrap.
    pub(super) fn nack(&mut self, media: Ssrc, sequence_numbers: &[u16]) {
        self.part(GENERIC_NACK, TRANSPORT_FEEDBACK, |out| {
            out.extend(media.0.to_be_bytes());
            let mut rest = sequence_numbers;
            while let Some((first, following)) = rest.split_first() {
                let (mask, after) = loss_mask(*first, following);
                out.extend(first.to_be_bytes());
                out.extend(mask.to_be_bytes());
                rest = after;
            }
        });
    }

    /// Asks for a keyframe.
    pub(super) fn picture_loss(&mut self, media: Ssrc) {
        self.part(PICTURE_LOSS, PAYLOAD_FEEDBACK, |out| {
            out.extend(media.0.to_be_bytes());
        });
    }

    fn part(&mut self, count: u8, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let mut body = self.local.0.to_be_bytes().to_vec();
        write(&mut body);
        let words = u16::try_from(body.len() / 4).expect("every part is a bounded list");
        self.packet.extend([0x80 | count, kind]);
        self.packet.extend(words.to_be_bytes());
        self.packet.extend(body);
    }
}

/// Which of the 16 numbers after `first` lead `following`, as bits, and what remains of it.
fn loss_mask(first: u16, following: &[u16]) -> (u16, &[u16]) {
    let mut mask = 0;
    let mut rest = following;
    while let Some((next, after)) = rest.split_first() {
        let distance @ 1..=16 = next.wrapping_sub(first) else {
            break;
        };
        mask |= 1 << (distance - 1);
        rest = after;
    }
    (mask, rest)
}

/// Blocks in one receiver report: their count has five bits.
pub(super) const MAX_BLOCKS: usize = 31;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// SDES item.
const CNAME: u8 = 1;
/// Format of transport-layer feedback.
const GENERIC_NACK: u8 = 1;
/// Format of payload-specific feedback.
const PICTURE_LOSS: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nack_packs_17_numbers_into_a_word_over_the_wrap() {
        let mut writer = Writer::new(Ssrc(1));

        writer.nack(Ssrc(2), &[65_535, 0, 15, 16, 40]);

        let expected = [
            [0x81, 205, 0, 5],
            [0, 0, 0, 1],
            [0, 0, 0, 2],
            [0xff, 0xff, 0x80, 0x01],
            [0, 16, 0, 0],
            [0, 40, 0, 0],
        ];
        assert_eq!(writer.into_packet(), expected.concat());
    }

    #[test]
    fn loss_is_written_as_24_bits_with_sign() {
        let table = [
            (-1, [0xff, 0xff, 0xff]),
            (i32::MIN, [0x80, 0, 0]),
            (i32::MAX, [0x7f, 0xff, 0xff]),
        ];
        for (cumulative_lost, expected) in table {
            let mut writer = Writer::new(Ssrc(1));
            writer.receiver_report(&[ReportBlock {
                ssrc: Ssrc(2),
                fraction_lost: 0,
                cumulative_lost,
                highest: 0,
                jitter: 0,
                last_sender_report: 0,
                delay_since: 0,
            }]);
            assert_eq!(writer.into_packet()[13..16], expected, "{cumulative_lost}");
        }
    }

    #[test]
    fn what_follows_a_malformed_part_is_not_read() {
        let bye = [0x82, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8];
        let too_long = [0x81, 203, 0, 9, 0, 0, 0, 9];

        let parts: Vec<_> = read(&[&bye[..], &too_long].concat()).collect();

        assert_eq!(parts, [Part::Bye(Ssrc(7)), Part::Bye(Ssrc(8))]);
    }

    #[test]
    fn a_goodbye_names_no_more_streams_than_it_holds() {
        let reason = [0x9f, 203, 0, 2, 0, 0, 0, 7, 3, b'b', b'y', b'e'];

        let parts: Vec<_> = read(&reason[..8]).chain(read(&reason)).collect();

        assert_eq!(parts.len(), 2, "the count of 31 is a lie");
    }
}
