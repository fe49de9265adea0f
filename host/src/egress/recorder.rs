use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::notices::{self, Flow, Notices};
use super::words::{Word, Words};
use crate::media::{DataMessage, TrackKind};
use crate::pipeline::{Output, Pipeline};
use crate::rtc::{Consumer, Interest, Notice, PATIENCE};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

/// The media worker's half of an egress: hands packets to the pipeline, and what comes out of it to
/// the sink's task over a bounded channel. When that is full, the rest waits in the pipeline, whose
/// own bound drops access units and counts them (D3).
#[derive(Debug)]
pub(super) struct Recorder {
    pipeline: Pipeline,
    notices: Notices,
    deliveries: mpsc::Sender<Delivery>,
    /// A place in the channel for what is left at the end, whatever waits then.
    last: Option<OwnedPermit<Delivery>>,
    retry_at: Option<Instant>,
}

/// What is handed to a sink's task.
#[derive(Debug)]
pub(super) enum Delivery {
    /// The next thing to do.
    Next(Output),
    /// All that is left of the recorder's; inspectors may still have something to say.
    Last(Vec<Output>),
    /// What an inspector has to say.
    Words(Vec<Word>),
}

impl Recorder {
    /// A recorder, and where its deliveries arrive.
    pub(super) fn new(pipeline: Pipeline, notices: Notices) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, arrivals) = mpsc::channel(QUEUE);
        let last = deliveries.clone().try_reserve_owned().ok();
        let recorder = Self {
            pipeline,
            notices,
            deliveries,
            last,
            retry_at: None,
        };
        (recorder, arrivals)
    }

    /// The way to the sink's task, for others who have something to say.
    pub(super) fn words(&self) -> Words {
        Words::Files(self.deliveries.clone())
    }

    /// Hands over what the channel takes.
    fn deliver(&mut self, now: Instant) {
        self.retry_at = None;
        while self.pipeline.has_output() {
            match self.deliveries.try_reserve() {
                Ok(place) => match self.pipeline.poll_output() {
                    Some(output) => place.send(Delivery::Next(output)),
                    None => break,
                },
                Err(TrySendError::Full(())) => {
                    self.retry_at = Some(now + RETRY_AFTER);
                    break;
                }
                // The sink has failed and says so itself; what it does not take has no use.
                Err(TrySendError::Closed(())) => drop(self.pipeline.poll_output()),
            }
        }
    }

    fn finish(&mut self, now: Instant) {
        self.pipeline.finish(now);
        let rest = std::iter::from_fn(|| self.pipeline.poll_output()).collect();
        if let Some(place) = self.last.take() {
            place.send(Delivery::Last(rest));
        }
    }
}

impl Consumer for Recorder {
    fn interest(&self) -> Interest {
        match self.pipeline.has_filters() {
            true => Interest::All,
            false => Interest::Media,
        }
    }

    fn packet(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
        self.pipeline.packet(packet);
        if self.pipeline.has_output() {
            self.deliver(now);
        }
    }

    fn sender_report(&mut self, report: SenderReport) {
        self.pipeline.sender_report(report);
    }

    fn statistics(&mut self, counted: StreamStatistics) {
        self.pipeline.statistics(counted);
    }

    fn notice(&mut self, notice: Notice, now: Instant) {
        match self.notices.pass_on(notice, &mut self.pipeline, now) {
            Flow::Continue => self.deliver(now),
            Flow::End => self.finish(now),
        }
    }

    fn message(&mut self, message: Arc<DataMessage>, at: Instant) {
        self.pipeline.event(notices::event(&message), at);
        self.deliver(at);
    }

    fn messages_dropped(&mut self, count: u64) {
        self.pipeline.messages_dropped(count);
    }

    fn overrun(&mut self, count: u64) {
        self.pipeline.overrun(count);
    }

    fn patience(&self) -> Duration {
        match self.pipeline.kind() {
            TrackKind::Audio => ONE_FRAME,
            TrackKind::Video => PATIENCE,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.pipeline.poll_timeout(), self.retry_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.pipeline.handle_timeout(now);
        self.deliver(now);
    }

    fn take_keyframe_request(&mut self) -> bool {
        self.pipeline.take_keyframe_request()
    }
}

/// Deliveries that may wait for the sink: half a minute of audio pages.
const QUEUE: usize = 32;
/// Nobody watches a file grow so closely, and of most audio tracks each turn has a packet. Pictures
/// come in bursts, which must not fill the socket meanwhile.
const ONE_FRAME: Duration = Duration::from_millis(20);
/// How long to wait before a full channel is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;
    use crate::clock;
    use crate::egress::inspector::Inspector;
    use crate::egress::voice::Voice;
    use crate::filter::{Filter, FilterError, OnError, Open, Restart, Setup, Turn, Verdict};
    use crate::media::{AudioBlock, AudioFormat, Codec, MediaTime, SeqNo, Ssrc};
    use crate::pipeline::decoded::{Outlet, Sound};
    use crate::pipeline::{Settings, Source};

    #[test]
    fn what_a_full_channel_does_not_take_waits_in_the_pipeline() {
        let mut track = Track::new();

        track.hear_seconds(2 * QUEUE);
        assert!(track.recorder.pipeline.has_output());
        let retry_at = track.recorder.poll_timeout().unwrap();
        let taken = track.take();
        track.recorder.handle_timeout(retry_at);

        // The place of the last delivery is never taken by another.
        assert_eq!(taken, QUEUE - 1);
        assert_eq!(track.take(), QUEUE - 1);
    }

    #[test]
    fn the_last_delivery_has_a_place_also_when_the_channel_is_full() {
        let mut track = Track::new();
        track.hear_seconds(2 * QUEUE);

        track.recorder.notice(Notice::Ended, track.now);

        track.take();
        let Some(Delivery::Last(rest)) = track.last.take() else {
            panic!("the last delivery is there");
        };
        assert!(
            matches!(rest.last(), Some(Output::End(summary)) if summary.units.written == 50 * 2 * QUEUE as u64)
        );
    }

    #[test]
    fn nothing_piles_up_behind_a_sink_that_has_failed() {
        let mut track = Track::new();
        track.deliveries.close();

        track.hear_seconds(2 * QUEUE);

        assert!(!track.recorder.pipeline.has_output());
    }

    #[test]
    fn what_an_inspector_says_goes_to_the_sink_and_nothing_else_of_it() {
        let mut track = Track::new();
        let mut inspector = track.inspector();

        inspector.packet(track.packet());
        inspector.notice(Notice::Ended, track.now);

        let mut words = Vec::new();
        while let Ok(Delivery::Words(said)) = track.deliveries.try_recv() {
            words.extend(said);
        }
        let [Word::Event(event), Word::Inspected(inspection)] = &words[..] else {
            panic!("{words:?}");
        };
        assert!(event.to_json_line().unwrap().contains("given_up"));
        assert_eq!(inspection.account.filter, "refuses");
    }

    #[test]
    fn what_an_inspector_says_waits_for_a_slow_sink_and_its_last_words_have_a_place() {
        let mut track = Track::new();
        let mut inspector = track.inspector();
        track.hear_seconds(2 * QUEUE);

        inspector.packet(track.packet());
        assert!(inspector.poll_timeout().is_some());
        inspector.notice(Notice::Ended, track.now);
        drop(inspector);

        let mut last = None;
        while let Ok(delivery) = track.deliveries.try_recv() {
            last = Some(delivery);
        }
        let Some(Delivery::Words(words)) = last else {
            panic!("{last:?}");
        };
        assert!(matches!(words[..], [Word::Event(_), Word::Inspected(_)]));
    }

    /// P2: what waited too long for the thread goes by filters that only look, and they are told.
    #[test]
    fn an_inspector_that_falls_behind_misses_what_is_old() {
        let ear = Ear::default();
        let sound = Sound {
            filters: vec![Setup {
                open: Box::new(ear.clone()),
                on_error: OnError::Bypass,
                restart: Restart::default(),
                changes: None,
            }],
            ..Sound::new(Outlet::Nothing)
        };
        let mut track = Track::new();
        let pipeline =
            Pipeline::decoding(source(), Settings::default(), clock::wall_clock(), sound);
        let notices = Notices::new(Arc::default());
        let mut inspector =
            Inspector::new(pipeline, notices, Voice::new(0, track.recorder.words()));

        track.now -= Duration::from_secs(10);
        (0..100).for_each(|_| inspector.packet(track.packet()));
        track.now = clock::now();
        (0..5).for_each(|_| inspector.packet(track.packet()));

        assert_eq!(*ear.0.lock().unwrap(), [100, 0, 0, 0, 0]);
    }

    /// Writes down how many blocks it missed before each.
    #[derive(Clone, Debug, Default)]
    struct Ear(Arc<Mutex<Vec<u32>>>);

    impl Ear {
        fn hears(&self, lost_before: u32) {
            self.0.lock().unwrap().push(lost_before);
        }
    }

    impl Open for Ear {
        fn name(&self) -> &str {
            "ear"
        }

        fn open(
            &mut self,
            _: AudioFormat,
            _: usize,
            _: Instant,
        ) -> Result<Box<dyn Filter>, FilterError> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Filter for Ear {
        fn process(&mut self, _: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError> {
            self.hears(turn.lost_before);
            Ok(Verdict::Pass)
        }
    }

    /// A filter whose settings are wrong.
    #[derive(Debug)]
    struct Refuses;

    impl Open for Refuses {
        fn name(&self) -> &str {
            "refuses"
        }

        fn open(
            &mut self,
            _: AudioFormat,
            _: usize,
            _: Instant,
        ) -> Result<Box<dyn Filter>, FilterError> {
            Err(FilterError::Config("it has none".into()))
        }
    }

    struct Track {
        recorder: Recorder,
        deliveries: mpsc::Receiver<Delivery>,
        last: Option<Delivery>,
        now: Instant,
        packets: u64,
    }

    impl Track {
        fn new() -> Self {
            let pipeline = Pipeline::new(source(), Settings::default(), clock::wall_clock());
            let notices = Notices::new(Arc::default());
            let (recorder, deliveries) = Recorder::new(pipeline, notices);
            Self {
                recorder,
                deliveries,
                last: None,
                now: clock::now(),
                packets: 0,
            }
        }

        /// One whose filter refuses its settings, and which says so.
        fn inspector(&self) -> Inspector {
            let sound = Sound {
                filters: vec![Setup {
                    open: Box::new(Refuses),
                    on_error: OnError::Bypass,
                    restart: Restart::default(),
                    changes: None,
                }],
                ..Sound::new(Outlet::Nothing)
            };
            let wall = clock::wall_clock();
            let pipeline = Pipeline::decoding(source(), Settings::default(), wall, sound);
            let notices = Notices::new(Arc::default());
            Inspector::new(pipeline, notices, Voice::new(0, self.recorder.words()))
        }

        fn hear_seconds(&mut self, seconds: usize) {
            for _ in 0..50 * seconds {
                let packet = self.packet();
                self.recorder.packet(packet);
            }
        }

        fn packet(&mut self) -> RtpPacket {
            let packet = RtpPacket {
                ssrc: Ssrc(1),
                sequence_number: SeqNo(self.packets),
                timestamp: MediaTime(self.packets * 960),
                codec: Codec::Opus,
                marker: false,
                arrival: self.now,
                payload: Bytes::from_static(&[0xf8, 1, 2, 3]),
            };
            self.packets += 1;
            self.now += Duration::from_millis(20);
            packet
        }

        /// Takes what was delivered and counts it, but for the last delivery.
        fn take(&mut self) -> usize {
            let mut count = 0;
            while let Ok(delivery) = self.deliveries.try_recv() {
                match delivery {
                    Delivery::Next(_) | Delivery::Words(_) => count += 1,
                    last @ Delivery::Last(_) => self.last = Some(last),
                }
            }
            count
        }
    }

    fn source() -> Source {
        Source {
            kind: TrackKind::Audio,
            room: "room".into(),
            participant: "alice".into(),
            track: "TR_1".into(),
        }
    }
}
