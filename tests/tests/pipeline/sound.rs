//! Opus tracks to record, and what a reader finds in their files.

use std::io::Cursor;

use bytes::Bytes;
use trackmill::bitstream::opus::Toc;
use trackmill::media::Pts;
use trackmill_tests::file::Growing;

/// A packet in an Ogg file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) at: Pts,
    pub(super) packet: Bytes,
}

impl Heard {
    /// Whether it may fill a gap: silence, or what asks the decoder to conceal (media.md O3).
    pub(super) fn is_filler(&self) -> bool {
        matches!(self.packet[..], [_] | [_, 0xff, 0xfe])
    }
}

/// The packets in a finished file as crate `ogg` reads them, which checks checksums and order; no
/// granule position jumps. The last thing is where the file ends.
pub(super) fn heard(file: &Growing) -> (Vec<Heard>, Pts) {
    let mut reader = ogg::PacketReader::new(Cursor::new(file.bytes()));
    let mut heard = Vec::new();
    let (mut time, mut number) = (0, 0);
    while let Some(packet) = reader.read_packet().expect("a legal page") {
        number += 1;
        if number <= 2 {
            continue;
        }
        let at = Pts(time);
        time += u64::from(Toc::parse(&packet.data).expect("Opus").duration());
        if packet.last_in_stream() {
            assert!(packet.absgp_page() <= time, "the end is trimmed at most");
            time = packet.absgp_page();
        }
        if packet.last_in_page() {
            assert_eq!(packet.absgp_page(), time, "a granule position jumps");
        }
        let packet = packet.data.into();
        heard.push(Heard { at, packet });
    }
    (heard, Pts(time))
}

/// The packets of a publisher among those of a file, each with its place; whatever is between them
/// must fill a gap.
pub(super) fn find<'a>(
    heard: &[Heard],
    published: impl IntoIterator<Item = &'a Bytes>,
) -> Vec<Pts> {
    let mut published = published.into_iter().peekable();
    let mut places = Vec::new();
    for heard in heard {
        if published
            .next_if(|wanted| **wanted == heard.packet)
            .is_some()
        {
            places.push(heard.at);
        } else {
            assert!(heard.is_filler(), "{heard:?} was never published");
        }
    }
    assert_eq!(published.next(), None, "a published packet is not there");
    places
}
