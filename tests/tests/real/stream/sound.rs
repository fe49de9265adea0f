//! What a receiver hears is what was sent.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use trackmill_room::publisher::SentPacket;
use trackmill_tests::servers::Text;
use trackmill_tests::sound::Sound;

use super::{Broadcast, PACKET, heard_of, runs, stereo};
use crate::support::ON_THE_WAY;

#[tokio::test]
async fn pcm_is_what_was_sent_to_the_sample_and_silence_where_it_was_muted() -> anyhow::Result<()> {
    let cast = Broadcast::begin("ws-pcm", &["--texts", "all"]).await?;

    cast.send(75).await?;
    cast.settle().await?;
    cast.publisher.mute(&cast.sid).await?;
    sleep(MUTE).await;
    cast.publisher.unmute(&cast.sid).await?;
    sleep(ON_THE_WAY).await;
    cast.publisher.release(&cast.sid).await?;
    cast.send(75).await?;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    assert_eq!(ended.receiver.event("closed").await?["code"], 1000);
    let heard = ended.receiver.heard(0)?;
    assert!(heard.messages.iter().all(|(_, length)| *length == 3_840));
    let sound = stereo(&heard);
    let sent = heard_of(&ended.sent, &sound)?;
    holds_all(&sound, sent)?;
    tells_of_the_mute(&sound, &texts, sent);
    tells_what_it_is(&texts, &sound);
    let manifest = ended.manifest()?;
    assert_eq!(manifest["status"], "complete");
    assert_eq!(manifest["mutes"]["count"], 1);
    assert_eq!(
        manifest["delivery"]["audio_messages"],
        heard.messages.len(),
        "{manifest}"
    );
    assert_eq!(ended.recorded.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn speech_recognisers_get_16_khz_and_one_channel_by_the_query_of_the_url()
-> anyhow::Result<()> {
    let options = ["--sample-rate", "16000", "--channels", "1", "--frame", "40"];
    let cast = Broadcast::begin("ws-speech", &options).await?;

    cast.send(100).await?;
    cast.settle().await?;
    let ended = cast.unpublish().await?;

    let heard = ended.receiver.heard(0)?;
    assert!(heard.messages.iter().all(|(_, length)| *length == 1_280));
    let sound = Sound::of_bytes(&heard.sound, 16_000, 1);
    let sent = heard_of(&ended.sent, &sound)?;
    // The last frame is filled up.
    assert_eq!(sound.len().div_ceil(640), (sent.len() * 320).div_ceil(640));
    let reference = Sound::of_packets(sent, 16_000, 1)?;
    let middle = reference.part(16_000..24_000);
    let found = sound.find(&middle, 15_680..16_320);
    assert!(found.likeness > 0.98, "{found:?}");
    assert!(found.place.abs_diff(16_000) < 32, "{found:?}");
    Ok(())
}

#[tokio::test]
async fn opus_packets_are_messages_as_they_were_sent() -> anyhow::Result<()> {
    let cast = Broadcast::begin("ws-opus", &["--format", "opus", "--on-mute", "pause"]).await?;

    cast.send(75).await?;
    cast.settle().await?;
    cast.publisher.mute(&cast.sid).await?;
    sleep(ON_THE_WAY).await;
    cast.publisher.unmute(&cast.sid).await?;
    sleep(ON_THE_WAY).await;
    cast.publisher.release(&cast.sid).await?;
    cast.send(75).await?;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    let heard = ended.receiver.heard(0)?;
    let sent = &ended.sent[ended.sent.len() - heard.messages.len()..];
    let expected: Vec<u8> = sent.iter().flat_map(|sent| sent.payload.to_vec()).collect();
    assert!(heard.sound == expected, "{} messages", heard.messages.len());
    assert!(sent.len() > 125, "{}", sent.len());
    let words: Vec<&str> = texts.iter().map(|text| &*text.text).collect();
    assert_eq!(words, [MUTED, UNMUTED]);
    let before: usize = runs(sent)[0].iter().map(|sent| sent.payload.len()).sum();
    assert_eq!((texts[0].after, texts[1].after), (before, before));
    Ok(())
}

#[tokio::test]
async fn the_livekit_mode_sends_nothing_but_what_livekit_sends() -> anyhow::Result<()> {
    let cast = Broadcast::begin("ws-livekit", &["--livekit"]).await?;

    let (path, headers) = (&cast.connected["path"], &cast.connected["headers"]);
    assert_eq!(
        (path, &headers["content-type"]),
        (&json!("/sound"), &json!("audio/x-raw"))
    );
    cast.send(50).await?;
    cast.settle().await?;
    cast.publisher.mute(&cast.sid).await?;
    sleep(MUTE).await;
    cast.publisher.unmute(&cast.sid).await?;
    sleep(ON_THE_WAY).await;
    cast.publisher.release(&cast.sid).await?;
    cast.send(50).await?;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    let words: Vec<&str> = texts.iter().map(|text| &*text.text).collect();
    assert_eq!(words, [MUTED, UNMUTED]);
    let heard = ended.receiver.heard(0)?;
    assert!(heard.messages.iter().all(|(_, length)| *length == 1_920));
    let sound = stereo(&heard);
    let sent = heard_of(&ended.sent, &sound)?;
    holds_all(&sound, sent)?;
    tells_of_the_mute(&sound, &texts, sent);
    Ok(())
}

/// Fails unless every packet is in the sound at its time, to 20 ms, the first ones to the sample, and
/// there is as much of it as was sent.
fn holds_all(sound: &Sound, sent: &[SentPacket]) -> anyhow::Result<()> {
    let place_of = |packet: &SentPacket| packet.timestamp.wrapping_sub(sent[0].timestamp) as usize;
    let slack = PACKET as usize;
    for (number, run) in runs(sent).into_iter().enumerate() {
        let reference = Sound::of_packets(run, sound.rate, sound.channels)?;
        let place = place_of(&run[0]);
        // The decoder needs some packets to forget what came before.
        for from in [10 * slack, (run.len() - 10) * slack] {
            let window = reference.part(from..from + 5 * slack);
            let near = place + from;
            let found = sound.find(&window, near - slack..near + slack);
            anyhow::ensure!(found.likeness > 0.98, "run {number}: {found:?}");
            let is_exact = number > 0 || found.place == near;
            anyhow::ensure!(is_exact, "run {number}: {found:?}, not {near}");
        }
    }
    let last = sent.last().map_or(0, place_of);
    let expected = last + slack;
    anyhow::ensure!(
        sound.len().abs_diff(expected) <= slack,
        "{} samples, not {expected}",
        sound.len()
    );
    Ok(())
}

/// Fails unless there is silence between the texts, and the sound of the publisher around them.
fn tells_of_the_mute(sound: &Sound, texts: &[Text], sent: &[SentPacket]) {
    let place = |words: &str| {
        let text = texts.iter().find(|text| text.text == words);
        text.expect("both texts come").after / 4
    };
    let (muted, unmuted) = (place(MUTED), place(UNMUTED));
    let [before, after] = &runs(sent)[..] else {
        panic!("one mute");
    };
    let last = before.len() * PACKET as usize;
    assert!(muted >= last, "{muted} {last}");
    assert!(sound.is_silent(muted..unmuted));
    // Both are told when signalling says so, which takes its time on a busy machine.
    let lasts = unmuted - muted;
    assert!(lasts > sound.samples_in(MUTE) / 2, "{lasts}");
    let first = sound.len() - after.len() * PACKET as usize;
    assert!(unmuted <= first, "{unmuted} {first}");
    assert!(!sound.is_silent(first..first + 4_800));
}

/// Fails unless the first and the last text say what is sent, and how it ended.
fn tells_what_it_is(texts: &[Text], sound: &Sound) {
    let (first, last) = (&texts[0], &texts[texts.len() - 1]);
    let start = first.json();
    assert_eq!(
        (first.after, &start["event"], &start["channels"]),
        (0, &json!("start"), &json!(2))
    );
    assert_eq!(
        (&start["format"], &start["frame_ms"]),
        (&json!("pcm_s16le"), &json!(20))
    );
    let end = last.json();
    assert_eq!(end["event"], "end");
    assert_eq!(end["reason"], "the track was unpublished");
    assert_eq!(last.after / 4, sound.len());
}

const MUTED: &str = r#"{"muted":true}"#;
const UNMUTED: &str = r#"{"muted":false}"#;
/// Longer than the second of silence that the server makes up.
const MUTE: Duration = Duration::from_millis(1_500);
