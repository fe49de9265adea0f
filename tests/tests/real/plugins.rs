//! Plugins on tracks of a real server: what they hear, what they change, and what they leave alone.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;
use trackmill_room::publisher::SentPacket;
use trackmill_tests::passthrough::{lasts_as_sent, opus_runs};
use trackmill_tests::recorder::Recorder;
use trackmill_tests::servers::LiveKit;
use trackmill_tests::sound::Sound;
use trackmill_tests::{guests, inspect, probe};

use crate::support::ON_THE_WAY;
use crate::take::Take;

/// D5: an inspector is beside the recording and not in it, packet by packet, and hears what is in it.
#[tokio::test]
async fn d5_a_file_is_bit_exact_while_a_plugin_looks_and_says_who_speaks() -> anyhow::Result<()> {
    let plugin = guests::rust("voice-activity").display().to_string();
    let take = Take::begin_with("voice", "opus.ogg", &["--inspect", &plugin]).await?;
    let Take { publisher, sid, .. } = &take;

    take.send(100).await?;
    take.settle().await?;
    publisher.mute(sid).await?;
    let before_mute = take.sent().await?.len();
    sleep(MUTE).await;
    publisher.unmute(sid).await?;
    sleep(ON_THE_WAY).await;
    publisher.release(sid).await?;
    take.send(100).await?;
    take.settle().await?;
    let (recorded, sent) = take.unpublish().await?;

    let file = recorded.only_file()?;
    let runs = opus_runs(&file, &sent)?;
    let [before, after] = &runs[..] else {
        panic!("not two runs around a mute: {runs:?}");
    };
    assert_eq!(before.end, before_mute);
    assert_eq!(*after, before_mute..sent.len());
    lasts_as_sent(&file, &sent[before.start..])?;
    probe::decode(&file)?;
    let manifest: Value = serde_json::from_str(&recorded.stdout)?;
    assert_eq!(manifest["sound"], Value::Null, "it was never decoded");
    let looked = &manifest["inspectors"][0];
    assert_eq!(looked["name"], "voice-activity");
    assert_eq!(looked["fatal_errors"], 0);
    let turns = turns(&file)?;
    let topics: Vec<&str> = turns.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(topics, ["speech-start", "speech-stop", "speech-start"]);
    let spoken = f64::from(u32::try_from(before.len())?) * 0.02;
    let again = spoken + seconds_between(&sent, before_mute)?;
    for ((topic, at), expected) in turns.iter().zip([0.0, spoken, again]) {
        assert!(
            (at - expected).abs() < 0.15,
            "{topic} at {at}, not {expected}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_gain_of_6_db_less_halves_the_level_of_what_is_recorded() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let settings = folder.path().join("gain.json");
    std::fs::write(&settings, json!({ "gain_db": -6.0206 }).to_string())?;
    let plugin = guests::rust("gain");
    let plugin = format!("{}={}", plugin.display(), settings.display());
    let take = Take::begin_with("gain", "opus.ogg", &["--filter", &plugin]).await?;

    take.send(200).await?;
    take.settle().await?;
    let (recorded, sent) = take.unpublish().await?;

    let file = recorded.only_file()?;
    let manifest: Value = serde_json::from_str(&recorded.stdout)?;
    let units = manifest["units"]["written"].as_u64().context("units")?;
    let heard = &sent[sent.len() - usize::try_from(units)?..];
    let before = Sound::of_packets(heard, 48_000, 2)?;
    let after: Vec<i16> = inspect::opusdec(&file)?.into_iter().flatten().collect();
    let ratio = rms(&after) / rms(&before.samples);
    assert!((ratio - 0.5).abs() < 0.02, "{ratio}");
    // What it sounds like is what was sent, and where it was.
    let after = Sound {
        samples: after,
        ..before
    };
    let middle = before.part(48_000..72_000);
    let found = after.find(&middle, 47_500..48_500);
    assert!(found.likeness > 0.98, "{found:?}");
    assert!(found.place.abs_diff(48_000) < 48, "{found:?}");
    lasts_as_sent(&file, heard)?;
    assert_eq!(manifest["sound"]["switches"]["count"], 0);
    Ok(())
}

/// Half of a plugin is told before the room is joined, with the file and the reason.
#[tokio::test]
async fn a_filter_whose_file_is_broken_is_named_and_nothing_is_joined() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let folder = TempDir::new()?;
    let path = folder.path().join("half.wasm");
    let whole = std::fs::read(guests::rust("gain"))?;
    std::fs::write(&path, &whole[..whole.len() / 2])?;
    let options = ["--all", "--filter", &path.display().to_string()];

    let recorded = Recorder::record(&livekit.server(), "broken", &options)?;
    let recorded = recorded.end().await?;

    assert_eq!(recorded.code, Some(2), "{}", recorded.stderr);
    for part in ["half.wasm", "cannot load the plugin"] {
        assert!(recorded.stderr.contains(part), "{}", recorded.stderr);
    }
    Ok(())
}

/// What the plugin said beside a file, and when it says that it was.
fn turns(file: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let path = format!("{}.events.jsonl", file.display());
    let text = std::fs::read_to_string(&path).context(path)?;
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line)?;
            let field = |path| event.pointer(path);
            let is_its = field("/plugin").is_some_and(|name| name == "voice-activity");
            ensure!(is_its, "{event}");
            let topic = field("/topic").and_then(Value::as_str);
            let at = field("/data/at_s").and_then(Value::as_f64);
            Ok((topic.context("a topic")?.to_owned(), at.context("a time")?))
        })
        .collect()
}

/// How long nothing was sent before a packet.
fn seconds_between(sent: &[SentPacket], index: usize) -> anyhow::Result<f64> {
    let pair = index
        .checked_sub(1)
        .and_then(|before| sent.get(before..=index));
    let Some([last, next]) = pair else {
        anyhow::bail!("{index} is not behind another packet");
    };
    Ok(next.at.duration_since(last.at)?.as_secs_f64())
}

fn rms(samples: &[i16]) -> f64 {
    let squares = samples.iter().map(|sample| f64::from(*sample).powi(2));
    let count = u32::try_from(samples.len()).expect("few");
    (squares.sum::<f64>() / f64::from(count)).sqrt()
}

/// Longer than the pause that ends speech.
const MUTE: Duration = Duration::from_millis(1_500);
