//! Decoded sound in files.

use std::path::Path;

use trackmill::egress::manifest::{Manifest, Status};
use trackmill::sink::path;
use trackmill_room::publisher::Publisher;
use trackmill_tests::media::track;
use trackmill_tests::recorder::{self, Recorder};
use trackmill_tests::servers::LiveKit;
use trackmill_tests::sound::Sound;

use super::heard_of;
use crate::support::{send, settle};

#[tokio::test]
async fn wav_and_pcm_hold_what_was_sent_to_the_sample() -> anyhow::Result<()> {
    recorder::binary()?;
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "sound-files", "alice").await?;
    let sid = publisher.publish(track("opus.ogg")?).await?;
    let record = |options: &[&str]| {
        let usual = ["--track", &sid.0, "--output"];
        Recorder::record(&server, "sound-files", &[&usual, options].concat())
    };

    let wav = record(&["{publisher_identity}.wav"])?;
    let pcm = record(&["x.pcm", "--sample-rate", "16000", "--channels", "1"])?;
    wav.writes(1).await;
    pcm.writes(1).await;
    send(&publisher, &sid, 100).await?;
    settle(&publisher, &sid).await?;
    publisher.unpublish(&sid).await?;
    let sent = publisher.sent(&sid).await?;
    let (wav, pcm) = (wav.end().await?, pcm.end().await?);

    let file = wav.only_file()?;
    assert!(file.ends_with("alice.wav"), "{}", file.display());
    let bytes = std::fs::read(&file)?;
    let data = bytes.windows(4).position(|window| window == b"data");
    let stereo = Sound::of_bytes(&bytes[data.unwrap() + 8..], 48_000, 2);
    let speech = Sound::of_bytes(&std::fs::read(pcm.only_file()?)?, 16_000, 1);
    for sound in [&stereo, &speech] {
        let sent = heard_of(&sent, sound)?;
        let frame = usize::try_from(sound.rate)? / 50;
        assert_eq!(sound.len(), sent.len() * frame);
        let middle = Sound::of_packets(sent, sound.rate, sound.channels)?;
        let middle = middle.part(20 * frame..40 * frame);
        let found = sound.find(&middle, 19 * frame..21 * frame);
        assert!(found.likeness > 0.98, "{found:?}");
        assert!(found.place.abs_diff(20 * frame) < 32, "{found:?}");
    }
    let manifest = manifest_of(&pcm.only_file()?)?;
    let subject = manifest.subject.unwrap();
    assert_eq!(
        (subject.sample_rate, subject.channels),
        (Some(16_000), Some(1))
    );
    Ok(())
}

#[tokio::test]
async fn a_pcm_file_that_a_crash_left_behind_knows_how_long_it_is() -> anyhow::Result<()> {
    recorder::binary()?;
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "pcm-crash", "alice").await?;
    publisher.publish(track("opus.ogg")?).await?;
    let options = ["--all", "--output", "x.pcm", "--sample-rate", "24000"];
    let recorder = Recorder::record(&server, "pcm-crash", &options)?;
    recorder.writes(1).await;

    let folder = recorder.kill().await?;
    recorder::recover(folder.path())?;

    let file = folder.path().join("x.pcm");
    let manifest = manifest_of(&file)?;
    assert_eq!(manifest.status, Status::Recovered);
    let bytes = file.metadata()?.len();
    let millis = u128::from(bytes) / (24 * 4);
    assert_eq!(manifest.duration.as_millis(), millis);
    assert!(millis > 0);
    Ok(())
}

fn manifest_of(file: &Path) -> anyhow::Result<Manifest> {
    Ok(Manifest::from_json(&std::fs::read(path::manifest(file))?)?)
}
