use anyhow::Context;
use bytes::Bytes;
use trackmill::media::{AccessUnit, AudioFormat, Codec, Integrity, NtpTimestamp, Pts, TrackKind};
use trackmill::mux::{Container, Metadata, Muxer, Output, for_codec, for_pcm};

use super::Seed;
use crate::clip;
use crate::file::Growing;

/// Files of each container: whole, cut in their last piece, and before anything was finalised.
pub(super) fn torn() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (target, codec) in [
        ("recover_ogg", Codec::Opus),
        ("recover_mp4", Codec::H264),
        ("recover_webm", Codec::Vp8),
        ("recover_wav", Codec::Pcmu),
    ] {
        seeds.extend(of_file(target, "", &outputs(codec)?));
    }
    seeds.extend(of_file("recover_wav", "pcm-", &decoded()?));
    Ok(seeds)
}

fn of_file(target: &'static str, prefix: &str, outputs: &[Output]) -> [Seed; 3] {
    let whole = applied(outputs);
    let appended = outputs.len().saturating_sub(3);
    let killed = applied(outputs.get(..appended).unwrap_or_default());
    let mut cut = killed.clone();
    cut.truncate(killed.len() - 7);
    [("whole", whole), ("killed", killed), ("torn", cut)]
        .map(|(name, file)| Seed::new(target, format!("{prefix}{name}"), file))
}

/// A moment of decoded sound, closed twice.
fn decoded() -> anyhow::Result<Vec<Output>> {
    let metadata = metadata(Codec::Opus);
    let mut muxer =
        for_pcm(Container::Wav, AudioFormat::OPUS, &metadata).context("it holds PCM")?;
    for number in 0..6_u8 {
        muxer.write(&unit(Codec::Pcmu, u64::from(number) * 120, number))?;
        if number % 2 == 1 {
            muxer.flush();
        }
    }
    muxer.finish(Pts(0));
    Ok(drain(&mut *muxer))
}

/// Three seconds with a hole, closed each second.
fn outputs(codec: Codec) -> anyhow::Result<Vec<Output>> {
    let mut muxer = for_codec(Container::of(codec), metadata(codec));
    let step = match codec {
        Codec::Opus => 960,
        Codec::Pcmu => 400,
        _ => 4_500,
    };
    for number in (0..60_u8).filter(|number| !(20..23).contains(number)) {
        muxer.write(&unit(codec, u64::from(number) * step, number))?;
        if number % 20 == 19 {
            muxer.flush();
        }
    }
    muxer.finish(Pts(60 * step));
    Ok(drain(&mut *muxer))
}

pub(super) fn drain(muxer: &mut dyn Muxer) -> Vec<Output> {
    std::iter::from_fn(|| muxer.poll_output()).collect()
}

fn unit(codec: Codec, pts: u64, number: u8) -> AccessUnit {
    let is_keyframe = codec.kind() == TrackKind::Audio || number.is_multiple_of(20);
    let data = match (codec, is_keyframe) {
        (Codec::Opus, _) => vec![0xfc, number, 1, 2].into(),
        (Codec::H264, true) => Bytes::from_static(clip::TINY_KEYFRAME),
        (Codec::H264, false) => vec![0, 0, 0, 2, 0x41, number].into(),
        (Codec::Vp8, true) => vec![0x10, 2, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0, number].into(),
        (Codec::Vp8, false) => vec![0x11, 2, 0, number].into(),
        _ => vec![number; 400].into(),
    };
    AccessUnit {
        is_keyframe,
        ..unit_of(Pts(pts), data)
    }
}

pub(super) fn unit_of(pts: Pts, data: Bytes) -> AccessUnit {
    AccessUnit {
        pts,
        is_keyframe: true,
        integrity: Integrity::Whole,
        data,
    }
}

pub(super) fn metadata(codec: Codec) -> Metadata {
    Metadata {
        codec,
        room: "room".to_owned(),
        participant: "alice".to_owned(),
        track: "TR_1".to_owned(),
        started_at: NtpTimestamp(0xe8d1_5580_0000_0000),
    }
}

pub(super) fn applied(outputs: &[Output]) -> Vec<u8> {
    let mut file = Growing::default();
    outputs
        .iter()
        .cloned()
        .for_each(|output| file.apply(output));
    file.bytes().to_vec()
}
