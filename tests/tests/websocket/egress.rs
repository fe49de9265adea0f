//! A recording whose sink is a WebSocket: its two halves together, without a room.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trackmill::egress::manifest::Manifest;
use trackmill::egress::{self, Destination, Egress, Ending, Failure, Plan, Status, Stream, Track};
use trackmill::filter::{
    self, Content, Emission, Filter, FilterError, OnError, Open, Restart, Setup, Turn, Verdict,
};
use trackmill::media::{
    AudioBlock, AudioFormat, Codec, MediaTime, SeqNo, Ssrc, TrackKind, TrackSource,
};
use trackmill::pipeline::decoded::OnMute;
use trackmill::rtc::Notice;
use trackmill::rtp::RtpPacket;
use trackmill::signal::{ParticipantKind, Publication, Publisher, Room};
use trackmill::sink::websocket::Wanted;
use trackmill::{clock, pipeline};
use trackmill_room::media::Media;
use trackmill_tests::media;

use super::server::{Heard, Server};
use super::*;

#[tokio::test]
async fn all_that_comes_before_the_end_is_sent_however_fast_it_comes() {
    let server = Server::start().await;
    let mut take = Take::begin(&server, Wanted::Opus);

    // Nobody takes anything meanwhile: more than the channel holds, all at once.
    take.hear(0..400);
    take.end("the track was unpublished");
    let (outcome, heard) = take.outcome(&server).await;

    let clip = clip();
    let sent: Vec<_> = clip.packets.iter().cycle().take(400).collect();
    assert_eq!(heard.sound.len(), 400);
    assert!(
        heard
            .sound
            .iter()
            .eq(sent.iter().map(|packet| &packet.payload))
    );
    assert_eq!(heard.code, Some(1000));
    let [start, end] = &heard.texts[..] else {
        panic!("{:?}", heard.texts);
    };
    assert_eq!(
        (&start["event"], &start["track"]),
        (&"start".into(), &"TR_1".into())
    );
    assert_eq!(end["reason"], "the track was unpublished");
    let [manifest] = &manifests(&outcome)[..] else {
        panic!("one codec");
    };
    let delivery = manifest.delivery.as_ref().unwrap();
    assert_eq!((delivery.audio_messages, delivery.connections), (400, 1));
    assert_eq!(delivery.sent, Duration::from_secs(8));
    assert_eq!(
        (manifest.units.written, manifest.packets.received),
        (400, 400)
    );
    let subject = manifest.subject.as_ref().unwrap();
    assert_eq!(
        (&*subject.container, &*subject.codec),
        ("websocket", "opus")
    );
    assert!(outcome.failure.is_none() && outcome.ending.is_none());
}

#[tokio::test]
async fn what_comes_while_the_sink_gets_no_processor_is_bounded_and_counted() {
    let server = Server::start().await;
    let mut take = Take::begin(&server, Wanted::default());

    // Twelve seconds of samples: the channel holds one, the pipeline two.
    take.hear(0..600);
    take.end("enough");
    let (outcome, heard) = take.outcome(&server).await;

    let [manifest] = &manifests(&outcome)[..] else {
        panic!("one codec");
    };
    let dropped = manifest.sound.as_ref().unwrap().sink_full;
    let heard = Duration::from_millis(20 * heard.sound.len() as u64);
    assert!((2..4).contains(&heard.as_secs()), "{heard:?}");
    assert_eq!(heard + dropped, Duration::from_secs(12));
}

#[tokio::test]
async fn a_server_that_has_heard_enough_ends_it_also_while_nothing_is_sent() {
    let server = Server::start().await;
    let mut take = Take::begin(&server, Wanted::Opus);
    take.hear(0..50);
    take.notice(Notice::Muted);
    let receive = async {
        let mut peer = server.accept().await;
        peer.hear(50).await;
        peer.close(1000, "thanks").await;
    };

    let (outcome, ()) = tokio::join!(take.live(), receive);

    let ending = outcome.ending.as_ref().unwrap();
    assert_eq!(ending.status, Status::Complete);
    assert_eq!(ending.reason, "the server closed the connection (thanks)");
    assert_eq!(manifests(&outcome)[0].units.written, 50);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_told_of_before_anything_is_sent() {
    let server = Server::start().await;
    let mut take = Take::begin(&server, Wanted::default());
    take.notice(Notice::Muted);
    let refuse = async {
        let (mut tcp, _) = server.listener.accept().await.unwrap();
        tcp.read_u8().await.unwrap();
        tcp.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        tcp
    };

    let (outcome, _tcp) = tokio::join!(take.live(), refuse);

    let text = outcome.failure.as_ref().unwrap().to_string();
    assert!(text.contains("401") && text.contains("key={...}"), "{text}");
    let [manifest] = &manifests(&outcome)[..] else {
        panic!("it is told of all the same");
    };
    assert_eq!(manifest.subject.as_ref().unwrap().codec, "opus");
    assert_eq!(manifest.delivery.as_ref().unwrap().connections, 0);
}

#[tokio::test]
async fn a_track_that_cannot_be_sent_as_it_is_fails_with_the_reason() {
    let server = Server::start().await;
    let mut take = Take::begin(&server, Wanted::Opus);

    take.codec = Codec::Pcmu;
    take.hear(0..1);
    let (outcome, heard) = take.outcome(&server).await;

    let Some(Failure::Filter(reason)) = &outcome.failure else {
        panic!("{:?}", outcome.failure);
    };
    assert_eq!(reason, "the track is pcmu, not Opus: ask for PCM");
    assert_eq!(heard.texts.last().unwrap()["reason"], **reason);
}

#[tokio::test]
async fn filters_change_what_a_server_gets() {
    let server = Server::start().await;
    for wanted in [Wanted::default(), Wanted::Opus] {
        let mut take = Take::of(&server, wanted, vec![setup(Hush)]);

        take.hear(0..50);
        take.end("enough");
        let (outcome, heard) = take.outcome(&server).await;

        assert_eq!(heard.sound.len(), 50);
        let is_silence = |message: &Bytes| match wanted {
            // Packets of the clip have 60 bytes and more.
            Wanted::Opus => message.len() <= 20,
            Wanted::Pcm { .. } => message.len() == 3_840 && message.iter().all(|byte| *byte == 0),
        };
        assert!(heard.sound.iter().all(is_silence), "{wanted:?}");
        let sound = manifests(&outcome)[0].sound.clone().unwrap();
        let filter = &sound.filters[0];
        assert_eq!((&*filter.name, filter.silenced), ("hush", 50));
    }
}

#[tokio::test]
async fn what_a_filter_says_that_only_looks_is_told_beside_packets_that_are_untouched() {
    let server = Server::start().await;
    let mut take = Take::inspected(&server, Wanted::Opus, vec![setup(Counts::default())]);

    take.hear(0..50);
    take.end("enough");
    let (outcome, heard) = take.outcome(&server).await;

    let clip = clip();
    let sent = clip.packets.iter().take(50).map(|packet| &packet.payload);
    assert!(heard.sound.iter().eq(sent));
    let said = heard.texts.iter().filter(|text| text["event"] == "plugin");
    let said: Vec<_> = said
        .map(|text| (&text["topic"], &text["data"], &text["pts_us"]))
        .collect();
    let (topic, first) = ("count".into(), serde_json::json!({"block": 0}));
    assert_eq!(said[0], (&topic, &first, &0.into()));
    assert_eq!(said.len(), 5);
    let manifest = &manifests(&outcome)[0];
    assert_eq!(manifest.inspectors[0].filter.name, "counts");
    assert_eq!(manifest.delivery.as_ref().unwrap().audio_messages, 50);
}

/// A recording, and who feeds it.
struct Take {
    /// The recording's first.
    consumers: Vec<Box<dyn trackmill::rtc::Consumer>>,
    sink: Option<egress::Sink>,
    reason: egress::Reason,
    codec: Codec,
    now: Instant,
    _workers: filter::Workers,
}

impl Take {
    fn begin(server: &Server, wanted: Wanted) -> Self {
        Self::of(server, wanted, Vec::new())
    }

    fn of(server: &Server, wanted: Wanted, filters: Vec<Setup>) -> Self {
        Self::with(server, wanted, filters, Vec::new())
    }

    fn inspected(server: &Server, wanted: Wanted, filters: Vec<Setup>) -> Self {
        Self::with(server, wanted, Vec::new(), filters)
    }

    fn with(server: &Server, wanted: Wanted, filters: Vec<Setup>, inspectors: Vec<Setup>) -> Self {
        let delivery = delivery(&server.url(), telling_all());
        let plan = Plan {
            id: egress::EgressId::random(),
            track: track(),
            pipeline: pipeline::Settings::default(),
            filters,
            destination: Destination::Stream(Box::new(Stream {
                server: delivery.server,
                wanted,
                on_mute: OnMute::Pause,
                settings: delivery.settings,
            })),
        };
        let workers = filter::Workers::none();
        let wall = clock::wall_clock();
        let egress = Egress::new(plan, &workers, wall).inspected(inspectors, &workers, wall);
        let consumers = [egress.consumer].into_iter().chain(egress.inspectors);
        Self {
            consumers: consumers.collect(),
            sink: Some(egress.sink),
            reason: egress.reason,
            codec: Codec::Opus,
            now: clock::now(),
            _workers: workers,
        }
    }

    /// Packets with these numbers come, all at once.
    fn hear(&mut self, numbers: std::ops::Range<u64>) {
        let clip = clip();
        let packets = clip.packets.iter().cycle();
        for (number, packet) in numbers.zip(packets) {
            let packet = RtpPacket {
                ssrc: Ssrc(1),
                sequence_number: SeqNo(number),
                timestamp: MediaTime(number * 960),
                codec: self.codec,
                marker: false,
                arrival: self.now,
                payload: packet.payload.clone(),
            };
            let consumers = self.consumers.iter_mut();
            consumers.for_each(|consumer| consumer.packet(packet.clone()));
            self.now += FRAME;
        }
    }

    fn notice(&mut self, notice: Notice) {
        let consumers = self.consumers.iter_mut();
        consumers.for_each(|consumer| consumer.notice(notice.clone(), self.now));
        // A worker drops what has ended.
        if notice == Notice::Ended {
            self.consumers.clear();
        }
    }

    /// Lets its timers run.
    fn look(&mut self) {
        let now = self.now.max(clock::now());
        for consumer in &mut self.consumers {
            while consumer.poll_timeout().is_some_and(|at| at <= now) {
                consumer.handle_timeout(now);
            }
        }
    }

    fn end(&mut self, reason: &str) {
        self.reason.tell(&Ending::new(Status::Complete, reason));
        self.notice(Notice::Ended);
    }

    /// Runs it as a worker looks after it, until its sink has ended.
    async fn live(&mut self) -> egress::Outcome {
        let mut run = Box::pin(self.sink.take().expect("it runs once").run());
        let live = async {
            loop {
                tokio::select! {
                    outcome = &mut run => return outcome,
                    () = tokio::time::sleep(FRAME) => self.look(),
                }
            }
        };
        deadline::until("the delivery ends", live).await
    }

    async fn outcome(&mut self, server: &Server) -> (egress::Outcome, Heard) {
        let sink = self.sink.take().expect("it runs once");
        let receive = async { server.accept().await.hear_all().await };
        let both = async { tokio::join!(sink.run(), receive) };
        deadline::until("the delivery ends", Box::pin(both)).await
    }
}

fn manifests(outcome: &egress::Outcome) -> Vec<Manifest> {
    let stream = outcome.stream.as_ref();
    stream.expect("it is a stream").manifests.clone()
}

fn clip() -> Media {
    Media::open(media::path("opus.ogg")).expect("the clip")
}

fn track() -> Track {
    Track {
        room: Room {
            sid: "RM_1".into(),
            name: "room".into(),
        },
        publication: Publication {
            sid: "TR_1".into(),
            name: "microphone".into(),
            kind: TrackKind::Audio,
            source: TrackSource::Microphone,
            codec: Some(Codec::Opus),
            is_muted: false,
            width: 0,
            height: 0,
            is_encrypted: false,
            publisher: Arc::new(Publisher {
                identity: "alice".into(),
                sid: "PA_1".into(),
                name: "Alice".into(),
                kind: ParticipantKind::Standard,
            }),
        },
    }
}

fn setup(open: impl Open + 'static) -> Setup {
    Setup {
        open: Box::new(open),
        on_error: OnError::Bypass,
        restart: Restart::default(),
    }
}

/// Lets nothing through.
#[derive(Debug)]
struct Hush;

impl Open for Hush {
    fn name(&self) -> &str {
        "hush"
    }

    fn open(
        &mut self,
        _: AudioFormat,
        _: usize,
        _: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        Ok(Box::new(Self))
    }
}

impl Filter for Hush {
    fn process(&mut self, _: &mut AudioBlock, _: Turn) -> Result<Verdict, FilterError> {
        Ok(Verdict::Silence)
    }
}

/// Says something with each tenth block.
#[derive(Clone, Debug, Default)]
struct Counts {
    blocks: u64,
    said: Option<Emission>,
}

impl Open for Counts {
    fn name(&self) -> &str {
        "counts"
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

impl Filter for Counts {
    fn process(&mut self, block: &mut AudioBlock, _: Turn) -> Result<Verdict, FilterError> {
        if self.blocks.is_multiple_of(10) {
            self.said = Some(Emission {
                pts: block.pts,
                content: Content::Text {
                    topic: "count".into(),
                    text: format!(r#"{{"block":{}}}"#, self.blocks),
                },
            });
        }
        self.blocks += 1;
        Ok(Verdict::Pass)
    }

    fn poll_emission(&mut self) -> Option<Emission> {
        self.said.take()
    }
}
