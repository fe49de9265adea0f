use std::io::Cursor;

use anyhow::Context;
use bytes::Bytes;
use proptest::prelude::*;
use trackmill::media::{AccessUnit, Codec, Integrity, Pts};
use trackmill::mux::Output;
use trackmill::mux::mp4::{is_mp4, recover};
use trackmill::mux::recovery::RepairError;
use trackmill_tests::clip::{self, Clip};
use trackmill_tests::file::Growing;
use trackmill_tests::fuzz;

use super::{CODECS, decode, finished, growing_pictures, mux};

#[test]
fn a_file_cut_anywhere_is_repaired_to_the_fragments_before_the_cut() -> anyhow::Result<()> {
    let units = tiny_units();
    let outputs = mux(Codec::H264, &units)?;
    let file = applied(&outputs);
    let ends = appended_ends(&outputs);
    let [head, first, second, third, _] = ends.as_slice() else {
        anyhow::bail!("a head, three fragments and an index, not {ends:?}");
    };

    for cut in 0..file.bytes().len() {
        let torn = file.bytes().split_at(cut).0;
        let expected = match cut {
            _ if cut < *head => None,
            _ if cut < *first => None,
            _ if cut < *second => Some(10),
            _ if cut < *third => Some(20),
            _ => Some(units.len()),
        };
        let repaired = repaired(torn).ok();

        assert_eq!(repaired.is_some(), expected.is_some(), "cut at {cut}");
        if let (Some(file), Some(count)) = (repaired, expected) {
            let written = units.iter().take(count).map(|unit| &unit.data);
            assert!(samples(&file)?.iter().eq(written), "cut at {cut}");
        }
    }
    Ok(())
}

#[test]
fn a_repaired_file_is_the_finished_file() -> anyhow::Result<()> {
    for codec in CODECS {
        let units = growing_pictures(codec)?;
        let mut outputs = mux(codec, &units)?;
        let finished = applied(&outputs);
        outputs.truncate(outputs.len() - 2);
        let killed = applied(&outputs);

        let repaired = repaired(killed.bytes())?;

        assert_eq!(decode(&repaired)?, 105, "{codec}");
        assert!(repaired == finished, "{codec}: byte for byte");
    }
    Ok(())
}

#[test]
fn a_crash_between_the_index_and_the_head_is_repaired() -> anyhow::Result<()> {
    let units = Clip::of(Codec::H264).access_units()?;
    let mut outputs = mux(Codec::H264, &units)?;
    let finished = applied(&outputs);
    outputs.pop();
    let killed = applied(&outputs);

    let repaired = repaired(killed.bytes())?;

    assert!(repaired == finished, "byte for byte");
    Ok(())
}

#[test]
fn a_finished_file_needs_no_repair() -> anyhow::Result<()> {
    for codec in CODECS {
        let file = finished(codec, &Clip::of(codec).access_units()?)?;

        let repair = recover(&file.bytes())?;

        assert_eq!(repair.outputs, []);
        assert_eq!(repair.keep, file.bytes().len() as u64);
        assert_eq!(repair.units, 75);
        assert_eq!(repair.duration.as_millis(), 2_500);
    }
    Ok(())
}

#[test]
fn what_holds_no_fragment_or_is_not_ours_is_refused() -> anyhow::Result<()> {
    let outputs = mux(Codec::H264, &tiny_units())?;
    let head = applied(outputs.get(..1).context("a head")?);

    assert!(is_mp4(head.bytes()));
    for nothing in [head.bytes(), b"", b"\0\0\0\x20fty"] {
        let refused = recover(&nothing);
        assert!(
            matches!(refused, Err(RepairError::NothingWritten(_))),
            "{refused:?}"
        );
    }
    for foreign in [
        b"OggS\0\x02\0\0\0\0\0\0".as_slice(),
        b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08free\0\0\0\x10mdat--------\0\0\0\x08moov",
    ] {
        let refused = recover(&foreign);
        assert!(
            matches!(refused, Err(RepairError::UnknownFormat)),
            "{refused:?}"
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_make_recovery_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        fuzz::recover_mp4(&bytes);
        fuzz::recover_mp4(&[b"\0\0\0\x10ftypisom\0\0\0\0", bytes.as_slice()].concat());
    }

    #[test]
    fn no_damage_makes_recovery_panic(
        is_finished: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        cut in any::<prop::sample::Index>(),
    ) {
        let outputs = mux(Codec::H264, &tiny_units()).expect("the units are good");
        let kept = if is_finished { outputs.len() } else { outputs.len() - 2 };
        let mut bytes = applied(outputs.get(..kept).expect("there are more")).bytes().to_vec();
        for (index, value) in damage {
            *index.get_mut(&mut bytes) = value;
        }
        bytes.truncate(cut.index(bytes.len() * 2));

        fuzz::recover_mp4(&bytes);
    }
}

/// 25 units, with a keyframe each ten.
fn tiny_units() -> Vec<AccessUnit> {
    let unit = |number: u8| AccessUnit {
        pts: Pts(u64::from(number) * 3_000),
        is_keyframe: number.is_multiple_of(10),
        integrity: Integrity::Whole,
        data: match number % 10 {
            0 => Bytes::from_static(clip::TINY_KEYFRAME),
            _ => vec![0, 0, 0, 2, 0x41, number].into(),
        },
    };
    (0..25).map(unit).collect()
}

fn applied(outputs: &[Output]) -> Growing {
    let mut file = Growing::default();
    outputs.iter().for_each(|output| file.apply(output.clone()));
    file
}

/// Where each appended piece ends.
fn appended_ends(outputs: &[Output]) -> Vec<usize> {
    let mut end = 0;
    let lengths = outputs.iter().filter_map(|output| match output {
        Output::Append(bytes) => Some(bytes.len()),
        Output::PatchHead(_) => None,
    });
    lengths
        .map(|len| {
            end += len;
            end
        })
        .collect()
}

fn repaired(torn: &[u8]) -> Result<Growing, RepairError> {
    let mut file = Growing::from_bytes(torn);
    file.repair(recover(&torn)?);
    Ok(file)
}

/// The bytes of each sample, by an independent reader.
fn samples(file: &Growing) -> anyhow::Result<Vec<Bytes>> {
    let size = file.bytes().len() as u64;
    let mut reader = mp4::Mp4Reader::read_header(Cursor::new(file.bytes()), size)?;
    (1..=reader.sample_count(1)?)
        .map(|number| Ok(reader.read_sample(1, number)?.context("a sample")?.bytes))
        .collect()
}
