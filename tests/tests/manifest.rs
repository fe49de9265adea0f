//! What a manifest looks like to those who read it.

use std::time::Duration;

use trackmill::egress::manifest::{
    Anchor, AnchorOrigin, Bounded, Gap, GapCause, Manifest, Moment, Packets, PublishedTrack, Seam,
    SeamReason, Size, Span, Status, Subject,
};
use trackmill::media::{Codec, TrackSource};
use trackmill_tests::golden;

#[test]
fn a_manifest_is_as_documented_and_is_read_back() {
    let manifest = complete();

    let text = manifest.to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), manifest);
    golden::check("manifest.json", &text);
}

#[test]
fn a_draft_is_as_documented_and_is_read_back() {
    let draft = draft();

    let text = draft.to_json();

    assert_eq!(Manifest::from_json(text.as_bytes()).unwrap(), draft);
    golden::check("manifest-draft.json", &text);
}

fn complete() -> Manifest {
    Manifest {
        bytes: 4_812_345,
        ended_at: Some(moment(60_123_456_789)),
        duration: Duration::from_nanos(60_123_456_789),
        media_duration: Duration::from_nanos(60_100_000_000),
        anchor: Some(Anchor {
            at: moment(12_000_000),
            origin: AnchorOrigin::SenderReport,
        }),
        packets: Packets {
            received: 12_034,
            lost: 2,
            late: 1,
            duplicate: 3,
            recovered: 40,
            injected: 6,
        },
        keyframes: 9,
        drift_ppm: Some(-11.5),
        jitter: Duration::from_micros(1_830),
        sizes: list(
            [(0, 320, 180), (1_000, 1280, 720)].map(|(at, width, height)| Size {
                at: Duration::from_millis(at),
                width,
                height,
            }),
        ),
        mutes: list([span(10_000, 15_000)]),
        gaps: list([Gap {
            at: Duration::from_secs(30),
            duration: Duration::from_millis(240),
            cause: GapCause::Loss,
        }]),
        damaged: list([span(30_240, 31_000)]),
        seams: list([Seam {
            at: Duration::from_secs(45),
            reason: SeamReason::Republished,
            track_id: "TR_VCx2".into(),
        }]),
        ..draft().ended(Status::Complete, "the track was unpublished")
    }
}

fn draft() -> Manifest {
    Manifest {
        software: "trackmill 0.1.0".into(),
        ..Manifest::draft(subject(), "alice.mp4", moment(0))
    }
}

fn subject() -> Subject {
    let track = PublishedTrack {
        sid: &"TR_VCx1".into(),
        publisher: &"alice".into(),
        publisher_sid: &"PA_x".into(),
        source: TrackSource::Camera,
        codec: Codec::H264,
    };
    Subject::new("EG_x", (&"stand-up".into(), &"RM_x".into()), &track)
}

fn moment(nanos: u64) -> Moment {
    Moment {
        unix_nanos: 1_788_191_123_000_000_000 + nanos,
    }
}

fn span(from: u64, to: u64) -> Span {
    Span {
        from: Duration::from_millis(from),
        to: Duration::from_millis(to),
    }
}

fn list<T>(items: impl IntoIterator<Item = T>) -> Bounded<T> {
    let mut list = Bounded::default();
    list.extend(items);
    list
}
