use std::path::Path;
use std::time::Instant;

use trackmill::media::Codec;
use trackmill_room::media::Media;

use super::Seed;
use crate::capture::{self, Step};
use crate::clip::Clip;
use crate::depacketized::Depacketized;
use crate::fuzz::{CODECS, LOST, MARKER, NEW_TIME};
use crate::packetize;

/// What [`fuzz::receive`](crate::fuzz::receive) takes: actions with the time before them and a body.
pub(super) fn received() -> Vec<Seed> {
    let in_order: Vec<u8> = (0..40).flat_map(|_| sound(16)).collect();
    let lossy: Vec<u8> = (0..40)
        .flat_map(|n| sound(if n % 5 == 0 { 80 } else { 16 }))
        .collect();
    let swaps = [48, -16, -16, 48].into_iter().cycle();
    let reordered: Vec<u8> = swaps.take(40).flat_map(sound).collect();
    let repaired: Vec<u8> = (0..20)
        .flat_map(|n| [picture(48), retransmission(n), action(2, 4, &[0; 24])].concat())
        .collect();
    let offers: Vec<u8> = [0, 100, 200, 20, 90]
        .into_iter()
        .flat_map(|which| [action(3, 1, &[which]), sound(16), picture(16)].concat())
        .collect();
    let silent: Vec<u8> = (0..10)
        .flat_map(|_| [sound(16), action(3, 255, &[])].concat())
        .collect();
    let raw = [
        action(
            0,
            1,
            b"\x80\x6f\0\x01\0\0\0\x01\0\0\0\xc8not sealed, and therefore refused",
        ),
        action(
            1,
            1,
            b"\x80\xc8\0\x06\0\0\0\x64and neither is this, of 28 bytes\x80\0\0\x01",
        ),
    ];
    [
        ("in-order", in_order),
        ("lossy", lossy),
        ("reordered", reordered),
        ("retransmitted", repaired),
        ("offers", offers),
        ("silence", silent),
        ("raw", raw.concat()),
    ]
    .map(|(name, input)| Seed::new("receive", name, input))
    .into()
}

/// The beginnings of streams of each codec.
pub(super) fn depacketized() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for name in capture::NAMES {
        seeds.push(Seed::new("depacketize", name, packets(&steps(name)?)));
    }
    for (name, codec) in [("vp9.ivf", Codec::Vp9), ("av1.ivf", Codec::Av1)] {
        let payloads = payloads(name)?;
        seeds.push(Seed::new(
            "depacketize",
            name,
            of_payloads(codec, &payloads),
        ));
    }
    let units = h265_nals()?;
    let payloads = packetize::h265(&units, 200);
    seeds.push(Seed::new(
        "depacketize",
        "h265",
        of_payloads(Codec::H265, &payloads),
    ));
    for (name, codec) in [("pcmu", Codec::Pcmu), ("pcma", Codec::Pcma)] {
        let input = of_payloads(codec, &[vec![0xd5; 160], vec![0xff; 80]]);
        seeds.push(Seed::new("depacketize", name, input));
    }
    Ok(seeds)
}

/// Access units of each codec.
pub(super) fn units() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for name in [
        "h264-libwebrtc-layers",
        "vp8-pion-unpublish",
        "opus-pion-mute",
    ] {
        let steps = steps(name)?;
        let codec = codec_of(&steps);
        for (index, unit) in Depacketized::of(steps).units.iter().take(2).enumerate() {
            seeds.push(unit_seed(codec, &format!("{name}-{index}"), &unit.data));
        }
    }
    for codec in [Codec::H265, Codec::Av1] {
        for (index, unit) in small(codec).access_units()?.iter().take(2).enumerate() {
            seeds.push(unit_seed(codec, &format!("{codec}-{index}"), &unit.data));
        }
    }
    let ivf = media("vp9.ivf")?;
    let frame = ivf
        .packets
        .first()
        .map_or(&[][..], |packet| &packet.payload);
    seeds.push(unit_seed(
        Codec::Vp9,
        "vp9",
        frame.get(3..).unwrap_or_default(),
    ));
    Ok(seeds)
}

/// Sealed sound, so many sixteenths of a sequence number after the last.
fn sound(step: i16) -> Vec<u8> {
    sealed(20, step, &[0xfc, 1, 2, 3])
}

fn picture(step: i16) -> Vec<u8> {
    sealed(4, step, &[0x90, 0x80, 0x81, 0x23, 1, 2, 3])
}

/// Of the picture two packets before.
fn retransmission(number: u8) -> Vec<u8> {
    let osn = 65_500_u16.wrapping_add(u16::from(number) * 6).to_be_bytes();
    sealed(
        12,
        16,
        &[&osn[..], &[0x90, 0x80, 0x81, 0x23, 1, 2, 3]].concat(),
    )
}

fn sealed(which: u8, step: i16, payload: &[u8]) -> Vec<u8> {
    let step = step.to_be_bytes();
    let kind = if which == 12 { 64 } else { 0x80 };
    action(which, 1, &[&[0, kind, step[0], step[1]], payload].concat())
}

fn action(which: u8, time: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("bodies are short");
    [&[which, time, length], body].concat()
}

#[expect(clippy::disallowed_methods, reason = "the arrival means nothing here")]
fn steps(name: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps = capture::in_order(capture::packets(name, Instant::now())?);
    steps.truncate(60);
    Ok(steps)
}

fn codec_of(steps: &[Step]) -> Codec {
    let packet = steps.iter().find_map(|step| match step {
        Step::Packet(packet) => Some(packet.codec),
        Step::Lost(_) => None,
    });
    packet.expect("a capture begins with a packet")
}

fn packets(steps: &[Step]) -> Vec<u8> {
    let mut input = vec![index(codec_of(steps))];
    let mut flags = NEW_TIME;
    let mut last = None;
    for step in steps {
        match step {
            Step::Lost(_) => flags |= LOST,
            Step::Packet(packet) => {
                if last.replace(packet.timestamp) != Some(packet.timestamp) {
                    flags |= NEW_TIME;
                }
                push(&mut input, flags | u8::from(packet.marker), &packet.payload);
                flags = 0;
            }
        }
        if input.len() > MOST {
            break;
        }
    }
    input
}

fn of_payloads(codec: Codec, payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut input = vec![index(codec)];
    for payload in payloads {
        push(&mut input, NEW_TIME, payload);
    }
    push(&mut input, MARKER | LOST, &[0; 3]);
    input
}

fn push(input: &mut Vec<u8>, flags: u8, payload: &[u8]) {
    let length = u16::try_from(payload.len()).expect("a payload fits a datagram");
    input.push(flags);
    input.extend(length.to_le_bytes());
    input.extend_from_slice(payload);
}

fn payloads(name: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let media = media(name)?;
    let packets = media.packets.iter().take(6);
    Ok(packets.map(|packet| packet.payload.to_vec()).collect())
}

fn media(name: &str) -> anyhow::Result<Media> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media");
    Ok(Media::open(folder.join(name))?)
}

fn h265_nals() -> anyhow::Result<Vec<Vec<u8>>> {
    let units = small(Codec::H265).access_units()?;
    let nals = units
        .iter()
        .take(4)
        .flat_map(|unit| trackmill::bitstream::nal::units(&unit.data));
    Ok(nals.map(<[u8]>::to_vec).collect())
}

const fn small(codec: Codec) -> Clip {
    Clip {
        size: (64, 48),
        frames: 6,
        ..Clip::of(codec)
    }
}

fn unit_seed(codec: Codec, name: &str, unit: &[u8]) -> Seed {
    let unit = unit.get(..unit.len().min(MOST)).unwrap_or_default();
    Seed::new("bitstream", name, [&[index(codec)], unit].concat())
}

fn index(codec: Codec) -> u8 {
    let index = CODECS.iter().position(|known| *known == codec);
    index
        .and_then(|index| u8::try_from(index).ok())
        .expect("all codecs are in the list")
}

/// Bytes after which an input ends.
const MOST: usize = 3_000;
