//! What a manifest looks like to those who read it.

use std::sync::Arc;
use std::time::Duration;

use trackmill::egress::manifest::{Manifest, Moment, Subject};
use trackmill::egress::{EgressId, Ending, Status, Track};
use trackmill::media::{Codec, NtpTimestamp, Pts, TrackKind, TrackSource};
use trackmill::mux::Container;
use trackmill::pipeline::{
    Cause, Gap, Jitter, Listed, Seam, SeamReason, Size, Span, Summary, Units,
};
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

fn draft() -> Manifest {
    let subject = Subject::new(&EgressId::random(), &track(), Codec::H264, Container::Mp4);
    let subject = Subject {
        egress_id: "EG_x".into(),
        ..subject
    };
    Manifest {
        software: "trackmill 0.1.0".into(),
        ..Manifest::draft(subject, "alice.mp4", moment(0))
    }
}

fn track() -> Track {
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
