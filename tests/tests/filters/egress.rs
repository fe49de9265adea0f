//! Recordings with plugins, from packets to files on the disk.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use trackmill::clock;
use trackmill::egress::manifest::Manifest;
use trackmill::egress::{Disk, Egress, Ending, Outcome, Plan, Status, Track};
use trackmill::filter::worker::{Settings, Workers};
use trackmill::filter::{OnError, Setup};
use trackmill::media::TrackKind;
use trackmill::rtc::{Consumer, Notice};
use trackmill::rtp::RtpPacket;
use trackmill::signal::Publication;
use trackmill_tests::passthrough::opus_packets;

use super::filter;
use crate::manifest::track;
use crate::pipeline::sender::Sender;

/// D5: the file is as it came, and what inspectors said and did is beside it, also what they say when
/// the recording is over already.
#[tokio::test]
async fn d5_inspectors_leave_the_file_as_it_came_and_have_their_say() -> anyhow::Result<()> {
    let stage = Stage::new()?;
    let inspectors = vec![
        filter("watcher"),
        filter("epilogue"),
        filter("panic_in_inspect"),
    ];
    let egress = Egress::new(stage.plan()?, &stage.workers, clock::wall_clock());
    let egress = egress.inspected(inspectors, &stage.workers, clock::wall_clock());
    let packets = Sender::new(clock::now()).send(40);
    let Egress {
        consumer,
        sink,
        inspectors,
        ..
    } = egress;
    let written = stage.disk.handle().spawn(sink.run());

    // The recorder is long gone when the inspectors begin.
    play(consumer, &packets);
    for inspector in inspectors {
        play(inspector, &packets);
    }
    let (path, manifest, events) = publish(written.await?)?;

    let sent: Vec<_> = packets
        .iter()
        .map(|packet| packet.payload.to_vec())
        .collect();
    assert_eq!(opus_packets(&path)?, sent);
    assert!(manifest.sound.is_none(), "nobody touched it");
    let said = |topic: &str| {
        events
            .iter()
            .filter(|event| event["topic"] == topic)
            .count()
    };
    assert_eq!(said("guest"), 40 + 1);
    let mut did: Vec<_> = manifest
        .inspectors
        .iter()
        .map(|inspector| {
            let filter = &inspector.filter;
            (filter.passed, filter.fatal_errors, inspector.switches.count)
        })
        .collect();
    did.sort_unstable();
    assert_eq!(did, [(0, 4, 7), (40, 0, 0), (40, 0, 0)]);
    Ok(())
}

/// A filter that may end a track does so, and what came until then is a whole file.
#[tokio::test]
async fn a_track_that_a_filter_ended_is_whole_and_says_why() -> anyhow::Result<()> {
    for (on_error, fails) in [(OnError::StopTrack, false), (OnError::FailEgress, true)] {
        let stage = Stage::new()?;
        let plan = Plan {
            filters: vec![Setup {
                on_error,
                ..filter("panic_once")
            }],
            ..stage.plan()?
        };
        let egress = Egress::new(plan, &stage.workers, clock::wall_clock());
        let packets = Sender::new(clock::now()).send(100);
        let Egress { consumer, sink, .. } = egress;

        play(consumer, &packets);
        let outcome = stage.disk.handle().spawn(sink.run()).await?;

        let reason = "trap in `process`";
        let failure = outcome.failure.as_ref().map(ToString::to_string);
        assert_eq!(
            failure.is_some_and(|failure| failure.contains(reason)),
            fails
        );
        let ended = outcome.ending.as_ref();
        assert_eq!(ended.is_some_and(|end| end.reason.contains(reason)), !fails);
        let (_, manifest, _) = publish(outcome)?;
        assert_eq!(manifest.duration.as_millis(), 26 * 20);
    }
    Ok(())
}

/// Where recordings are made.
struct Stage {
    folder: TempDir,
    disk: Disk,
    workers: Workers,
}

impl Stage {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
            disk: Disk::start()?,
            workers: Workers::start(NonZeroUsize::MIN, Settings::default())?,
        })
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let output = self.folder.path().join("take").display().to_string();
        let audio = Publication {
            kind: TrackKind::Audio,
            ..track().publication
        };
        let track = Track {
            publication: audio,
            ..track()
        };
        Ok(Plan::untouched(track, output.parse()?))
    }
}

/// Hands a consumer all packets of its track.
fn play(mut consumer: Box<dyn Consumer>, packets: &[RtpPacket]) {
    for packet in packets {
        consumer.packet(packet.clone());
    }
    consumer.notice(Notice::Ended, clock::now());
}

/// The only file with its manifest and the events beside it.
fn publish(outcome: Outcome) -> anyhow::Result<(PathBuf, Manifest, Vec<Value>)> {
    let [file] = &outcome.files[..] else {
        anyhow::bail!("not one file: {outcome:?}");
    };
    let manifest = file
        .clone()
        .publish(&Ending::new(Status::Complete, "the test is over"))?;
    let events = format!("{}.events.jsonl", file.path.display());
    let events = std::fs::read_to_string(events)?;
    let events = events
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    Ok((file.path.clone(), manifest, events))
}
