//! What fuzzers and proptest feed: functions that take any bytes, and panic only where we are wrong.

use std::time::Instant;

use bytes::Bytes;
use trackmill::bitstream::{av1, h264, h265, nal, opus, vp8, vp9};
use trackmill::depacketize::{MAX_ACCESS_UNIT, for_codec};
use trackmill::media::{AccessUnit, Codec, MediaTime, Pts, SeqNo, Ssrc};
use trackmill::rtp::{RtpPacket, injected};

/// Every codec, in the order in which the first byte of an input chooses it.
pub const CODECS: [Codec; 8] = [
    Codec::Opus,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::H264,
    Codec::H265,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
];

/// The marker is set.
pub const MARKER: u8 = 1;
/// Packets are missing in front.
pub const LOST: u8 = 2;
/// It is the first of a new time.
pub const NEW_TIME: u8 = 4;

/// Depacketizes packets of one stream and checks what every access unit must be.
///
/// ```text
/// codec (index into CODECS, modulo 8) | flags, length (u16 LE), payload | flags, length …
/// ```
///
/// The last payload may be cut short. `flags` are [`MARKER`], [`LOST`] and [`NEW_TIME`].
///
/// # Panics
/// A depacketizer is wrong.
pub fn depacketize(data: &[u8]) {
    let Some((choice, mut rest)) = data.split_first() else {
        return;
    };
    let codec = choose(*choice);
    let mut depacketizer = for_codec(codec);
    let mut pts = Pts(0);
    let mut count = 0;
    while let Some((flags, payload)) = split_packet(&mut rest) {
        if flags & LOST != 0 {
            depacketizer.lost();
        }
        if flags & NEW_TIME != 0 {
            pts = pts.plus(3_000);
        }
        let packet = packet(codec, SeqNo(count), flags & MARKER != 0, payload);
        assert!(
            !injected::is_injected(&packet) || packet.payload.len() <= 160,
            "real media taken for the SFU's: {packet:?}"
        );
        if let Err(error) = depacketizer.push(&packet, pts) {
            assert_eq!(error.sequence_number, packet.sequence_number);
        }
        while let Some(unit) = depacketizer.pull() {
            check_unit(codec, &unit);
        }
        count += 1;
    }
    depacketizer.finish();
    while let Some(unit) = depacketizer.pull() {
        check_unit(codec, &unit);
    }
    let skipped = u64::from(depacketizer.take_skipped());
    assert!(skipped <= count, "{skipped} units of {count} packets");
}

/// Reads the inside of access units.
///
/// ```text
/// codec (index into CODECS, modulo 8) | access unit, NAL unit or OBUs
/// ```
///
/// # Panics
/// A parser is wrong.
pub fn bitstream(data: &[u8]) {
    if let Some((choice, rest)) = data.split_first() {
        inspect(choose(*choice), rest);
    }
}

fn choose(choice: u8) -> Codec {
    let index = usize::from(choice) % CODECS.len();
    *CODECS.get(index).expect("the index is below the length")
}

fn split_packet(rest: &mut &[u8]) -> Option<(u8, Bytes)> {
    let ([flags, l0, l1], behind) = rest.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_le_bytes([*l0, *l1])).min(behind.len());
    let (payload, behind) = behind.split_at(length);
    *rest = behind;
    Some((*flags, Bytes::copy_from_slice(payload)))
}

#[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
fn packet(codec: Codec, sequence_number: SeqNo, marker: bool, payload: Bytes) -> RtpPacket {
    RtpPacket {
        ssrc: Ssrc(1),
        sequence_number,
        timestamp: MediaTime(0),
        codec,
        marker,
        arrival: Instant::now(),
        payload,
    }
}

fn check_unit(codec: Codec, unit: &AccessUnit) {
    assert!(!unit.data.is_empty(), "an empty unit of {codec}: {unit:?}");
    // Lengths in front of NAL units of one byte, and remembered parameter sets.
    let most = 3 * MAX_ACCESS_UNIT;
    assert!(unit.data.len() <= most, "{} bytes", unit.data.len());
    match codec {
        Codec::H264 | Codec::H265 => {
            let framed = |nal: &[u8]| nal.len() + nal::LENGTH_SIZE;
            let sum: usize = nal::units(&unit.data).map(framed).sum();
            assert_eq!(sum, unit.data.len(), "lengths that do not fit");
        }
        Codec::Av1 => {
            let sum: usize = av1::obus(&unit.data).map(|obu| obu.bytes.len()).sum();
            assert_eq!(sum, unit.data.len(), "sizes that do not fit");
        }
        Codec::Opus => assert!(opus::Toc::parse(&unit.data).is_some(), "no duration"),
        Codec::Pcmu | Codec::Pcma | Codec::Vp8 | Codec::Vp9 => {}
    }
    if unit.is_keyframe {
        check_keyframe(codec, unit);
    }
    inspect(codec, &unit.data);
}

/// Decoding can start at a keyframe: all that it needs is in it.
fn check_keyframe(codec: Codec, unit: &AccessUnit) {
    let has = |wanted: fn(&[u8]) -> bool| nal::units(&unit.data).any(wanted);
    let is_complete = match codec {
        Codec::H264 => {
            has(|nal| nal_type_h264(nal) == h264::NalType::Sps)
                && has(|nal| nal_type_h264(nal) == h264::NalType::Pps)
                && has(|nal| nal_type_h264(nal) == h264::NalType::Idr)
        }
        Codec::H265 => {
            has(|nal| nal_type_h265(nal) == h265::NalType::Vps)
                && has(|nal| nal_type_h265(nal) == h265::NalType::Sps)
                && has(|nal| nal_type_h265(nal) == h265::NalType::Pps)
                && has(|nal| nal_type_h265(nal) == h265::NalType::RandomAccess)
        }
        Codec::Av1 => av1::obus(&unit.data).any(|obu| obu.kind == av1::ObuType::SequenceHeader),
        Codec::Vp8 => {
            vp8::FrameHeader::parse(&unit.data).is_some_and(vp8::FrameHeader::is_keyframe)
        }
        _ => true,
    };
    assert!(is_complete, "a keyframe that needs something else");
}

fn nal_type_h264(nal: &[u8]) -> h264::NalType {
    h264::NalType::of(nal.first().copied().unwrap_or_default())
}

fn nal_type_h265(nal: &[u8]) -> h265::NalType {
    h265::NalType::of(nal.first().copied().unwrap_or_default())
}

/// Runs every parser of a codec; their results mean nothing for arbitrary bytes.
fn inspect(codec: Codec, data: &[u8]) {
    match codec {
        Codec::Opus => {
            if let Some(toc) = opus::Toc::parse(data) {
                assert!((120..=5_760).contains(&toc.duration()), "{toc:?}");
            }
        }
        Codec::Pcmu | Codec::Pcma => {}
        Codec::H264 => {
            for nal in nal::units(data).chain([data]) {
                inspect_h264(nal);
            }
        }
        Codec::H265 => {
            for nal in nal::units(data).chain([data]) {
                inspect_h265(nal);
            }
        }
        Codec::Vp8 => {
            vp8::FrameHeader::parse(data);
        }
        Codec::Vp9 => inspect_vp9(data),
        Codec::Av1 => inspect_av1(data),
    }
}

fn inspect_h264(nal: &[u8]) {
    if let Some(set) = h264::SequenceParameterSet::parse(nal) {
        let most = 16 * 1_024 * 2;
        assert!(set.width <= most && set.height <= most, "{set:?}");
    }
    h264::SliceHeader::parse(nal);
    h264::parameter_set_link(nal);
}

fn inspect_h265(nal: &[u8]) {
    if let Some(set) = h265::SequenceParameterSet::parse(nal) {
        assert!((1..=8).contains(&set.temporal_layers), "{set:?}");
    }
    h265::SliceHeader::parse(nal);
    h265::parameter_set_link(nal);
}

fn inspect_vp9(data: &[u8]) {
    vp9::FrameHeader::parse(data);
    if let Some(frames) = vp9::frames(data) {
        let sum: usize = frames.iter().map(|frame| frame.len()).sum();
        assert!(sum <= data.len(), "frames beyond the data");
    }
}

fn inspect_av1(data: &[u8]) {
    av1::SequenceHeader::parse(data);
    for obu in av1::obus(data) {
        av1::SequenceHeader::parse(obu.payload);
        av1::FrameHeader::parse(obu.payload);
    }
}
