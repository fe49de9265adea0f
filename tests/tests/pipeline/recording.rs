//! A pipeline with a clock, a sink, and somebody who watches both.

use std::time::{Duration, Instant};

use trackmill::media::{NtpTimestamp, TrackKind};
use trackmill::pipeline::decoded::{OnMute, Sound};
use trackmill::pipeline::{Output, Pipeline, Settings, Source, Start, Summary};
use trackmill::rtp::RtpPacket;
use trackmill::rtp::timeline::WallClock;
use trackmill_tests::file::Growing;

/// A pipeline whose timers fire in time and whose outputs are carried out at once.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) pipeline: Pipeline,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) files: Vec<File>,
    /// When a keyframe was asked for, since the start.
    pub(super) keyframe_requests: Vec<Duration>,
    /// What came out beside files, in order.
    pub(super) other: Vec<Output>,
    /// Nobody takes what the pipeline hands out.
    pub(super) sink_is_stuck: bool,
}

/// A file that a pipeline wrote.
#[derive(Debug)]
pub(super) struct File {
    pub(super) start: Start,
    pub(super) bytes: Growing,
    /// `None` until it is finished.
    pub(super) summary: Option<Summary>,
}

impl Recording {
    pub(super) fn new(kind: TrackKind) -> Self {
        Self::with(kind, Settings::default())
    }

    pub(super) fn with(kind: TrackKind, settings: Settings) -> Self {
        Self::of(kind, |source, wall| Pipeline::new(source, settings, wall))
    }

    /// Of sound that is decoded.
    pub(super) fn decoding(sound: Sound) -> Self {
        Self::of(TrackKind::Audio, |source, wall| {
            Pipeline::decoding(source, Settings::default(), wall, sound)
        })
    }

    /// Of Opus packets that are messages.
    pub(super) fn of_packets(on_mute: OnMute) -> Self {
        Self::of(TrackKind::Audio, |source, wall| {
            Pipeline::packets(source, Settings::default(), wall, on_mute)
        })
    }

    #[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
    fn of(kind: TrackKind, pipeline: impl FnOnce(Source, WallClock) -> Pipeline) -> Self {
        let start = Instant::now();
        let source = Source {
            kind,
            room: "küche".to_owned(),
            participant: "alice".to_owned(),
            track: "TR_AMx4".to_owned(),
        };
        let wall = WallClock {
            instant: start,
            ntp: WALL,
        };
        Self {
            pipeline: pipeline(source, wall),
            start,
            now: start,
            files: Vec::new(),
            keyframe_requests: Vec::new(),
            other: Vec::new(),
            sink_is_stuck: false,
        }
    }

    /// Takes a packet at its arrival.
    pub(super) fn packet(&mut self, packet: RtpPacket) {
        self.advance_to(packet.arrival);
        self.pipeline.packet(packet);
        self.settle();
    }

    pub(super) fn packets(&mut self, packets: impl IntoIterator<Item = RtpPacket>) {
        packets.into_iter().for_each(|packet| self.packet(packet));
    }

    /// Lets time pass, with whatever is due until then.
    pub(super) fn advance_to(&mut self, now: Instant) {
        assert!(now >= self.now, "time goes on");
        let mut idle = 0;
        while let Some(due) = self.pipeline.poll_timeout().filter(|due| *due <= now) {
            idle = if due > self.now { 0 } else { idle + 1 };
            assert!(idle < 3, "a timer that is not reset");
            self.now = self.now.max(due);
            self.pipeline.handle_timeout(self.now);
            self.settle();
        }
        self.now = now;
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        self.advance_to(self.now + duration);
    }

    pub(super) fn mute(&mut self) {
        self.pipeline.mute(self.now);
    }

    pub(super) fn unmute(&mut self) {
        self.pipeline.unmute(self.now);
    }

    /// Ends the track here and hands out what is not a file.
    pub(super) fn finish_other(mut self) -> Vec<Output> {
        self.pipeline.finish(self.now);
        self.settle();
        assert_eq!(self.pipeline.poll_timeout(), None);
        self.other
    }

    /// Ends the track here and hands out its files.
    pub(super) fn finish(mut self) -> Vec<File> {
        self.pipeline.finish(self.now);
        self.sink_is_stuck = false;
        self.settle();
        assert_eq!(self.pipeline.poll_timeout(), None);
        self.files
    }

    /// Ends the track here and hands out its only file and what is said of it.
    pub(super) fn finish_one(self) -> (File, Summary) {
        let mut files = self.finish();
        assert_eq!(files.len(), 1);
        let file = files.remove(0);
        let summary = file.summary.clone().expect("it is finished");
        (file, summary)
    }

    /// Takes all that is handed out, and how much it is.
    pub(super) fn drain(&mut self) -> usize {
        let mut taken = 0;
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Start(start) => self.files.push(File {
                    start,
                    bytes: Growing::default(),
                    summary: None,
                }),
                Output::Bytes(bytes) => {
                    taken += size(&bytes);
                    self.last().bytes.apply(bytes);
                }
                Output::End(summary) if !self.files.is_empty() => {
                    self.last().summary = Some(*summary);
                }
                other => self.other.push(other),
            }
        }
        taken
    }

    fn last(&mut self) -> &mut File {
        let file = self.files.last_mut().expect("it has begun");
        assert!(file.summary.is_none(), "nothing follows the end");
        file
    }

    fn settle(&mut self) {
        if self.pipeline.take_keyframe_request() {
            self.keyframe_requests.push(self.now - self.start);
        }
        if !self.sink_is_stuck {
            self.drain();
        }
    }
}

pub(super) const fn size(output: &trackmill::mux::Output) -> usize {
    match output {
        trackmill::mux::Output::Append(bytes) | trackmill::mux::Output::PatchHead(bytes) => {
            bytes.len()
        }
    }
}

/// The wall clock at the start: 2026-07-14 00:23:28.5 UTC.
pub(super) const WALL: NtpTimestamp = NtpTimestamp(0xee00_0000_8000_0000);
