//! Ogg pages, [RFC 3533 §6](https://www.rfc-editor.org/rfc/rfc3533#section-6).
//!
//! ```text
//!  0        4 5       6                14       18         22    26          27
//! +----------+-+-------+----------------+--------+----------+-----+----------+--------+------+
//! | "OggS"   |0| flags | granule        | serial | sequence | CRC | segments | lacing | body |
//! +----------+-+-------+----------------+--------+----------+-----+----------+--------+------+
//! ```

use std::iter;

use bytes::Bytes;

use super::crc;

/// Collects packets, and hands out a page when it is full. Packets are never split.
#[derive(Debug)]
pub(super) struct PageWriter {
    serial: u32,
    sequence: u32,
    /// Samples at 48 kHz before the open page.
    start: u64,
    /// Samples at 48 kHz up to the end of the last packet.
    end: u64,
    last: LastPacket,
    lacing: Vec<u8>,
    body: Vec<u8>,
}

/// The last packet of the open page, which a flush holds back: it may be the last of the stream,
/// whose page has to say so.
#[derive(Clone, Copy, Debug, Default)]
struct LastPacket {
    len: usize,
    ticks: u32,
}

impl PageWriter {
    pub(super) const fn new(serial: u32) -> Self {
        Self {
            serial,
            sequence: 0,
            start: 0,
            end: 0,
            last: LastPacket { len: 0, ticks: 0 },
            lacing: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Writes a page that holds one header packet only.
    pub(super) fn header(&mut self, packet: &[u8]) -> Bytes {
        let flags = if self.sequence == 0 { FIRST } else { 0 };
        self.append(packet, 0);
        self.close(flags, self.end)
    }

    /// Adds a packet of at most [`MAX_PACKET`] bytes that lasts `ticks`. The page before it comes
    /// back if it had no room.
    pub(super) fn push(&mut self, packet: &[u8], ticks: u32) -> Option<Bytes> {
        let full = (!self.has_room(packet.len(), ticks)).then(|| self.close(0, self.end));
        self.append(packet, ticks);
        full
    }

    /// Closes the page in front of the last packet; `None` if there is no other on it.
    pub(super) fn close_all_but_last(&mut self) -> Option<Bytes> {
        let body = self.body.len().checked_sub(self.last.len)?;
        let lacing = self.lacing.len().checked_sub(segments(self.last.len))?;
        if lacing == 0 {
            return None;
        }
        let end = self.end.saturating_sub(self.last.ticks.into());
        let page = self.assemble(0, end, (self.lacing.get(..lacing)?, self.body.get(..body)?));
        self.lacing.drain(..lacing);
        self.body.drain(..body);
        self.advance(end);
        Some(page)
    }

    /// Writes the last page; the stream ends at `granule`.
    pub(super) fn finish(&mut self, granule: u64) -> Bytes {
        self.close(LAST, granule)
    }

    /// Samples at 48 kHz up to the end of the last packet.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    fn has_room(&self, len: usize, ticks: u32) -> bool {
        self.lacing.is_empty()
            || (self.end + u64::from(ticks) <= self.start + MAX_TICKS
                && self.body.len() + len <= MAX_BODY
                && self.lacing.len() + segments(len) <= MAX_SEGMENTS)
    }

    fn append(&mut self, packet: &[u8], ticks: u32) {
        self.last = LastPacket {
            len: packet.len(),
            ticks,
        };
        self.lacing
            .extend(iter::repeat_n(u8::MAX, packet.len() / 255));
        self.lacing
            .push(u8::try_from(packet.len() % 255).unwrap_or_default());
        self.body.extend_from_slice(packet);
        self.end += u64::from(ticks);
    }

    fn close(&mut self, flags: u8, granule: u64) -> Bytes {
        let page = self.assemble(flags, granule, (&self.lacing, &self.body));
        self.lacing.clear();
        self.body.clear();
        self.advance(self.end);
        page
    }

    const fn advance(&mut self, start: u64) {
        self.start = start;
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn assemble(&self, flags: u8, granule: u64, (lacing, body): (&[u8], &[u8])) -> Bytes {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(MAGIC);
        header[5] = flags;
        header[6..14].copy_from_slice(&granule.to_le_bytes());
        header[14..18].copy_from_slice(&self.serial.to_le_bytes());
        header[18..22].copy_from_slice(&self.sequence.to_le_bytes());
        header[26] = u8::try_from(lacing.len()).expect("a page has at most 255 segments");
        let checksum = crc::update(crc::update(crc::update(0, &header), lacing), body);
        header[22..26].copy_from_slice(&checksum.to_le_bytes());

        let mut page = Vec::with_capacity(HEADER + lacing.len() + body.len());
        page.extend_from_slice(&header);
        page.extend_from_slice(lacing);
        page.extend_from_slice(body);
        page.into()
    }
}

/// The fixed part of a page that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    /// `None` if no packet ends on the page.
    pub(super) granule: Option<u64>,
    pub(super) serial: u32,
    /// How many lengths follow the header.
    pub(super) segments: u8,
}

impl Header {
    /// `None` if there is no page here.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let ([version, flags], rest) = rest.split_first_chunk()?;
        let (granule, rest) = rest.split_first_chunk()?;
        let (serial, _) = rest.split_first_chunk()?;
        let granule = u64::from_le_bytes(*granule);
        (magic == MAGIC && *version == 0).then_some(Self {
            is_first: flags & FIRST != 0,
            is_last: flags & LAST != 0,
            granule: (granule != u64::MAX).then_some(granule),
            serial: u32::from_le_bytes(*serial),
            segments: bytes[26],
        })
    }
}

/// Whether the checksum of a whole page is right.
pub(super) fn is_intact(page: &[u8]) -> bool {
    let Some((header, rest)) = page.split_first_chunk::<HEADER>() else {
        return false;
    };
    let mut blank = *header;
    let stored = [header[22], header[23], header[24], header[25]];
    blank[22..26].fill(0);
    crc::update(crc::update(0, &blank), rest) == u32::from_le_bytes(stored)
}

/// The same page, as the last of its stream.
pub(super) fn into_last(mut page: Vec<u8>) -> Bytes {
    if let Some((header, rest)) = page.split_first_chunk_mut::<HEADER>() {
        header[5] |= LAST;
        header[22..26].fill(0);
        let checksum = crc::update(crc::update(0, header), rest);
        header[22..26].copy_from_slice(&checksum.to_le_bytes());
    }
    page.into()
}

const fn segments(len: usize) -> usize {
    len / 255 + 1
}

/// The bytes that every page starts with.
pub(super) const MAGIC: &[u8; 4] = b"OggS";
/// Bytes of a page before its lacing.
pub(super) const HEADER: usize = 27;
/// The largest packet that fits onto one page.
pub(super) const MAX_PACKET: usize = MAX_SEGMENTS * 255 - 1;

const MAX_SEGMENTS: usize = 255;
/// 1 s, so that a killed process loses no more (media.md O2).
const MAX_TICKS: u64 = 48_000;
/// Bounds what a track keeps in memory; only above 32 kbit/s are there more pages for it.
const MAX_BODY: usize = 4_096;

const FIRST: u8 = 2;
const LAST: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_page_keeps_less_than_8_kib() {
        for bitrate in [6_000, 32_000, 128_000, 510_000] {
            let mut pages = PageWriter::new(1);
            for _ in 0..500 {
                pages.push(&vec![0; bitrate / 8 / 50], 960);
            }

            let kept = pages.body.capacity() + pages.lacing.capacity();

            assert!(kept < 8 << 10, "{bitrate} bit/s: {kept} bytes");
        }
    }

    #[test]
    fn a_page_says_what_was_written() {
        let mut pages = PageWriter::new(7);
        let first = pages.header(b"head");
        pages.push(&[0xf8; 255], 960);
        let last = pages.finish(900);

        let header = |page: &[u8]| Header::parse(page.first_chunk()?);
        let first = header(&first).unwrap();
        assert!(first.is_first && !first.is_last);
        assert_eq!(
            header(&last),
            Some(Header {
                is_first: false,
                is_last: true,
                granule: Some(900),
                serial: 7,
                segments: 2,
            })
        );
    }

    #[test]
    fn one_wrong_bit_is_noticed() {
        let page = PageWriter::new(7).header(b"head").to_vec();
        assert!(is_intact(&page));
        for bit in 0..page.len() * 8 {
            let mut torn = page.clone();
            torn[bit / 8] ^= 1 << (bit % 8);

            assert!(!is_intact(&torn), "bit {bit}");
        }
    }
}
