//! What plugins can do to a recording: what they are asked for, and nothing else when they fail.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;
use trackmill::plugins::Digest;
use trackmill_room::simulation::Config;
use trackmill_tests::sound::Sound;
use trackmill_tests::{bleeps, guest, guests, inspect, media};

use super::stage::{ROOM, Stage};
use super::take::{Take, only_take};

/// D5: the file is as the track was, and what inspectors said and did is beside it.
#[tokio::test]
async fn d5_a_track_that_is_looked_at_is_recorded_as_it_was_sent() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let (watcher, dies) = (guests.write("watcher")?, guests.write("panic_in_inspect")?);
    let options = ["--track", &stage.sid.0, "--inspect", &watcher];
    let options = [&options[..], &["--inspect", &dies]].concat();

    let mut recorder = stage.record(&options)?;
    recorder.says("A filter does not work").await?;
    recorder.writes(1).await;
    stage.sends(100).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    take.holds_all_sound(&stage.room.sent(&stage.sid).await?)?;
    let manifest = &take.manifest;
    assert!(manifest.sound.is_none(), "{manifest:?}");
    let frames = manifest.units.written;
    let [watched, died] = &manifest.inspectors[..] else {
        panic!("two have looked: {manifest:?}");
    };
    assert_eq!(watched.filter.passed, frames);
    assert_eq!(watched.filter.plugins[0].frames, frames);
    assert_eq!(died.filter.fatal_errors, died.filter.restarts + 1);
    assert_eq!(died.filter.missed, frames);
    let said = events(&take)?;
    let said = said.iter().filter(|event| event["event"] == "plugin");
    let unsaid = watched.filter.plugins[0].dropped.events_full;
    assert_eq!(said.count() as u64 + unsaid, frames);
    Ok(())
}

#[tokio::test]
async fn what_a_filter_makes_of_a_track_is_recorded() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let gain = guests.write("gain")?;

    let recorder = stage.record(&["--track", &stage.sid.0, "--filter", &gain])?;
    recorder.writes(1).await;
    stage.sends(100).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sent = stage.room.sent(&stage.sid).await?;
    let heard = &sent[sent.len() - usize::try_from(take.manifest.units.written)?..];
    let before = Sound::of_packets(heard, 48_000, 2)?;
    let after: Vec<i16> = inspect::opusdec(&take.path)?
        .into_iter()
        .flatten()
        .collect();
    let ratio = rms(&after) / rms(&before.samples);
    assert!((ratio - 0.5).abs() < 0.03, "{ratio}");
    let sound = take.manifest.sound.as_ref().context("it was decoded")?;
    let filter = &sound.filters[0];
    let missing = take.manifest.units.written.abs_diff(filter.changed);
    assert!(missing <= 1, "{filter:?}");
    let digest = Digest::of(&guest::component("gain")?);
    assert_eq!(filter.plugins[0].digest, format!("sha256:{digest}"));
    Ok(())
}

#[tokio::test]
async fn a_filter_that_fails_does_what_the_user_wants_then() -> anyhow::Result<()> {
    for (policy, change) in [
        ("bypass", "bypassed"),
        ("silence", "silenced"),
        ("stop-track", "stopped_track"),
        ("fail-egress", "failed_egress"),
    ] {
        let stage = Stage::with("opus.ogg").await?;
        let guests = Guests::new()?;
        let dies = guests.write("panic_once")?;
        let options = [
            "--track",
            &stage.sid.0,
            "--filter",
            &dies,
            "--on-error",
            policy,
        ];

        let recorder = stage.record(&options)?;
        let ends_by_itself = ["stop-track", "fail-egress"].contains(&policy);
        let recorded = if ends_by_itself {
            recorder.end().await?
        } else {
            recorder.writes(1).await;
            stage.sends(50).await?;
            stage.end(recorder).await?
        };

        let code = i32::from(policy == "fail-egress");
        assert_eq!(recorded.code, Some(code), "{policy}: {}", recorded.stderr);
        let fails = recorded
            .stderr
            .contains("error: the filter failed: trap in `process`");
        assert_eq!(fails, policy == "fail-egress", "{}", recorded.stderr);
        let manifest = manifest(&recorded)?;
        let sound = &manifest["sound"];
        assert_eq!(sound["switches"]["first"][0]["change"], change);
        if ends_by_itself {
            assert_eq!(manifest["duration_ns"], 26 * 20_000_000);
            let reason = manifest["reason"].as_str().context("a reason")?;
            assert!(reason.contains("trap in `process`"), "{reason}");
        } else {
            assert_eq!(sound["filters"][0]["restarts"], 1, "{manifest}");
        }
    }
    Ok(())
}

/// What a plugin says for those who operate it is a value of the log, with whose words they are.
#[tokio::test]
async fn what_a_plugin_logs_is_in_the_log_with_its_name_and_its_track() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let speaker = guests.write("speaker")?;
    let options = ["--track", &stage.sid.0, "--inspect", &speaker];
    let refused = stage.record(&options)?.end().await?;
    assert!(refused.stderr.contains("'--filter'"), "{}", refused.stderr);
    let options = ["--track", &stage.sid.0, "--filter", &speaker];
    let options = [&options[..], &["--log", "warn,trackmill::plugin=info"]].concat();

    let mut recorder = stage.record(&options)?;
    recorder.says("A plugin says").await?;
    recorder.writes(1).await;
    let recorded = stage.end(recorder).await?;

    let line = recorded
        .stderr
        .lines()
        .find(|line| line.contains("A plugin says"));
    let line = line.context("it was heard")?;
    let track = format!("track=\"{}\"", stage.sid.0);
    for part in [
        "trackmill::plugin",
        "plugin=\"guest\"",
        &track,
        "line=\"guest\"",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    Ok(())
}

/// A file that changes is taken up by tracks that run, one that is broken is not, and none is lost.
#[tokio::test]
async fn tracks_go_on_with_what_is_in_files_that_change() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let path = guests.write("gain")?;
    let options = [
        "--track",
        &stage.sid.0,
        "--filter",
        &path,
        "--watch-plugins",
    ];

    let mut recorder = stage.record(&options)?;
    recorder.writes(1).await;
    std::fs::write(&path, "no plugin")?;
    recorder.says("tracks go on without that").await?;
    std::fs::write(&path, guest::component("watcher")?)?;
    recorder.says("give it to '--inspect'").await?;
    std::fs::write(&path, guest::component("meta")?)?;
    recorder.says("has changed: tracks go on with it").await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sound = take.manifest.sound.as_ref().context("it was decoded")?;
    let changes: Vec<_> = sound.switches.first.iter().map(|it| &*it.change).collect();
    assert_eq!(changes, ["replaced"]);
    let filter = &sound.filters[0];
    let digests: Vec<_> = filter.plugins.iter().map(|it| it.digest.clone()).collect();
    let expected = ["gain", "meta"].map(|name| {
        let component = guest::component(name).expect("a guest");
        format!("sha256:{}", Digest::of(&component))
    });
    assert_eq!(digests, expected);
    assert!(filter.changed > 50 && filter.passed > 25, "{filter:?}");
    let frames = filter.changed + filter.passed;
    let missing = take.manifest.units.written.abs_diff(frames);
    assert!(missing <= 1, "{filter:?}");
    Ok(())
}

/// Settings that change open the same plugin anew; those that are none do not.
#[tokio::test]
async fn tracks_go_on_with_settings_that_change() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let settings = guests.0.path().join("settings.json");
    std::fs::write(&settings, "{}")?;
    let plugin = format!("{}={}", guests.write("gain")?, settings.display());
    let options = [
        "--track",
        &stage.sid.0,
        "--filter",
        &plugin,
        "--watch-plugins",
    ];

    let mut recorder = stage.record(&options)?;
    recorder.writes(1).await;
    std::fs::write(&settings, "{")?;
    recorder.says("not JSON").await?;
    std::fs::write(&settings, r#"{"level": 1}"#)?;
    recorder.says("has changed: tracks go on with it").await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sound = take.manifest.sound.as_ref().context("it was decoded")?;
    let changes: Vec<_> = sound.switches.first.iter().map(|it| &*it.change).collect();
    assert_eq!(changes, ["replaced"]);
    assert_eq!(sound.filters[0].plugins.len(), 1);
    assert_eq!(sound.filters[0].passed, 0);
    Ok(())
}

/// A plugin that dies four times a minute after its file has changed gives way to the one before.
#[tokio::test]
async fn a_change_for_the_worse_is_rolled_back() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let path = guests.write("gain")?;
    let options = [
        "--track",
        &stage.sid.0,
        "--filter",
        &path,
        "--watch-plugins",
    ];

    let mut recorder = stage.record(&options)?;
    recorder.writes(1).await;
    std::fs::write(&path, guest::component("panic_in_process")?)?;
    recorder.says("rolled_back").await?;
    stage.sends(50).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let sound = take.manifest.sound.as_ref().context("it was decoded")?;
    let changes = &sound.switches.first;
    let last = changes.last().context("changes")?;
    assert_eq!(last.change, "rolled_back", "{changes:?}");
    assert!(sound.filters[0].changed > 100, "{:?}", sound.filters);
    Ok(())
}

#[tokio::test]
async fn pictures_go_by_filters_and_the_user_is_told() -> anyhow::Result<()> {
    let stage = Stage::playing(Config::default(), media::track("vp8.ivf")?).await?;
    let guests = Guests::new()?;
    let gain = guests.write("gain")?;

    let mut recorder = stage.record(&["--track", &stage.sid.0, "--filter", &gain])?;
    recorder.says("pictures are recorded as they come").await?;
    recorder.writes(1).await;
    stage.sends(100).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    take.holds_all_pictures(&stage.room.sent(&stage.sid).await?)?;
    assert!(take.manifest.sound.is_none());
    Ok(())
}

/// P10: of pictures a plugin that looks hears all that happens beside them, in order; they are as they
/// were. One that is not for pictures is not opened.
#[tokio::test]
async fn p10_an_inspector_of_pictures_hears_what_happens_beside_them() -> anyhow::Result<()> {
    let stage = Stage::playing(Config::default(), media::track("vp8.ivf")?).await?;
    let guests = Guests::new()?;
    let (witness, deaf) = (guests.write("witness")?, guests.write("watcher")?);
    let options = ["--track", &stage.sid.0, "--inspect", &witness];
    let options = [&options[..], &["--inspect", &deaf]].concat();

    let recorder = stage.record(&options)?;
    recorder.writes(1).await;
    stage.say("host", "hello", b"").await?;
    stage.sends(30).await?;
    stage.room.mute(&stage.sid).await?;
    stage.room.unmute(&stage.sid).await?;
    let language = BTreeMap::from([("language".to_owned(), "de".to_owned())]);
    let set = stage
        .room
        .with(move |room, _| room.set_attributes(ROOM, "alice", language));
    set.await??;
    stage.sends(30).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    // Behind the mute they begin with a keyframe.
    take.ends_with_pictures(&stage.room.sent(&stage.sid).await?, 5)?;
    let events = events(&take)?;
    let said = events.iter().filter(|event| event["event"] == "plugin");
    let said: Vec<_> = said.map(|event| event["data"].to_string()).collect();
    // The numbers of `published`, `message`, `muted`, `unmuted`, `attributes-changed`, `unpublished`.
    assert_eq!(said, ["0", "6", "1", "2", "4", "7", "\"e\""], "{events:?}");
    let places: Vec<_> = events.iter().map(|event| event["at_us"].as_u64()).collect();
    assert!(places.is_sorted(), "{places:?}");
    let inspectors = &take.manifest.inspectors;
    assert_eq!(inspectors.len(), 1, "{inspectors:?}");
    assert_eq!(inspectors[0].filter.fatal_errors, 0);
    Ok(())
}

/// A data message of the room changes what is recorded, as the example promises, and nobody else's does.
#[tokio::test]
async fn a_span_that_a_message_names_is_not_to_be_heard() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let guests = Guests::new()?;
    let filter = guests.redact()?;

    let recorder = stage.record(&["--track", &stage.sid.0, "--filter", &filter])?;
    recorder.writes(1).await;
    stage
        .say("host", "redact", br#"{"from_s": 4.0, "to_s": 5.0}"#)
        .await?;
    stage
        .say("mallory", "redact", br#"{"from_s": 5.2, "to_s": 6.0}"#)
        .await?;
    stage.sends(325).await?;
    let recorded = stage.end(recorder).await?;

    let take = only_take(&recorded)?;
    let heard = bleeps::heard(&take.path)?;
    let redacted = bleeps::bleeps(&heard, 4_050..4_950)?;
    assert!(redacted.iter().all(|tenth| *tenth), "{redacted:?}");
    for untouched in [1_000..3_900, 5_100..6_000] {
        let tenths = bleeps::bleeps(&heard, untouched)?;
        assert!(tenths.iter().all(|tenth| !tenth), "{tenths:?}");
    }
    let events = events(&take)?;
    let messages: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "message")
        .collect();
    // The plugin took one of them away.
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(
        (&message["sender"], &message["topic"]),
        (&"mallory".into(), &"redact".into())
    );
    Ok(())
}

/// Plugins as files.
struct Guests(TempDir);

impl Guests {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    /// The example that bleeps what the host wants, with its settings.
    fn redact(&self) -> anyhow::Result<String> {
        let settings = self.0.path().join("redact.json");
        std::fs::write(&settings, r#"{"from": "host"}"#)?;
        let plugin = guests::rust("redact");
        Ok(format!("{}={}", plugin.display(), settings.display()))
    }

    /// A guest of `tests/guests`.
    fn write(&self, name: &str) -> anyhow::Result<String> {
        let path = self.0.path().join(name).with_extension("wasm");
        std::fs::write(&path, guest::component(name)?)?;
        Ok(path.display().to_string())
    }
}

/// What lies beside a file of what happened.
fn events(take: &Take) -> anyhow::Result<Vec<Value>> {
    let path = format!("{}.events.jsonl", take.path.display());
    let text = std::fs::read_to_string(&path).context(path)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

/// The only manifest in the folder, however the recording ended.
fn manifest(recorded: &trackmill_tests::recorder::Recorded) -> anyhow::Result<Value> {
    let entries = std::fs::read_dir(recorded.folder())?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<PathBuf>, _>>()?;
    let mut manifests = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "json"));
    let path = manifests.next().context("a manifest")?;
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn rms(samples: &[i16]) -> f64 {
    let squares = samples.iter().map(|sample| f64::from(*sample).powi(2));
    let count = u32::try_from(samples.len()).expect("few");
    (squares.sum::<f64>() / f64::from(count)).sqrt()
}
