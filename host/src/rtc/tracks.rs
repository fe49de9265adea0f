//! Who receives which stream of a peer: consumers are attached to tracks, tracks are sent as
//! streams, and streams come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attached::{Attached, Source};
use super::{Consumer, ConsumerId, Notice};
use crate::media::{DataMessage, Ssrc, TrackSid};
use crate::rtp::{RtpPacket, SenderReport, StreamDescription, StreamStatistics};

/// The consumers of one peer, and the streams its last offer described.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    /// Sorted by SSRC.
    streams: Vec<Stream>,
    /// Sorted by source, so that a packet finds its consumers by binary search.
    attached: Vec<Attached>,
    panicked: u64,
}

#[derive(Debug)]
struct Stream {
    ssrc: Ssrc,
    track: TrackSid,
    has_sent: bool,
}

impl Tracks {
    /// Gives a consumer the packets of `track`, from now on or from when it is described.
    pub(crate) fn attach(
        &mut self,
        id: ConsumerId,
        track: TrackSid,
        consumer: Box<dyn Consumer>,
        now: Instant,
    ) {
        self.attached.push(Attached::new(id, track, consumer));
        self.bind(now);
    }

    /// Gives a consumer the packets of another track instead.
    pub(crate) fn retarget(&mut self, id: ConsumerId, track: TrackSid, now: Instant) {
        if let Some(attached) = self.attached.iter_mut().find(|attached| attached.id == id) {
            attached.retarget(track);
        }
        self.bind(now);
    }

    /// Ends a consumer and drops it.
    pub(crate) fn detach(&mut self, id: ConsumerId, now: Instant) {
        for attached in self.attached.extract_if(.., |attached| attached.id == id) {
            attached.end(now);
        }
    }

    /// Ends and drops all consumers.
    pub(crate) fn end(&mut self, now: Instant) {
        for attached in self.attached.drain(..) {
            attached.end(now);
        }
    }

    /// Passes a notice to the consumers of `track`.
    pub(crate) fn notice(&mut self, track: &TrackSid, notice: &Notice, now: Instant) {
        for attached in &mut self.attached {
            if attached.track == *track {
                attached.call(|consumer| consumer.notice(notice.clone(), now));
            }
        }
    }

    /// Whether any consumer wants data messages.
    pub(crate) fn hear_messages(&self) -> bool {
        self.attached.iter().any(Attached::hears_messages)
    }

    /// Hands a data message of the room to the consumers of all tracks that want it.
    pub(crate) fn message(&mut self, message: &Arc<DataMessage>, at: Instant) {
        for attached in &mut self.attached {
            attached.message(message, at);
        }
    }

    /// Tells the same consumers of messages that were dropped.
    pub(crate) fn messages_dropped(&mut self, count: u64) {
        for attached in &mut self.attached {
            attached.messages_dropped(count);
        }
    }

    /// Takes the streams of an offer, which replace those of the one before. Consumers whose track
    /// moved to another stream hear [`Notice::Restarted`].
    pub(crate) fn describe(&mut self, descriptions: &[StreamDescription], now: Instant) {
        let before = std::mem::take(&mut self.streams);
        self.streams = descriptions
            .iter()
            .map(|description| Stream {
                ssrc: description.ssrc,
                track: description.track.clone(),
                has_sent: before.iter().any(|stream| {
                    stream.ssrc == description.ssrc
                        && stream.track == description.track
                        && stream.has_sent
                }),
            })
            .collect();
        self.streams.sort_unstable_by_key(|stream| stream.ssrc);
        self.bind(now);
    }

    /// The peer connection is made anew: no stream goes on, whatever its SSRC.
    pub(crate) fn restart(&mut self) {
        self.streams.clear();
        for attached in &mut self.attached {
            attached.reconnect();
        }
        self.attached.sort_by_key(|attached| attached.source);
    }

    /// Hands a packet to its consumers; the track, if this is the first of its stream.
    pub(crate) fn packet(&mut self, packet: RtpPacket) -> Option<TrackSid> {
        let first = self.first_of_stream(packet.ssrc);
        // The last one takes the packet itself: a clone would allocate.
        if let Some((last, others)) = self.consumers_of(packet.ssrc).split_last_mut() {
            for attached in others {
                attached.call(|consumer| consumer.packet(packet.clone()));
            }
            last.call(|consumer| consumer.packet(packet));
        }
        first
    }

    /// Hands a sender report to the consumers of its stream.
    pub(crate) fn sender_report(&mut self, report: SenderReport) {
        for attached in self.consumers_of(report.ssrc) {
            attached.call(|consumer| consumer.sender_report(report));
        }
    }

    /// Tells the consumers what their streams have counted. To be called when they may have come to
    /// a stream, and before they may lose it.
    pub(crate) fn report(&mut self, counted: impl Fn(Ssrc) -> Option<StreamStatistics>) {
        for attached in &mut self.attached {
            if let Source::Stream(ssrc) = attached.source
                && let Some(counted) = counted(ssrc)
            {
                attached.report(counted);
            }
        }
    }

    /// Runs what is due, and passes keyframe requests on; when this is wanted again.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        mut request_keyframe: impl FnMut(Ssrc),
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for attached in &mut self.attached {
            if attached.poll(now)
                && let Source::Stream(ssrc) = attached.source
            {
                request_keyframe(ssrc);
            }
            next = next.into_iter().chain(attached.due()).min();
        }
        self.bury();
        next
    }

    /// The streams and their tracks, in the order of their SSRCs.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (Ssrc, &TrackSid)> {
        self.streams
            .iter()
            .map(|stream| (stream.ssrc, &stream.track))
    }

    /// How long packets may wait for the most impatient consumer.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.attached.iter().filter_map(Attached::patience).min()
    }

    /// Consumers that panicked and were dropped.
    pub(crate) const fn panicked(&self) -> u64 {
        self.panicked
    }

    /// Connects consumers with the streams of their tracks. Follows every change of either.
    fn bind(&mut self, now: Instant) {
        for attached in &mut self.attached {
            let stream = self
                .streams
                .iter()
                .find(|stream| stream.track == attached.track);
            if let Some(stream) = stream {
                attached.follow(stream.ssrc, now);
            }
        }
        self.attached.sort_by_key(|attached| attached.source);
    }

    fn first_of_stream(&mut self, ssrc: Ssrc) -> Option<TrackSid> {
        let index = self
            .streams
            .binary_search_by_key(&ssrc, |stream| stream.ssrc)
            .ok()?;
        let stream = self.streams.get_mut(index)?;
        if stream.has_sent {
            return None;
        }
        stream.has_sent = true;
        Some(stream.track.clone())
    }

    fn consumers_of(&mut self, ssrc: Ssrc) -> &mut [Attached] {
        let source = Source::Stream(ssrc);
        let start = self.attached.partition_point(|other| other.source < source);
        let end = self
            .attached
            .partition_point(|other| other.source <= source);
        self.attached.get_mut(start..end).unwrap_or_default()
    }

    /// Removes the consumers that panicked.
    fn bury(&mut self) {
        let before = self.attached.len();
        self.attached.retain(Attached::is_alive);
        let dead = before - self.attached.len();
        self.panicked += u64::try_from(dead).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;

    use super::*;
    use crate::media::{Codec, MediaTime, SeqNo};
    use crate::rtc::{Interest, PATIENCE};
    use crate::rtp::Restart;

    /// Writes down what it hears, under its name.
    #[derive(Debug)]
    struct Listener {
        name: &'static str,
        log: Log,
        panics: bool,
    }

    type Log = Arc<Mutex<Vec<String>>>;

    impl Listener {
        fn say(&self, what: &str) {
            let line = format!("{}: {what}", self.name);
            self.log.lock().unwrap().push(line);
        }
    }

    impl Consumer for Listener {
        fn packet(&mut self, packet: RtpPacket) {
            assert!(!self.panics, "a bug in a consumer");
            self.say(&format!("{} of {}", packet.sequence_number, packet.ssrc.0));
        }

        fn sender_report(&mut self, _: SenderReport) {}

        fn statistics(&mut self, counted: StreamStatistics) {
            self.say(&format!("{} recovered", counted.recovered));
        }

        fn interest(&self) -> Interest {
            match self.name {
                "all ears" => Interest::All,
                "ears only" => Interest::Messages,
                _ => Interest::Media,
            }
        }

        fn message(&mut self, message: Arc<DataMessage>, _: Instant) {
            self.say(&format!("message on {}", message.topic));
        }

        fn messages_dropped(&mut self, count: u64) {
            self.say(&format!("{count} messages dropped"));
        }

        fn notice(&mut self, notice: Notice, _: Instant) {
            match notice {
                Notice::Restarted(Restart { track, cause }) => {
                    self.say(&format!("{cause:?} as {track}"));
                }
                other => self.say(&format!("{other:?}")),
            }
        }

        fn patience(&self) -> Duration {
            match self.name {
                "keen" => PATIENCE / 2,
                _ => PATIENCE,
            }
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }

        fn handle_timeout(&mut self, _: Instant) {}

        fn take_keyframe_request(&mut self) -> bool {
            self.name == "keen"
        }
    }

    struct Room {
        tracks: Tracks,
        log: Log,
        now: Instant,
        next: u64,
    }

    impl Room {
        fn new() -> Self {
            Self {
                tracks: Tracks::default(),
                log: Log::default(),
                now: crate::rtc::clock::now(),
                next: 0,
            }
        }

        fn attach(&mut self, name: &'static str, track: &str) -> ConsumerId {
            let listener = Listener {
                name,
                log: Arc::clone(&self.log),
                panics: name == "broken",
            };
            let id = ConsumerId(self.next);
            self.next += 1;
            self.tracks
                .attach(id, track.into(), Box::new(listener), self.now);
            id
        }

        fn describe(&mut self, streams: &[(&str, u32)]) {
            let describe = |(track, ssrc): &(&str, u32)| StreamDescription {
                track: (*track).into(),
                ssrc: Ssrc(*ssrc),
                rtx: None,
                formats: vec![],
                rtx_formats: vec![],
            };
            let streams: Vec<_> = streams.iter().map(describe).collect();
            self.tracks.describe(&streams, self.now);
        }

        fn packet(&mut self, ssrc: u32, sequence_number: u64) -> Option<TrackSid> {
            self.tracks.packet(RtpPacket {
                ssrc: Ssrc(ssrc),
                sequence_number: SeqNo(sequence_number),
                timestamp: MediaTime(0),
                codec: Codec::Opus,
                marker: false,
                arrival: self.now,
                payload: Bytes::new(),
            })
        }

        /// The media plane counted so many recovered packets of one stream.
        fn report(&mut self, ssrc: u32, recovered: u64) {
            self.tracks.report(|other| {
                (other == Ssrc(ssrc)).then(|| StreamStatistics {
                    recovered,
                    ..StreamStatistics::default()
                })
            });
        }

        fn heard(&self) -> Vec<String> {
            std::mem::take(&mut self.log.lock().unwrap())
        }
    }

    #[test]
    fn every_consumer_of_a_track_hears_every_packet_once() {
        let mut room = Room::new();
        room.attach("early", "TR_a");
        room.attach("other", "TR_b");
        room.describe(&[("TR_b", 2), ("TR_a", 1)]);
        room.attach("late", "TR_a");

        room.packet(1, 7);

        assert_eq!(room.heard(), ["early: 7 of 1", "late: 7 of 1"]);
    }

    #[test]
    fn messages_of_the_room_go_to_those_who_want_them_whatever_their_track() {
        let mut room = Room::new();
        room.attach("deaf", "TR_a");
        room.describe(&[("TR_a", 1), ("TR_b", 2)]);
        assert!(!room.tracks.hear_messages());
        room.attach("all ears", "TR_b");
        room.attach("ears only", "TR_a");
        assert!(room.tracks.hear_messages());

        room.packet(1, 7);
        room.tracks.message(&message("redact"), room.now);
        room.tracks.messages_dropped(3);
        room.describe(&[("TR_a", 9), ("TR_b", 2)]);

        assert_eq!(
            room.heard(),
            [
                "deaf: 7 of 1",
                "ears only: message on redact",
                "all ears: message on redact",
                "ears only: 3 messages dropped",
                "all ears: 3 messages dropped",
                "deaf: NewStream as TR_a",
            ]
        );
    }

    fn message(topic: &str) -> Arc<DataMessage> {
        Arc::new(DataMessage {
            topic: topic.to_owned(),
            sender: None,
            payload: Bytes::new(),
        })
    }

    #[test]
    fn the_most_impatient_consumer_decides_how_long_packets_wait() {
        let mut room = Room::new();
        assert_eq!(room.tracks.patience(), None);

        room.attach("a", "TR_a");
        assert_eq!(room.tracks.patience(), Some(PATIENCE));
        let keen = room.attach("keen", "TR_a");
        assert_eq!(room.tracks.patience(), Some(PATIENCE / 2));
        room.tracks.detach(keen, room.now);

        assert_eq!(room.tracks.patience(), Some(PATIENCE));
    }

    #[test]
    fn the_first_packet_of_a_stream_is_told_once() {
        let mut room = Room::new();
        room.describe(&[("TR_a", 1)]);

        assert_eq!(room.packet(1, 7), Some("TR_a".into()));
        assert_eq!(room.packet(1, 8), None);
        room.describe(&[("TR_a", 1), ("TR_b", 2)]);
        assert_eq!(room.packet(1, 9), None);
    }

    #[test]
    fn a_track_that_comes_under_a_new_ssrc_restarts_its_consumers() {
        let mut room = Room::new();
        room.attach("a", "TR_a");
        room.describe(&[("TR_a", 1)]);

        room.describe(&[]);
        room.describe(&[("TR_a", 1)]);
        room.describe(&[("TR_a", 3)]);

        assert_eq!(room.heard(), ["a: NewStream as TR_a"]);
    }

    #[test]
    fn a_new_peer_connection_restarts_consumers_whatever_the_ssrc() {
        let mut room = Room::new();
        room.attach("a", "TR_a");
        room.attach("b", "TR_b");
        room.describe(&[("TR_a", 1)]);

        room.tracks.restart();
        assert_eq!(room.packet(1, 7), None);
        room.describe(&[("TR_a", 1), ("TR_b", 2)]);

        assert_eq!(room.heard(), ["a: Reconnected as TR_a"]);
    }

    #[test]
    fn a_retargeted_consumer_goes_on_with_the_other_track() {
        let mut room = Room::new();
        let id = room.attach("a", "TR_a");
        room.describe(&[("TR_a", 1)]);
        room.packet(1, 7);

        room.tracks.retarget(id, "TR_b".into(), room.now);
        room.packet(1, 8);
        room.describe(&[("TR_b", 2)]);
        room.packet(2, 9);

        let republished = "a: Republished as TR_b";
        assert_eq!(room.heard(), ["a: 7 of 1", republished, "a: 9 of 2"]);
    }

    #[test]
    fn a_track_that_is_published_again_while_we_reconnect_is_told_as_such() {
        let mut room = Room::new();
        let id = room.attach("a", "TR_a");
        room.describe(&[("TR_a", 1)]);

        room.tracks.retarget(id, "TR_b".into(), room.now);
        room.tracks.restart();
        room.describe(&[("TR_b", 1)]);
        room.tracks.restart();
        room.describe(&[("TR_b", 1)]);

        let told = ["a: Republished as TR_b", "a: Reconnected as TR_b"];
        assert_eq!(room.heard(), told);
    }

    #[test]
    fn a_consumer_hears_what_its_stream_counted_since_it_came_to_it() {
        let mut room = Room::new();
        room.attach("early", "TR_a");
        room.describe(&[("TR_a", 1)]);
        room.report(1, 0);
        room.report(1, 5);
        room.attach("late", "TR_a");
        room.attach("other", "TR_b");
        room.heard();

        room.report(1, 7);
        room.report(1, 8);

        assert_eq!(
            room.heard(),
            [
                "early: 7 recovered",
                "late: 0 recovered",
                "early: 8 recovered",
                "late: 1 recovered",
            ]
        );
    }

    #[test]
    fn what_another_stream_counts_begins_anew() {
        let mut room = Room::new();
        room.attach("a", "TR_a");
        room.describe(&[("TR_a", 1)]);
        room.report(1, 5);

        room.tracks.restart();
        room.report(1, 6);
        room.describe(&[("TR_a", 1)]);
        room.report(1, 2);
        room.report(1, 3);

        assert_eq!(
            room.heard(),
            [
                "a: 0 recovered",
                "a: Reconnected as TR_a",
                "a: 0 recovered",
                "a: 1 recovered",
            ]
        );
    }

    #[test]
    fn a_panicking_consumer_harms_nobody_else() {
        let mut room = Room::new();
        room.attach("broken", "TR_a");
        room.attach("sound", "TR_a");
        room.describe(&[("TR_a", 1)]);

        room.packet(1, 7);
        room.tracks.poll(room.now, |_| {});
        room.packet(1, 8);

        assert_eq!(room.heard(), ["sound: 7 of 1", "sound: 8 of 1"]);
        assert_eq!(room.tracks.panicked(), 1);
    }

    #[test]
    fn keyframe_requests_name_the_stream() {
        let mut room = Room::new();
        room.attach("keen", "TR_a");
        room.attach("keen", "TR_unknown");
        room.describe(&[("TR_a", 1)]);

        let mut requests = Vec::new();
        room.tracks.poll(room.now, |ssrc| requests.push(ssrc));

        assert_eq!(requests, [Ssrc(1)]);
    }

    #[test]
    fn consumers_hear_the_end() {
        let mut room = Room::new();
        let id = room.attach("a", "TR_a");
        room.attach("b", "TR_b");

        room.tracks.detach(id, room.now);
        room.tracks.notice(&"TR_a".into(), &Notice::Muted, room.now);
        room.tracks.notice(&"TR_b".into(), &Notice::Muted, room.now);
        room.tracks.end(room.now);

        assert_eq!(room.heard(), ["a: Ended", "b: Muted", "b: Ended"]);
    }
}
