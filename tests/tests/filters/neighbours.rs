//! Whoever only passes packets on is not held up by a guest, whatever that does (D2): with media workers,
//! filter workers, sockets and the simulated room.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trackmill::clock;
use trackmill::filter::wasm::Opener;
use trackmill::filter::{
    self, Filter, FilterError, OnError, Open, Restart, Setup, Turn, Verdict, Workers,
};
use trackmill::media::{AudioBlock, AudioFormat, TrackKind};
use trackmill::pipeline::decoded::{Outlet, Sound};
use trackmill::pipeline::{Pipeline, Settings, Source};
use trackmill::plugins::Limits;
use trackmill::rtc::{Consumer, Interest, Notice};
use trackmill::rtp::{RtpPacket, SenderReport, StreamStatistics};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::Config;
use trackmill_tests::{deadline, listener, media};

use crate::plugins::{load, track};

#[tokio::test]
async fn a_track_that_passes_through_goes_on_while_a_guest_never_returns() -> anyhow::Result<()> {
    let server = SimulatedRoom::start(Config::default()).await?;
    let alice = server
        .publish(ROOM, "alice", media::track("opus.ogg")?)
        .await?;
    let mut room = listener::join(server.server(), ROOM).await?;
    listener::sees(&mut room, &[&alice.0]).await;
    let workers = Workers::start(NonZeroUsize::MIN, filter::worker::Settings::default())?;
    let calls = Arc::new(Calls::default());
    let looping = Decoding::new(Watched {
        opener: endless(),
        calls: Arc::clone(&calls),
    });

    room.subscribe(alice.0.as_str().into(), workers.host(Box::new(looping)))
        .await?;
    let ear = listener::follow(&mut room, &alice.0, Interest::Media).await?;
    deadline::found("the call of the guest", async || {
        (calls.begun.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    let before = ear.packets();
    deadline::found("a second of packets", async || {
        (ear.packets() >= before + 50).then_some(())
    })
    .await;

    // All of them came during one and the same call.
    assert_eq!(calls.ended.load(Ordering::Relaxed), 0);
    room.leave().await;
    tokio::task::spawn_blocking(move || drop(workers)).await?;
    assert_eq!(calls.ended.load(Ordering::Relaxed), 1);
    Ok(())
}

/// A plugin that is interrupted after three seconds of CPU time, and not before.
fn endless() -> Opener {
    let limits = Limits {
        call_deadline: Duration::from_secs(3),
        ..Limits::default()
    };
    Opener::new(load("loop_in_process"), String::new(), limits, track())
}

/// A plugin, and how often it is called.
#[derive(Debug)]
struct Watched<F> {
    opener: F,
    calls: Arc<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Open for Watched<Opener> {
    fn name(&self) -> &str {
        self.opener.name()
    }

    fn open(
        &mut self,
        format: AudioFormat,
        block: usize,
        now: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        Ok(Box::new(Watched {
            opener: self.opener.open(format, block, now)?,
            calls: Arc::clone(&self.calls),
        }))
    }
}

impl Filter for Watched<Box<dyn Filter>> {
    fn process(&mut self, block: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError> {
        self.calls.begun.fetch_add(1, Ordering::Relaxed);
        let verdict = self.opener.process(block, turn);
        self.calls.ended.fetch_add(1, Ordering::Relaxed);
        verdict
    }
}

/// Decodes a track for a filter that is not opened again.
#[derive(Debug)]
struct Decoding(Pipeline);

impl Decoding {
    fn new(filter: impl Open + 'static) -> Self {
        let sound = Sound {
            filters: vec![Setup {
                open: Box::new(filter),
                on_error: OnError::Bypass,
                restart: Restart {
                    max: 0,
                    ..Restart::default()
                },
                changes: None,
            }],
            ..Sound::new(Outlet::Nothing)
        };
        let source = Source {
            kind: TrackKind::Audio,
            room: ROOM.to_owned(),
            participant: "alice".to_owned(),
            track: "TR_1".to_owned(),
        };
        Self(Pipeline::decoding(
            source,
            Settings::default(),
            clock::wall_clock(),
            sound,
        ))
    }
}

impl Consumer for Decoding {
    fn packet(&mut self, packet: RtpPacket) {
        self.0.packet(packet);
        while self.0.poll_output().is_some() {}
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        if notice == Notice::Ended {
            self.0.finish(now);
        }
    }

    fn sender_report(&mut self, _: SenderReport) {}

    fn statistics(&mut self, _: StreamStatistics) {}

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

const ROOM: &str = "room";
