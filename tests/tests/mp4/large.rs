//! Files that no test should write: all appended bytes are counted, few are kept.

use anyhow::Context;
use bytes::Bytes;
use trackmill::media::{AccessUnit, Codec, Integrity, Pts};
use trackmill::mux::mp4::recover;
use trackmill::mux::recovery::Source;
use trackmill::mux::{Muxer, Output};
use trackmill_tests::clip;
use trackmill_tests::sparse::Sparse;

use super::muxer;

#[test]
fn samples_beyond_four_gigabytes_are_found() -> anyhow::Result<()> {
    const UNIT_LEN: usize = 16 << 20;
    const UNITS: u32 = 300;
    let mut muxer = muxer(Codec::H264);
    let mut file = Sparse::default();
    muxer.write(&unit(0, clip::TINY_KEYFRAME.into()))?;
    for number in 1..UNITS {
        let mut data = vec![0; UNIT_LEN];
        data.splice(..4, number.to_be_bytes());
        muxer.write(&unit(number, data.into()))?;
        file.drain(&mut muxer);
    }
    let growing = file.clone();
    muxer.finish(Pts(0));
    file.drain(&mut muxer);

    assert!(file.len() > 4 << 30);
    let mut reader = mp4::Mp4Reader::read_header(file.reader(), file.len())?;
    assert_eq!(reader.sample_count(1)?, UNITS);
    for number in [1, 2, 254, 255, 256, 257, 258, UNITS - 1] {
        let sample = reader.read_sample(1, number + 1)?.context("a sample")?;
        assert_eq!(sample.bytes.len(), UNIT_LEN);
        assert_eq!(sample.bytes.first_chunk(), Some(&number.to_be_bytes()));
    }
    assert_eq!(recover(&file)?.outputs, []);
    assert_eq!(recover(&growing)?.units, u64::from(UNITS) - 1);
    Ok(())
}

#[test]
fn ten_hours_take_little_memory() -> anyhow::Result<()> {
    const HOURS: u32 = 10;
    let mut muxer = muxer(Codec::H264);
    let picture = Bytes::from_static(&[0x41; 200]);
    let mut file_len = 0;
    let mut index_len = 0;
    for number in 0..HOURS * 3_600 * 30 {
        let data = if number % 300 == 0 {
            Bytes::from_static(clip::TINY_KEYFRAME)
        } else {
            picture.slice(..(100 + number as usize * 7 % 100))
        };
        // Arrival at the sender's capture clock: no two durations are the same.
        let mut unit = unit(number, data);
        unit.pts.0 += u64::from(number * 31 % 97);
        muxer.write(&unit)?;
        while let Some(Output::Append(bytes)) = muxer.poll_output() {
            file_len += bytes.len();
        }
    }
    let running = muxer.index_bytes();

    muxer.finish(Pts(0));

    while let Some(output) = muxer.poll_output() {
        if let Output::Append(bytes) = output {
            index_len = bytes.len();
        }
    }
    assert!(running <= 10 << 20, "{running} bytes while it grows");
    assert!(index_len <= 20 << 20, "{index_len} bytes in the file");
    assert!(file_len > 100 << 20, "{file_len} bytes of pictures");
    Ok(())
}

fn unit(number: u32, data: Bytes) -> AccessUnit {
    AccessUnit {
        pts: Pts(u64::from(number) * 3_000),
        is_keyframe: data == clip::TINY_KEYFRAME,
        integrity: Integrity::Whole,
        data,
    }
}
