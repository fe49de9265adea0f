//! The depacketizers of `rtc-rtp` on the captures, and its payloaders on pictures of every size, as
//! a second opinion. They stand here and not with the other captures because only this crate
//! depends on `rtc-rtp`.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::codec::h264::H264Packet;
use rtc_rtp::codec::h265::HevcPayloader;
use rtc_rtp::codec::opus::OpusPacket;
use rtc_rtp::codec::vp8::{Vp8Packet, Vp8Payloader};
use rtc_rtp::codec::vp9::Vp9Payloader;
use rtc_rtp::packetizer::{Depacketizer as Oracle, Payloader};

use super::testing::{Packets, run, units};
use crate::bitstream::nal;
use crate::media::{Codec, Integrity};

#[test]
fn captures_give_the_same_bytes() {
    let cases: [(&str, Codec, usize); 12] = [
        ("h264-libwebrtc-layers", Codec::H264, 353),
        ("h264-libwebrtc-unpublish", Codec::H264, 74),
        ("h264-pion-mute", Codec::H264, 238),
        ("h264-pion-unsubscribe", Codec::H264, 94),
        ("opus-libwebrtc-mute", Codec::Opus, 801),
        ("opus-pion-loss5-nack", Codec::Opus, 601),
        ("opus-pion-mute", Codec::Opus, 701),
        ("opus-pion-unsubscribe", Codec::Opus, 262),
        ("vp8-libwebrtc-layers-pause", Codec::Vp8, 239),
        ("vp8-pion-loss20-rtx", Codec::Vp8, 381),
        ("vp8-pion-loss5-rtx", Codec::Vp8, 470),
        ("vp8-pion-unpublish", Codec::Vp8, 155),
    ];
    for (name, codec, whole) in cases {
        let records = read(name);
        let expected = joined_by_oracle(codec, &records);
        let found = run(&in_order(codec, &records)).units;

        let found: Vec<_> = found
            .iter()
            .filter(|unit| unit.integrity == Integrity::Whole)
            .collect();

        assert_eq!(found.len(), whole, "{name}");
        for unit in found {
            let expected = expected.get(&unit.pts.0).expect("a time of the capture");
            assert!(expected.contains(&unit.data), "{name} {:?}", unit.pts);
        }
    }
}

#[test]
fn vp8_and_vp9_frames_of_every_length_come_back() {
    let cases: [(Codec, Box<dyn Payloader>, u8); 2] = [
        (Codec::Vp8, Box::new(Vp8Payloader::default()), 0x11),
        (Codec::Vp9, Box::new(Vp9Payloader::default()), 0x86),
    ];
    for (codec, mut payloader, first) in cases {
        let frames = lengths().map(|length| body(first, length));

        assert_eq!(round_trip(codec, &mut *payloader, &frames), frames);
    }
}

#[test]
fn h265_nal_units_of_every_length_come_back() {
    let mut payloader = HevcPayloader;
    for length in lengths() {
        let slice = [&[0x02, 0x01, 0xd0][..], &body(7, length)].concat();
        let picture = [&[0, 0, 0, 1][..], &slice].concat();

        let units = round_trip(Codec::H265, &mut payloader, &[picture]);

        let found: Vec<_> = units.iter().flat_map(|unit| nal::units(unit)).collect();
        assert_eq!(found, [&slice[..]], "{length}");
    }
}

#[test]
fn av1_units_of_every_length_come_back() {
    let sequence = [10, 11, 0, 0, 0, 4, 0x3d, 6, 0xd4, 0xda, 0xf9, 0, 0x40];
    for length in lengths() {
        let mut unit = sequence.to_vec();
        unit.push(0x32);
        let frame = body(0x10, length);
        let size = u32::try_from(frame.len()).unwrap();
        crate::bitstream::av1::write_leb128(size, |byte| unit.push(byte));
        unit.extend_from_slice(&frame);

        let found = round_trip(Codec::Av1, &mut Av1Payloader::default(), &[unit.clone()]);

        assert_eq!(found, [unit], "{length}");
    }
}

/// Around the sizes of one, two and three packets.
fn lengths() -> [usize; 12] {
    [1, 2, 90, 94, 95, 96, 97, 98, 190, 200, 300, 5_000]
}

fn body(first: u8, length: usize) -> Vec<u8> {
    let rest = (0..length).map(|index| u8::try_from(index % 251).unwrap() | 1);
    [first].into_iter().chain(rest).collect()
}

fn round_trip(codec: Codec, payloader: &mut dyn Payloader, pictures: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut packets = Packets::of(codec);
    for (pts, picture) in (0..).zip(pictures) {
        let payloads = payloader
            .payload(100, &Bytes::copy_from_slice(picture))
            .expect("a picture");
        let (last, others) = payloads.split_last().expect("a payload");
        for payload in others {
            packets.add(pts, &payload[..]);
        }
        packets.add_last(pts, &last[..]);
    }
    units(&packets)
        .iter()
        .map(|unit| unit.data.to_vec())
        .collect()
}

struct Record {
    sequence_number: u16,
    timestamp: u32,
    marker: bool,
    payload: Bytes,
}

/// A capture in sequence order; its README has the format. Injected packets are left in.
fn read(name: &str) -> Vec<Record> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/rtp");
    let mut rest = Bytes::from(std::fs::read(folder.join(format!("{name}.rtp"))).expect(name));
    let mut records = Vec::new();
    while !rest.is_empty() {
        let header = rest.split_to(10);
        let length = u16::from_le_bytes([header[8], header[9]]);
        let packet = rest.split_to(length.into());
        records.push(Record {
            sequence_number: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            marker: packet[1] & 0x80 != 0,
            payload: packet.slice(12..),
        });
    }
    let first = records[0].sequence_number.wrapping_sub(1_000);
    records.sort_by_key(|record| record.sequence_number.wrapping_sub(first));
    records
}

fn in_order(codec: Codec, records: &[Record]) -> Packets {
    let mut packets = Packets::of(codec);
    let mut expected = records[0].sequence_number;
    for record in records {
        if record.sequence_number != expected {
            packets.lose();
        }
        expected = record.sequence_number.wrapping_add(1);
        let (pts, payload) = (record.timestamp.into(), &record.payload[..]);
        if record.marker {
            packets.add_last(pts, payload);
        } else {
            packets.add(pts, payload);
        }
    }
    packets
}

/// What the oracle makes of the packets up to each marker, by time. Injected silence has the time of
/// the last real packet.
fn joined_by_oracle(codec: Codec, records: &[Record]) -> BTreeMap<u64, Vec<Bytes>> {
    let mut h264 = H264Packet::default();
    h264.is_avc = true;
    let mut oracle: Box<dyn Oracle> = match codec {
        Codec::H264 => Box::new(h264),
        Codec::Vp8 => Box::new(Vp8Packet::default()),
        _ => Box::new(OpusPacket),
    };
    let mut joined: BTreeMap<u64, Vec<Bytes>> = BTreeMap::new();
    let mut unit = Vec::new();
    let mut time = records[0].timestamp;
    for record in records {
        // The marker of the one before was lost.
        if record.timestamp != time {
            unit.clear();
        }
        time = record.timestamp;
        unit.extend_from_slice(&oracle.depacketize(&record.payload).expect("a payload"));
        if record.marker || codec == Codec::Opus {
            let pts = time.into();
            let data = std::mem::take(&mut unit).into();
            joined.entry(pts).or_default().push(data);
        }
    }
    joined
}
