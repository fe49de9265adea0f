use trackmill::media::Codec;
use trackmill::mux::{Muxer, Output};
use trackmill_tests::clip::Clip;
use trackmill_tests::file::Growing;

use super::{CODECS, decode, ffprobe, muxer, presentation_times};

#[test]
fn a_growing_file_plays_to_the_end_of_its_last_fragment() -> anyhow::Result<()> {
    for codec in CODECS {
        let mut muxer = muxer(codec);
        let mut file = Growing::default();
        for unit in Clip::of(codec).access_units()? {
            muxer.write(&unit)?;
        }
        file.drain(&mut muxer);

        assert_eq!(decode(&file)?, 60, "{codec}: two fragments of a second");

        muxer.flush();
        file.drain(&mut muxer);

        assert_eq!(decode(&file)?, 74, "{codec}: all but the last");
        let times: Vec<u64> = (0..74).map(|number| number * 3_000).collect();
        assert_eq!(presentation_times(&ffprobe(&file)?), times, "{codec}");
    }
    Ok(())
}

#[test]
fn a_torn_fragment_does_not_hide_those_before_it() -> anyhow::Result<()> {
    let mut muxer = muxer(Codec::H264);
    for unit in Clip::of(Codec::H264).access_units()? {
        muxer.write(&unit)?;
    }
    muxer.flush();
    let outputs: Vec<Output> = std::iter::from_fn(|| muxer.poll_output()).collect();
    let whole = outputs.len() - 1;
    let mut file = Growing::default();
    outputs
        .iter()
        .take(whole)
        .for_each(|o| file.apply(o.clone()));
    let Some(Output::Append(last)) = outputs.last() else {
        anyhow::bail!("the last output is a fragment");
    };

    for torn in [4, 31, 40, 100, last.len() / 2] {
        let mut file = file.clone();
        file.apply(Output::Append(last.slice(..torn)));

        let seen = presentation_times(&ffprobe(&file)?).len();

        assert!(
            seen >= 60,
            "{seen} pictures with {torn} bytes of the third fragment"
        );
    }
    Ok(())
}
