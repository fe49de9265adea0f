//! Plugins on sound that goes to a server: what it hears, and what it is told.

use serde_json::{Value, json};
use tempfile::TempDir;
use trackmill_tests::guests;
use trackmill_tests::sound::Sound;

use super::{Broadcast, heard_of, stereo};

/// The sound is what the filter makes of it, at its place, and what an inspector says comes with it.
#[tokio::test]
async fn a_server_hears_what_filters_make_and_is_told_what_plugins_say() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let settings = folder.path().join("gain.json");
    std::fs::write(&settings, json!({ "gain_db": -6.0206 }).to_string())?;
    let gain = format!("{}={}", guests::rust("gain").display(), settings.display());
    let voice = guests::rust("voice-activity").display().to_string();
    let options = ["--filter", &gain, "--inspect", &voice];
    let cast = Broadcast::begin("ws-plugins", &options).await?;

    cast.send(100).await?;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    let said: Vec<Value> = texts.iter().map(|text| text.json()).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (&said[0]["plugin"], &said[0]["topic"]),
        (&json!("voice-activity"), &json!("speech-start"))
    );
    let sound = stereo(&ended.receiver.heard(0)?);
    let sent = heard_of(&ended.sent, &sound)?;
    let reference = Sound::of_packets(sent, 48_000, 2)?;
    let window = 24_000..48_000;
    let found = sound.find(&reference.part(window.clone()), 23_990..24_010);
    assert_eq!(found.place, 24_000, "{found:?}");
    assert!(found.likeness > 0.98, "{found:?}");
    let ratio = rms(&sound.part(window.clone())) / rms(&reference.part(window));
    assert!((ratio - 0.5).abs() < 0.01, "{ratio}");
    let manifest = ended.manifest()?;
    assert_eq!(manifest["sound"]["filters"][0]["name"], "gain");
    assert_eq!(manifest["inspectors"][0]["name"], "voice-activity");
    Ok(())
}

fn rms(sound: &Sound) -> f64 {
    let squares = sound
        .samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2));
    let count = u32::try_from(sound.samples.len()).expect("few");
    (squares.sum::<f64>() / f64::from(count)).sqrt()
}
