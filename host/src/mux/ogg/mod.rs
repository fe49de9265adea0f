//! Opus → Ogg, [RFC 7845](https://www.rfc-editor.org/rfc/rfc7845).
//!
//! Packets go in as they came (media.md O1); a hole is filled with packets that last as long (O3),
//! so that file time is wall time.
//!
//! Pages are written by hand, because crate `ogg` keeps 8 KiB of packet references a track, looks
//! a hash map up and wants an owned packet each time, sums byte by byte, and cannot close a page
//! in front of its last packet. It is the independent reader that judges this module in the tests.

pub(super) mod crc;
mod gap;
pub(super) mod header;
mod page;
mod recover;

use std::collections::VecDeque;

use bytes::Bytes;

use self::page::PageWriter;
use super::{Metadata, MuxError, Muxer, Output, fingerprint};
use crate::bitstream::opus::Toc;
use crate::media::{AccessUnit, Pts};

pub use self::recover::{is_ogg, recover};

/// Writes one Opus track into one Ogg file.
#[derive(Debug)]
pub struct Ogg {
    pages: PageWriter,
    /// What the last packet was coded as, for concealment.
    last: Option<Toc>,
    waiting: Option<Waiting>,
    is_finished: bool,
    ready: VecDeque<Output>,
}

/// Silence that is written page by page as the pages are taken, so that hours of it take no
/// memory, and what comes behind it.
#[derive(Debug)]
struct Waiting {
    silence: u64,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// More of the hole.
    Silence,
    Packet(Bytes, Toc),
    End {
        granule: u64,
    },
}

impl Ogg {
    /// Starts a file; its first two pages are ready.
    pub fn new(metadata: &Metadata) -> Self {
        let mut pages = PageWriter::new(fingerprint(metadata));
        let head = pages.header(&header::OPUS_HEAD);
        let tags = pages.header(&header::opus_tags(metadata));
        Self {
            pages,
            last: None,
            waiting: None,
            is_finished: false,
            ready: [head, tags].map(Output::Append).into(),
        }
    }

    /// Fills a hole before `packet` and writes it; behind a long hole it waits.
    fn place(&mut self, hole: u64, packet: &Bytes, toc: Toc) {
        match self.last {
            _ if hole < gap::GRID / 2 => self.write_packet(packet, toc),
            Some(last) if hole <= gap::MAX_CONCEALED => {
                self.conceal(last, gap::round(hole));
                self.write_packet(packet, toc);
            }
            _ => {
                self.waiting = Some(Waiting {
                    silence: gap::round(hole),
                    then: Then::Packet(packet.clone(), toc),
                });
            }
        }
    }

    fn conceal(&mut self, last: Toc, mut hole: u64) {
        while hole >= gap::GRID {
            let (toc, ticks) = gap::concealment(last, hole);
            self.push(&[toc], ticks);
            hole -= u64::from(ticks);
        }
    }

    fn write_packet(&mut self, packet: &[u8], toc: Toc) {
        self.push(packet, toc.duration());
        self.last = Some(toc);
    }

    /// Writes the next packet of what waits; `false` if nothing does.
    fn advance(&mut self) -> bool {
        let Some(waiting) = &mut self.waiting else {
            return false;
        };
        if waiting.silence >= gap::GRID {
            let (packet, ticks) = gap::silence(waiting.silence);
            waiting.silence -= u64::from(ticks);
            self.push(&packet, ticks);
        } else if let Some(Waiting { then, .. }) = self.waiting.take() {
            match then {
                Then::Silence => {}
                Then::Packet(packet, toc) => self.write_packet(&packet, toc),
                Then::End { granule } => {
                    let page = self.pages.finish(granule);
                    self.ready.push_back(Output::Append(page));
                }
            }
        }
        true
    }

    /// Writes all that waits.
    fn settle(&mut self) {
        while self.advance() {}
    }

    fn push(&mut self, packet: &[u8], ticks: u32) {
        let page = self.pages.push(packet, ticks);
        self.ready.extend(page.map(Output::Append));
    }
}

impl Muxer for Ogg {
    /// A unit that starts before the one before it ends goes behind it; the next hole is shorter by
    /// as much.
    fn write(&mut self, unit: &AccessUnit) -> Result<(), MuxError> {
        if self.is_finished {
            return Err(MuxError::Unit("the track has ended"));
        }
        if unit.data.len() > page::MAX_PACKET {
            return Err(MuxError::Unit("the packet is larger than a page"));
        }
        let toc = Toc::parse(&unit.data).ok_or(MuxError::Unit("not an Opus packet"))?;
        self.settle();
        let hole = unit.pts.0.saturating_sub(self.pages.end());
        self.place(hole, &unit.data, toc);
        Ok(())
    }

    fn fill(&mut self, until: Pts) {
        self.settle();
        let hole = until.0.saturating_sub(self.pages.end());
        if hole > gap::MAX_CONCEALED && !self.is_finished {
            self.waiting = Some(Waiting {
                silence: hole - hole % gap::GRID,
                then: Then::Silence,
            });
        }
    }

    fn flush(&mut self) {
        self.settle();
        let page = self.pages.close_all_but_last();
        self.ready.extend(page.map(Output::Append));
    }

    fn finish(&mut self, end: Pts) {
        if self.is_finished {
            return;
        }
        self.settle();
        self.is_finished = true;
        // The last packet may be too long by less than 2.5 ms: the granule position of the last
        // page says so (RFC 7845 §4.4).
        let hole = end.0.saturating_sub(self.pages.end());
        self.waiting = Some(Waiting {
            silence: hole.next_multiple_of(gap::GRID),
            then: Then::End {
                granule: end.0.max(self.pages.end()),
            },
        });
    }

    fn poll_output(&mut self) -> Option<Output> {
        while self.ready.is_empty() && self.advance() {}
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::{Codec, Integrity, NtpTimestamp};
    use crate::mux::recovery::RepairError;

    #[test]
    fn a_page_holds_at_most_one_second() {
        let mut ogg = started();
        let pages = pages_of(&mut ogg, 0..150);

        assert_eq!(pages, [48_000, 96_000]);
    }

    #[test]
    fn a_flush_hands_out_all_but_the_last_packet() {
        let mut ogg = started();
        assert!(pages_of(&mut ogg, 0..10).is_empty());

        ogg.flush();

        assert_eq!(granules(&mut ogg), [9 * 960]);
        ogg.flush();
        assert!(granules(&mut ogg).is_empty());
        ogg.finish(Pts(0));
        assert_eq!(granules(&mut ogg), [10 * 960]);
    }

    #[test]
    fn ten_minutes_of_silence_wait_until_somebody_takes_them() {
        let mut ogg = started();
        pages_of(&mut ogg, 0..1);

        ogg.write(&unit(48_000 * 600)).unwrap();

        assert!(ogg.ready.is_empty());
        let mut pages = 0;
        while ogg.poll_output().is_some() {
            assert!(ogg.ready.is_empty());
            pages += 1;
        }
        assert_eq!(pages, 600);
    }

    #[test]
    fn an_overlap_shortens_the_next_hole() {
        let mut ogg = started();
        for pts in [0, 480, 1_440, 3_840] {
            ogg.write(&unit(pts)).unwrap();
        }

        ogg.finish(Pts(0));

        // Four packets, and the hole from 2880 to 3840.
        assert_eq!(granules(&mut ogg), [5 * 960]);
    }

    #[test]
    fn the_end_is_exact_to_the_sample() {
        let mut ogg = started();
        pages_of(&mut ogg, 0..1);

        ogg.finish(Pts(960 + 1_001));

        assert_eq!(granules(&mut ogg), [960 + 1_001]);
        assert!(ogg.write(&unit(9_600)).is_err());
    }

    #[test]
    fn what_is_not_opus_is_refused_and_the_next_unit_is_not() {
        let mut ogg = started();
        for data in [Bytes::new(), vec![0; 70_000].into(), vec![3].into()] {
            assert!(ogg.write(&AccessUnit { data, ..unit(0) }).is_err());
        }

        ogg.write(&unit(0)).unwrap();
    }

    #[test]
    fn a_big_packet_gets_a_page_of_its_own() {
        let mut ogg = started();
        for pts in [0, 960, 1_920] {
            let data = vec![0xf8; 60_000].into();
            ogg.write(&AccessUnit { data, ..unit(pts) }).unwrap();
        }

        assert_eq!(granules(&mut ogg), [960, 1_920]);
    }

    proptest! {
        #[test]
        fn recovery_survives_any_bytes(bytes: Vec<u8>) {
            let headers: Vec<u8> = headers();
            for file in [bytes.clone(), [headers, bytes].concat()] {
                let found = recover(&file.as_slice());
                prop_assert!(!matches!(found, Err(RepairError::Read(_))));
            }
        }
    }

    fn new() -> Ogg {
        Ogg::new(&Metadata {
            codec: Codec::Opus,
            room: "room".to_owned(),
            participant: "participant".to_owned(),
            track: "TR_1".to_owned(),
            started_at: NtpTimestamp(0),
        })
    }

    /// The file up to the sound is taken away.
    fn started() -> Ogg {
        let mut ogg = new();
        assert_eq!(granules(&mut ogg), [0, 0]);
        ogg
    }

    fn headers() -> Vec<u8> {
        pages(&mut new()).concat()
    }

    /// Writes packets of 20 ms and returns the granule positions of the pages that they filled.
    fn pages_of(ogg: &mut Ogg, packets: std::ops::Range<u64>) -> Vec<u64> {
        packets.for_each(|index| ogg.write(&unit(index * 960)).unwrap());
        granules(ogg)
    }

    fn granules(ogg: &mut Ogg) -> Vec<u64> {
        pages(ogg)
            .iter()
            .map(|page| u64::from_le_bytes(page[6..14].try_into().unwrap()))
            .collect()
    }

    fn pages(ogg: &mut Ogg) -> Vec<Bytes> {
        std::iter::from_fn(|| ogg.poll_output())
            .map(|output| {
                let Output::Append(page) = output else {
                    panic!("Ogg needs no patch")
                };
                assert!(page::is_intact(&page));
                page
            })
            .collect()
    }

    fn unit(pts: u64) -> AccessUnit {
        AccessUnit {
            pts: Pts(pts),
            is_keyframe: true,
            integrity: Integrity::Whole,
            data: Bytes::from_static(&[0xf8, 1, 2, 3]),
        }
    }
}
