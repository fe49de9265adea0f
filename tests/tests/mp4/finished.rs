use std::io::Cursor;

use anyhow::Context;
use trackmill::media::{AccessUnit, Codec, Pts};
use trackmill_tests::clip::Clip;
use trackmill_tests::probe;

use super::{
    CODECS, decode, ffprobe, finished, growing_pictures, on_disk, packet_fields, presentation_times,
};

#[test]
fn every_picture_is_decoded_at_its_time() -> anyhow::Result<()> {
    for codec in CODECS {
        let units = Clip::of(codec).access_units()?;

        let file = finished(codec, &units)?;

        assert_eq!(decode(&file)?, 75, "{codec}");
        let probed = ffprobe(&file)?;
        assert_eq!(presentation_times(&probed), times(&units), "{codec}");
        let stream = &probed["streams"][0];
        assert_eq!(stream["nb_read_frames"], "75", "{codec}");
        assert_eq!(stream["time_base"], "1/90000");
        assert_eq!(stream["duration"], "2.500000");
        assert_eq!(
            (&stream["width"], &stream["height"]),
            (&320.into(), &180.into())
        );
    }
    Ok(())
}

#[test]
fn mediainfo_knows_codec_size_and_duration() -> anyhow::Result<()> {
    for (codec, format) in CODECS.into_iter().zip(["AVC", "HEVC", "AV1"]) {
        let file = on_disk(&finished(codec, &Clip::of(codec).access_units()?)?)?;

        let seen = probe::mediainfo(&file.path)?;

        let tracks = seen["media"]["track"].as_array().context("tracks")?;
        let [general, video] = tracks.as_slice() else {
            anyhow::bail!("{codec}: {} tracks", tracks.len());
        };
        assert_eq!(general["IsTruncated"], serde_json::Value::Null);
        assert_eq!(video["Format"], format);
        assert_eq!(
            (&video["Width"], &video["Height"]),
            (&"320".into(), &"180".into())
        );
        assert_eq!(video["FrameCount"], "75");
        assert!(
            general["Duration"]
                .as_str()
                .is_some_and(|d| d.starts_with("2.5"))
        );
    }
    Ok(())
}

#[test]
fn an_independent_reader_finds_the_bytes_that_went_in() -> anyhow::Result<()> {
    let units = Clip::of(Codec::H264).access_units()?;

    let file = finished(Codec::H264, &units)?;

    let size = file.bytes().len() as u64;
    let mut reader = mp4::Mp4Reader::read_header(Cursor::new(file.bytes()), size)?;
    assert_eq!(reader.sample_count(1)?, 75);
    for (number, unit) in (1..).zip(&units) {
        let sample = reader.read_sample(1, number)?.context("a sample")?;
        assert_eq!(sample.bytes, unit.data, "sample {number}");
        assert_eq!(sample.start_time, unit.pts.0);
        assert_eq!(sample.is_sync, unit.is_keyframe);
    }
    Ok(())
}

#[test]
fn a_variable_frame_rate_survives() -> anyhow::Result<()> {
    let mut units = Clip::of(Codec::H264).access_units()?;
    let mut time = 0;
    for (number, unit) in (0..).zip(&mut units) {
        unit.pts = Pts(time);
        // 30 to 60 pictures a second, and a minute of mute in between.
        time += if number == 40 {
            5_400_000
        } else {
            1_500 + number % 50 * 31
        };
    }

    let probed = ffprobe(&finished(Codec::H264, &units)?)?;

    assert_eq!(presentation_times(&probed), times(&units));
    let durations = packet_fields(&probed, "duration");
    assert_eq!(durations.get(40), Some(&5_400_000));
    Ok(())
}

#[test]
fn b_frames_are_shown_in_their_order() -> anyhow::Result<()> {
    for codec in [Codec::H264, Codec::H265] {
        let clip = Clip {
            b_frames: 2,
            ..Clip::of(codec)
        };
        let units = clip.access_units()?;
        assert!(
            !units.is_sorted_by_key(|unit| unit.pts),
            "B-frames are there"
        );

        let file = finished(codec, &units)?;

        assert_eq!(decode(&file)?, 75, "{codec}");
        assert_eq!(
            presentation_times(&ffprobe(&file)?),
            times(&units),
            "{codec}"
        );
    }
    Ok(())
}

#[test]
fn pictures_may_grow_and_the_file_has_the_largest_size() -> anyhow::Result<()> {
    for codec in CODECS {
        let units = growing_pictures(codec)?;

        let file = finished(codec, &units)?;

        assert_eq!(decode(&file)?, 105, "{codec}");
        assert_eq!(
            presentation_times(&ffprobe(&file)?),
            times(&units),
            "{codec}"
        );
        if codec == Codec::H264 {
            let size = file.bytes().len() as u64;
            let movie = mp4::Mp4Reader::read_header(Cursor::new(file.bytes()), size)?;
            let track = movie.tracks().get(&1).context("a track")?;
            assert_eq!((track.width(), track.height()), (320, 180));
        }
    }
    Ok(())
}

#[test]
fn the_file_says_when_and_where_it_was_recorded() -> anyhow::Result<()> {
    let units = Clip::of(Codec::H264).access_units()?;

    let probed = ffprobe(&finished(Codec::H264, &units)?)?;

    let tags = &probed["format"]["tags"];
    assert_eq!(tags["creation_time"], "2026-09-21T14:13:20.000000Z");
    assert_eq!(tags["title"], "Kaffeeküche");
    assert_eq!(tags["artist"], "alice");
    assert_eq!(tags["comment"], "TR_camera");
    assert_eq!(
        probed["streams"][0]["tags"]["handler_name"],
        "trackmill video"
    );
    Ok(())
}

fn times(units: &[AccessUnit]) -> Vec<u64> {
    units.iter().map(|unit| unit.pts.0).collect()
}
