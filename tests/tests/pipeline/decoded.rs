//! Tracks that are decoded, in virtual time: as long as they were, whatever the network did
//! (media.md T3, O3, S4).

use std::time::{Duration, Instant};

use trackmill::filter::{
    Change, Content, Emission, Filter, FilterError, Halt, OnError, Open, Restart, Setup,
    TrackEvent, Turn, Verdict,
};
use trackmill::media::{AudioBlock, AudioFormat, Channels, MediaTime, Pts, SampleRate};
use trackmill::mux::Container;
use trackmill::pipeline::decoded::{OnMute, Outlet, Sound, Work};
use trackmill::pipeline::{Event, EventKind, Message, Output, Summary};
use trackmill::rtp::RtpPacket;

use super::recording::Recording;
use super::sender::{QUICK, Sender};

/// A track that goes through a filter comes out as loud as the filter makes it, and as long as it
/// was.
#[test]
fn a_filter_changes_what_goes_out_and_not_how_long_it_is() {
    let quiet = Sound {
        filters: vec![gain(0.5)],
        ..Sound::new(MESSAGES)
    };
    let mut levels = Vec::new();
    for sound in [Sound::new(MESSAGES), quiet] {
        let mut recording = Recording::decoding(sound);
        recording.packets(Sender::new(recording.start).send(100));

        let heard = Heard::of(recording);

        assert_eq!(heard.samples.len(), 100 * 320);
        heard.assert_gapless();
        levels.push(rms(&heard.samples[3_200..]));
    }
    let ratio = levels[1] / levels[0];
    assert!((ratio - 0.5).abs() < 0.01, "{levels:?}");
}

/// T3, O3: whatever share of packets is lost, no sample is missing or too much.
#[test]
fn t3_a_lossy_track_is_as_long_as_it_was() {
    for percent in [1, 2, 5, 10] {
        let mut recording = Recording::decoding(Sound::new(MESSAGES));
        let sent = Sender::new(recording.start).send(1_500);
        let last = sent.len() - 1;
        let is_lost = |index: usize| index != 0 && index != last && index * 7_919 % 100 < percent;
        let came = (0..).zip(sent).filter(|(index, _)| !is_lost(*index));
        recording.packets(came.map(|(_, packet)| packet));

        let heard = Heard::of(recording);

        let sound = heard.summary.sound.as_ref().expect("it was decoded");
        assert_eq!(heard.samples.len(), 1_500 * 320, "{percent} %");
        heard.assert_gapless();
        assert_eq!(sound.concealed, heard.summary.lost * 320, "{percent} %");
        assert_eq!((sound.removed, sound.undecodable), (0, 0), "{percent} %");
        assert!(heard.summary.lost > 0);
    }
}

/// S4: silence goes on in real time while the track is muted, between the words that say so.
#[test]
fn s4_a_mute_is_silence_in_real_time() {
    let mut recording = Recording::decoding(Sound::new(MESSAGES));
    let mut sender = Sender::new(recording.start);
    recording.packets(sender.send(50));
    recording.mute();
    recording.wait(Duration::from_secs(10));
    sender.pause(Duration::from_secs(10));

    let before = recording.other.len();
    let behind = recording.now;
    recording.unmute();
    recording.packets(sender.send(50));

    let due = (behind - recording.start - Duration::from_millis(500)).as_millis() / 20;
    assert!(before as u128 + 5 >= due, "{before} {due}");
    let heard = Heard::of(recording);
    assert_eq!(heard.samples.len(), 12 * 16_000);
    heard.assert_gapless();
    assert!(
        heard.samples[17_000..175_000]
            .iter()
            .all(|sample| *sample == 0)
    );
    assert_eq!(heard.mutes(), [(true, 980), (false, 10_980)]);
}

/// S4: nothing goes out while the track is muted, if that is asked for.
#[test]
fn s4_a_mute_may_be_a_pause() {
    let mut recording = Recording::decoding(Sound {
        on_mute: OnMute::Pause,
        ..Sound::new(MESSAGES)
    });
    let mut sender = Sender::new(recording.start);
    recording.packets(sender.send(50));
    recording.mute();
    recording.wait(Duration::from_secs(10));
    sender.pause(Duration::from_secs(10));
    recording.unmute();
    recording.packets(sender.send(50));

    let heard = Heard::of(recording);

    assert_eq!(heard.samples.len(), 2 * 16_000);
    assert_eq!(heard.messages[50].pts, Pts(11 * 48_000));
    assert_eq!(heard.mutes(), [(true, 980), (false, 10_980)]);
}

/// T3: an hour of silence is made up without holding up others for long.
#[test]
fn t3_an_hour_without_a_packet_is_made_up_piece_by_piece() {
    let mut recording = Recording::decoding(Sound::new(Outlet::Opus(QUICK)));
    let mut sender = Sender::new(recording.start);
    recording.packets(sender.send(50));
    recording.wait(Duration::from_secs(120));
    sender.pause(Duration::from_secs(120));
    recording.packets(sender.send(1));
    let after_first = recording.pipeline.progress().media();
    recording.wait(Duration::from_secs(1));
    sender.pause(Duration::from_secs(1));
    recording.packets(sender.send(1));

    let (_, summary) = recording.finish_one();

    assert!(after_first < Duration::from_secs(3), "{after_first:?}");
    let sound = summary.sound.expect("it was decoded");
    assert_eq!(sound.silent, 121 * 48_000);
    assert_eq!(sound.removed, 0);
    assert_eq!(summary.duration, Duration::from_millis(122_040));
}

/// A track of WAV is as long as the track, to the sample, and as loud as its filter makes it.
#[test]
fn a_wav_file_holds_what_the_filter_made() {
    let mut recording = Recording::decoding(Sound {
        filters: vec![gain(0.5)],
        ..Sound::new(Outlet::Pcm {
            container: Container::Wav,
            format: SPEECH,
        })
    });
    recording.packets(Sender::new(recording.start).send(100));

    let (file, summary) = recording.finish_one();

    let on_disk = super::OnDisk::new(&file);
    let probe = on_disk.probe();
    let stream = &probe["streams"][0];
    assert_eq!(stream["codec_name"], "pcm_s16le");
    assert_eq!(stream["sample_rate"], "16000");
    assert_eq!(stream["duration_ts"], 32_000);
    assert_eq!(summary.duration, Duration::from_secs(2));
    let sound = file.bytes.bytes();
    let sound: Vec<i16> = sound[sound.len() - 32_000..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let loudness = rms(&sound) / f64::from(i16::MAX);
    assert!((loudness - 0.25 / 2_f64.sqrt()).abs() < 0.01, "{loudness}");
}

/// A transformed track is an Ogg file as long as the track.
#[test]
fn a_filtered_file_is_as_long_as_the_track() {
    let mut recording = Recording::decoding(Sound {
        filters: vec![gain(0.5)],
        ..Sound::new(Outlet::Opus(QUICK))
    });
    recording.packets(Sender::new(recording.start).send(100));

    let (file, summary) = recording.finish_one();

    let (heard, end) = super::sound::heard(&file.bytes);
    assert_eq!(summary.duration, Duration::from_secs(2));
    assert!(heard.len() == 101, "one more for the encoder's delay");
    assert!(end >= Pts(2 * 48_000 + 312), "{end:?}");
}

/// In a file nothing that came is left out, however late it came; where somebody listens, silence
/// has taken its place.
#[test]
fn a_stall_of_the_network_costs_a_listener_sound_and_a_file_none() {
    let wav = Outlet::Pcm {
        container: Container::Wav,
        format: SPEECH,
    };
    for (outlet, least, most) in [(wav, 0, 0), (MESSAGES, 16_000, 24_000)] {
        let mut recording = Recording::decoding(Sound::new(outlet));
        let mut sender = Sender::new(recording.start);
        recording.packets(sender.send(50));
        let late = sender.send(100);
        recording.wait(Duration::from_secs(2));
        let now = recording.now;
        recording.packets(late.into_iter().map(|packet| RtpPacket {
            arrival: now,
            ..packet
        }));
        sender.now = now;
        recording.packets(sender.send(50));

        let summary = match outlet {
            MESSAGES => Heard::of(recording).summary,
            _ => recording.finish_one().1,
        };

        let sound = summary.sound.as_ref().expect("it was decoded");
        assert_eq!(summary.duration, Duration::from_secs(4), "{outlet:?}");
        assert!((least..=most).contains(&sound.removed), "{sound:?}");
        assert_eq!(sound.decoded + sound.silent, 4 * 16_000, "{sound:?}");
    }
}

/// A publisher whose packets overlap more and more loses what is too much, 2.5 ms at a time.
#[test]
fn t5_a_media_clock_that_is_slow_is_followed_to_2_5_ms() {
    let mut recording = Recording::decoding(Sound::new(MESSAGES));
    let sent = Sender::new(recording.start).send(1_000);
    recording.packets((0..).zip(sent).map(|(index, packet)| RtpPacket {
        // 1 % slow.
        timestamp: MediaTime(packet.timestamp.0 - index * 960 / 100),
        ..packet
    }));

    let heard = Heard::of(recording);

    let sound = heard.summary.sound.as_ref().expect("it was decoded");
    let off = sound.removed.abs_diff(1_000 * 320 / 100);
    assert!(off <= 40, "{sound:?}");
    heard.assert_gapless();
}

/// S2, S4: Opus packets go out as they came, and silence while the track is muted.
#[test]
fn s2_opus_packets_are_messages_as_they_came() {
    for (on_mute, between) in [(OnMute::Silence, 500), (OnMute::Pause, 0)] {
        let mut recording = Recording::of_packets(on_mute);
        let mut sender = Sender::new(recording.start);
        let mut sent = sender.send(50);
        recording.packets(sent.iter().cloned());
        recording.mute();
        recording.wait(Duration::from_secs(10));
        sender.pause(Duration::from_secs(10));
        recording.unmute();
        let rest = sender.send(50);
        recording.packets(rest.iter().cloned());
        sent.extend(rest);

        let heard = Heard::of(recording);

        assert_eq!(heard.mutes(), [(true, 980), (false, 10_980)]);
        let is_silence = |message: &&Message| message.bytes[..] == [0xf8, 0xff, 0xfe];
        let filled = heard.messages.iter().filter(is_silence).count();
        assert!(filled.abs_diff(between) <= 1, "{filled}");
        let came = heard.messages.iter().filter(|message| !is_silence(message));
        assert!(
            came.map(|message| &message.bytes)
                .eq(sent.iter().map(|packet| &packet.payload))
        );
        assert_eq!(heard.messages.last().expect("some").pts, Pts(11_980 * 48));
    }
}

/// What a filter that only looks says has the place of what it saw, and comes in order.
#[test]
fn an_inspector_puts_out_what_it_says_and_nothing_else() {
    let mut recording = Recording::decoding(Sound {
        filters: vec![setup(Talker::default(), OnError::Bypass)],
        ..Sound::new(Outlet::Nothing)
    });
    recording.packets(Sender::new(recording.start).send(50));

    let mut outputs = recording.finish_other();

    assert!(matches!(outputs.pop(), Some(Output::End(_))));
    let said: Vec<u64> = outputs.iter().map(place).collect();
    let expected: Vec<u64> = (0..50).step_by(10).map(|block| block * 960).collect();
    assert_eq!(said, expected);
    let Output::Event(event) = &outputs[1] else {
        panic!("only words come out");
    };
    assert_eq!(
        event.to_json_line().as_deref(),
        Some(
            r#"{"at_us":200000,"data":{"block":10},"event":"plugin","plugin":"talker","topic":"count"}"#
        )
    );
}

fn place(output: &Output) -> u64 {
    match output {
        Output::Event(Event {
            pts,
            kind: EventKind::Emission(..),
        }) => pts.0,
        other => panic!("{other:?} is nothing that a filter said"),
    }
}

/// A filter that may not be passed by ends the track; what came before is whole.
#[test]
fn a_filter_that_fails_may_end_the_track() {
    let dies = Talker {
        dies_at: Some(30),
        ..Talker::default()
    };
    let mut recording = Recording::decoding(Sound {
        filters: vec![setup(dies, OnError::StopTrack)],
        ..Sound::new(Outlet::Opus(QUICK))
    });
    recording.packets(Sender::new(recording.start).send(50));

    let halts = recording
        .other
        .iter()
        .filter(|output| matches!(output, Output::Halt(Halt::Track(_))));
    assert_eq!(halts.count(), 1);
    let (_, summary) = recording.finish_one();
    assert_eq!(summary.duration, Duration::from_millis(31 * 20));
    let sound = summary.sound.expect("it was decoded");
    assert_eq!(sound.switches.first[0].change, Change::StoppedTrack);
}

/// Says something with each tenth block.
#[derive(Clone, Debug, Default)]
struct Talker {
    blocks: u64,
    dies_at: Option<u64>,
    said: Option<Emission>,
}

impl Open for Talker {
    fn name(&self) -> &str {
        "talker"
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

impl Filter for Talker {
    fn process(&mut self, block: &mut AudioBlock, _: Turn) -> Result<Verdict, FilterError> {
        if self.dies_at == Some(self.blocks) {
            return Err(FilterError::Fatal("it trapped".into()));
        }
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

fn setup(open: impl Open + 'static, on_error: OnError) -> Setup {
    Setup {
        open: Box::new(open),
        on_error,
        restart: Restart::default(),
        changes: None,
    }
}

const SPEECH: Work = Work {
    rate: Some(SampleRate::HZ_16000),
    channels: Some(Channels::Mono),
};
const MESSAGES: Outlet = Outlet::Messages {
    format: SPEECH,
    frame: Duration::from_millis(20),
};
/// Opens a filter that multiplies.
#[derive(Debug)]
struct Gain(f32);

fn gain(factor: f32) -> Setup {
    setup(Gain(factor), OnError::Bypass)
}

impl Open for Gain {
    fn name(&self) -> &str {
        "gain"
    }

    fn open(
        &mut self,
        _: AudioFormat,
        _: usize,
        _: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        Ok(Box::new(Self(self.0)))
    }
}

impl Filter for Gain {
    fn process(&mut self, block: &mut AudioBlock, _: Turn) -> Result<Verdict, FilterError> {
        let samples = block.samples.iter_mut();
        samples.for_each(|sample| *sample *= self.0);
        Ok(Verdict::Changed)
    }
}

/// What a listener got.
struct Heard {
    messages: Vec<Message>,
    samples: Vec<i16>,
    events: Vec<Event>,
    summary: Summary,
}

impl Heard {
    fn of(recording: Recording) -> Self {
        let mut outputs = recording.finish_other();
        let Some(Output::End(summary)) = outputs.pop() else {
            panic!("the end comes last");
        };
        let (mut messages, mut events) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                Output::Message(message) => messages.push(message),
                Output::Event(event) => events.push(event),
                _ => {}
            }
        }
        let bytes = messages
            .iter()
            .flat_map(|message| message.bytes.chunks_exact(2));
        Self {
            samples: bytes
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
            messages,
            events,
            summary: *summary,
        }
    }

    /// Each message begins where the one before ends.
    fn assert_gapless(&self) {
        for pair in self.messages.windows(2) {
            assert_eq!(pair[1].pts, pair[0].pts.plus(960));
        }
    }

    /// What it was told of mutes, in ms.
    fn mutes(&self) -> Vec<(bool, u64)> {
        let told = self.events.iter().filter_map(|event| match event.kind {
            EventKind::Track(TrackEvent::Muted, _) => Some((true, event.pts.0 / 48)),
            EventKind::Track(TrackEvent::Unmuted, _) => Some((false, event.pts.0 / 48)),
            _ => None,
        });
        told.collect()
    }
}

fn rms(samples: &[i16]) -> f64 {
    let squares: f64 = samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum();
    let count = u32::try_from(samples.len()).expect("few");
    (squares / f64::from(count)).sqrt()
}
