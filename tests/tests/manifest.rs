//! What a manifest looks like to those who read it.

use std::sync::Arc;
use std::time::Duration;

use trackmill::egress::manifest::{
    Delays, Delivery, Dropped, Inspector, Manifest, Moment, Subject,
};
use trackmill::egress::{EgressId, Ending, Inspection, Status, Track};
use trackmill::filter::{Account, Change, Counts, Report, Switch};
use trackmill::media::{AudioFormat, Codec, NtpTimestamp, Pts, TrackKind, TrackSource};
use trackmill::mux::Container;
use trackmill::pipeline::{
    Cause, Gap, Jitter, Listed, Seam, SeamReason, Size, Sounds, Span, Summary, Units,
};
use trackmill::plugins::{Digest, Metric, OutputDrops, Statistics, Times};
use trackmill::rtp::timeline::{Anchor, AnchorOrigin};
use trackmill::rtp::{Restart, RestartCause};
use trackmill::signal::{ParticipantKind, Publication, Publisher, Room};
use trackmill_tests::golden;

#[test]
fn a_manifest_is_as_documented_and_is_read_back() {
    let ending = Ending::new(Status::Complete, "the track was unpublished");
    let manifest = draft().holding(&summary(), 4_812_345).ended(
        &ending,
        moment(60_123_456_789),
        "alice-2.mp4",
    );

    let text = manifest.to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
    golden::check("manifest.json", &text);
}

#[test]
fn a_draft_is_as_documented_and_is_read_back() {
    let text = draft().to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), draft());
    golden::check("manifest-draft.json", &text);
}

#[test]
fn a_manifest_of_sound_that_went_through_plugins_is_as_documented_and_is_read_back() {
    let ending = Ending::new(Status::Complete, "the track was unpublished");
    let summary = Summary {
        codec: Codec::Opus,
        sound: Some(sound()),
        ..summary()
    };
    let mut manifest = draft_of(Codec::Opus, Container::Ogg, "alice.ogg")
        .holding(&summary, 4_812)
        .ended(&ending, moment(1), "alice.ogg");
    manifest.inspectors.push(Inspector::new(&inspection()));

    let text = manifest.to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
    golden::check("manifest-sound.json", &text);
}

#[test]
fn a_manifest_of_a_stream_is_as_documented_and_is_read_back() {
    let ending = Ending::new(
        Status::Complete,
        "the server closed the connection (enough)",
    );
    let summary = Summary {
        codec: Codec::Opus,
        container: None,
        ..summary()
    };
    let subject = Subject {
        egress_id: "EG_x".into(),
        ..Subject::streamed(&EgressId::random(), &track(), Some(Codec::Opus))
    };
    let manifest = Manifest {
        software: "trackmill 0.1.0".into(),
        ..Manifest::draft(subject, "", moment(0))
    };
    let manifest = manifest
        .holding(&summary, 9_600_000)
        .delivered(delivery())
        .ended(&ending, moment(60_123_456_789), "");

    let text = manifest.to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
    golden::check("manifest-stream.json", &text);
}

fn delivery() -> Delivery {
    let ms = Duration::from_millis;
    Delivery {
        url: "wss://stt.example.com/listen?token={...}".into(),
        format: "pcm_s16le".into(),
        sample_rate: 48_000,
        channels: Some(2),
        frame_ms: Some(20),
        audio_messages: 2_500,
        text_messages: 4,
        sent: ms(50_000),
        dropped: Dropped {
            slow_server: ms(3_400),
            disconnected: ms(1_200),
            unsent: ms(20),
            oversize: 1,
            texts: 2,
        },
        unconfirmed: ms(140),
        connections: 3,
        delay: Delays {
            p50: ms(1),
            p99: ms(6),
            max: ms(980),
        },
    }
}

fn draft() -> Manifest {
    draft_of(Codec::H264, Container::Mp4, "alice.mp4")
}

fn draft_of(codec: Codec, container: Container, file: &str) -> Manifest {
    let subject = Subject::new(&EgressId::random(), &track(), codec, container);
    let subject = Subject {
        egress_id: "EG_x".into(),
        ..subject
    };
    Manifest {
        software: "trackmill 0.1.0".into(),
        ..Manifest::draft(subject, file, moment(0))
    }
}

pub(crate) fn track() -> Track {
    Track {
        room: Room {
            sid: "RM_x".into(),
            name: "stand-up".into(),
        },
        publication: Publication {
            sid: "TR_VCx".into(),
            name: "camera".into(),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            codec: Some(Codec::H264),
            is_muted: false,
            width: 1280,
            height: 720,
            is_encrypted: false,
            publisher: Arc::new(Publisher {
                identity: "alice".into(),
                sid: "PA_x".into(),
                name: "Alice".into(),
                kind: ParticipantKind::Standard,
                attributes: Arc::default(),
            }),
        },
    }
}

fn summary() -> Summary {
    Summary {
        codec: Codec::H264,
        container: Some(Container::Mp4),
        started_at: Some(Anchor {
            ntp: NtpTimestamp((3_997_180_000 << 32) | (1 << 31)),
            origin: AnchorOrigin::SenderReport,
        }),
        duration: Duration::from_millis(60_100),
        bytes: 4_800_000,
        units: Units {
            written: 1_800,
            keyframes: 9,
            damaged: 2,
            before_keyframe: 3,
            after_loss: 4,
            sink_full: 5,
            refused: 6,
            skipped: 8,
        },
        received: 12_034,
        lost: 2,
        recovered: 14,
        late: 1,
        duplicates: 3,
        injected: 6,
        malformed: 7,
        jitter: Some(Jitter {
            last: Duration::from_micros(1_250),
            peak: Duration::from_millis(31),
        }),
        gaps: list([Gap {
            at: seconds(30),
            duration: Duration::from_millis(66),
            packets: 2,
            cause: Cause::Network,
        }]),
        mutes: list([Span {
            from: seconds(10),
            to: seconds(15),
        }]),
        seams: list(seams()),
        sizes: list(
            [(0, 320, 180), (1, 1280, 720)].map(|(at, width, height)| Size {
                at: seconds(at),
                width,
                height,
            }),
        ),
        drift_ppm: Some(-11.5),
        overrun: 0,
        sound: None,
    }
}

fn sound() -> Sounds {
    Sounds {
        format: Some(AudioFormat::OPUS),
        decoded: 47_040,
        concealed: 960,
        filters: vec![Account {
            filter: "gain".into(),
            counts: Counts {
                changed: 49,
                missed: 1,
                fatal: 1,
                restarts: 1,
                ..Counts::default()
            },
            plugins: vec![plugin()],
        }],
        switches: list([Switch {
            filter: "gain".into(),
            pts: Pts(24_000),
            change: Change::Bypassed,
            reason: "the filter failed: trap in `process`".into(),
        }]),
        ..Sounds::default()
    }
}

fn inspection() -> Inspection {
    Inspection {
        account: Account {
            filter: "loudness".into(),
            ..Account::default()
        },
        overrun: 8,
        events_dropped: 9,
        messages_dropped: 10,
        ..Inspection::default()
    }
}

fn plugin() -> Report {
    let mut frames = Times::default();
    (0..50).for_each(|micros| frames.add(Duration::from_micros(2 + micros)));
    let histogram = Metric::Histogram {
        count: 2,
        sum: -30.5,
        min: -20.5,
        max: -10.0,
    };
    let metrics = [
        ("frames", Metric::Counter(49)),
        ("level_db", histogram),
        ("noise_db", Metric::Gauge(-52.25)),
    ];
    Report {
        digest: Digest::of(b"gain"),
        version: "0.1.0".into(),
        statistics: Statistics {
            frames,
            fuel: 0,
            total: Duration::from_micros(1_234),
            skipped: 1,
            messages_skipped: 11,
            late: 2,
            bad_outputs: 3,
            memory: 1_114_112,
            drops: OutputDrops {
                logs: 4,
                events_full: 5,
                events_too_large: 6,
                metrics: 7,
            },
        },
        metrics: metrics.map(|(name, metric)| (name.into(), metric)).into(),
    }
}

fn seams() -> [Seam; 2] {
    [
        Seam {
            at: seconds(20),
            reason: SeamReason::ClockJump,
        },
        Seam {
            at: seconds(45),
            reason: SeamReason::Restart(Restart {
                track: "TR_VCy".into(),
                cause: RestartCause::Republished,
            }),
        },
    ]
}

fn moment(nanos: u64) -> Moment {
    Moment {
        unix_nanos: 1_788_191_123_000_000_000 + nanos,
    }
}

const fn seconds(seconds: u64) -> Pts {
    Pts(seconds * 90_000)
}

fn list<T>(first: impl Into<Vec<T>>) -> Listed<T> {
    let first = first.into();
    Listed {
        count: first.len() as u64,
        first,
    }
}
