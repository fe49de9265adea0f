//! What becomes of the sound, in virtual time, whatever filters do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::testing::{Opener, any_instant};
use super::*;
use crate::media::{Channels, Marks};
use crate::plugins::Digest;

#[test]
fn filters_work_in_their_order() {
    let plus = Opener::new("plus", |_, block| {
        block.samples.iter_mut().for_each(|sample| *sample += 0.25);
        Ok(Verdict::Changed)
    });
    let mut run = Run::new(vec![setup(&Opener::gain("half", 0.5)), setup(&plus)]);

    run.blocks(3);

    assert!(run.sound().iter().all(|sample| *sample == 0.75));
}

/// P4: whatever a filter wants and however far it looks ahead, each sample stays at its place.
#[test]
fn the_sound_stays_where_it_was_and_as_long_as_it_was() {
    for (rate, channels, block, latency) in [
        (None, None, None, 0),
        (None, None, None, 700),
        (None, None, Some(480), 0),
        (None, None, Some(1_111), 123),
        (None, Some(Channels::Stereo), Some(512), 960),
        (Some(SampleRate::HZ_16000), None, None, 0),
        (
            Some(SampleRate::HZ_8000),
            Some(Channels::Stereo),
            Some(77),
            33,
        ),
        (Some(SampleRate::HZ_24000), None, Some(480), 480),
    ] {
        let opener = Opener {
            wants: Wants {
                rate,
                channels,
                block,
            },
            latency,
            ..Opener::gain("as it is", 1.0)
        };
        let mut run = Run::new(vec![setup(&opener), setup(&opener)]);
        let sent = run.tone(20);

        let came = run.finish();

        let case = format!("{rate:?} {channels:?} {block:?} {latency}");
        assert_eq!(came.len(), sent.len(), "{case}");
        let worst = came.iter().zip(&sent).map(|(a, b)| (a - b).abs());
        let worst = worst.skip(2_000).take(14_000).fold(0.0, f32::max);
        assert!(worst < 0.02, "{case}: {worst}");
        run.assert_places();
    }
}

#[test]
fn the_verdict_decides_what_goes_on() {
    let verdicts = |gaps| {
        let opener = Opener::new("judge", |number, block| {
            block.samples.fill(0.5);
            Ok(match number {
                0 => Verdict::Pass,
                1 => Verdict::Changed,
                2 => Verdict::Silence,
                _ => Verdict::Drop,
            })
        });
        let mut run = Run::with(vec![setup(&opener)], gaps);
        run.blocks(4);
        run.items
            .iter()
            .map(|item| match item {
                Item::Block(block) => Some(block.samples[0]),
                _ => None,
            })
            .collect::<Vec<_>>()
    };

    let levels = [Some(1.0), Some(0.5), Some(0.0), None];
    assert_eq!(verdicts(Gaps::Allowed), levels);
    assert_eq!(verdicts(Gaps::Silent)[..3], levels[..3]);
    assert_eq!(verdicts(Gaps::Silent)[3], Some(0.0));
}

/// P6: a moment's failure costs a block, and the filter goes on.
#[test]
fn p6_a_transient_error_costs_one_block() {
    for (on_error, level) in [(OnError::Bypass, 1.0), (OnError::Silence, 0.0)] {
        let opener = failing(
            |number| number == 1,
            || FilterError::Transient("busy".into()),
        );
        let mut run = Run::new(vec![Setup {
            on_error,
            ..setup(&opener)
        }]);

        run.blocks(3);

        assert_eq!(run.levels(), [0.5, level, 0.5]);
        assert_eq!(run.switches(), []);
        assert_eq!(opener.log().lost_before, 1);
        assert_eq!(opener.log().numbers, [0, 1, 2]);
        assert_eq!(opener.log().opened.len(), 1);
    }
}

/// P6: a filter that dies is opened again after 100 ms, and until then policy decides.
#[test]
fn p6_a_fatal_error_is_a_restart() {
    for (on_error, level, change) in [
        (OnError::Bypass, 1.0, Change::Bypassed),
        (OnError::Silence, 0.0, Change::Silenced),
    ] {
        let opener = failing(|number| number == 2, || FilterError::Fatal("trap".into()));
        let mut run = Run::new(vec![Setup {
            on_error,
            ..setup(&opener)
        }]);

        run.blocks(10);

        let mut levels = vec![0.5; 10];
        levels[2..7].fill(level);
        assert_eq!(run.levels(), levels, "{on_error:?}");
        assert_eq!(run.switches(), [(2, change), (7, Change::Restarted)]);
        assert_eq!(opener.log().lost_before, 5);
        assert_eq!(opener.log().numbers, [0, 1, 2, 7, 8, 9]);
    }
}

/// Restarts wait longer and longer; the fourth failure of a minute is the last.
#[test]
fn the_breaker_opens_after_three_restarts_of_a_minute() {
    let opener = failing(|_| true, || FilterError::Fatal("trap".into()));
    let mut run = Run::new(vec![setup(&opener)]);

    run.blocks(500);

    let changes = run.switches();
    let places: Vec<_> = changes.iter().map(|(block, _)| *block).collect();
    assert_eq!(places, [0, 5, 5, 15, 15, 35, 35]);
    assert_eq!(changes.last().unwrap().1, Change::GivenUp);
    assert_eq!(opener.log().opened.len(), 4);
    assert!(run.levels().iter().all(|level| *level == 1.0));
    let counts = run.chain.accounts()[0].counts;
    assert_eq!((counts.missed, counts.fatal, counts.restarts), (500, 4, 3));
}

/// What dies four times a minute is not opened again, whichever tracks it dies on; where it runs it
/// goes on.
#[test]
fn the_breaker_counts_failures_on_all_tracks_of_a_tenant() {
    let breakers = Breakers::default();
    let track = |opener: &Opener| {
        let fuse = Some(breakers.fuse("tenant", Digest::of(b"plugin")));
        let restart = Restart {
            fuse,
            ..Restart::default()
        };
        Run::new(vec![Setup {
            restart,
            ..setup(opener)
        }])
    };
    let dies = failing(|_| true, || FilterError::Fatal("trap".into()));
    let works = Opener::gain("works", 0.5);
    let (mut first, mut second, mut healthy) = (track(&dies), track(&dies), track(&works));
    healthy.blocks(1);

    // It dies twice on the first track and twice on the second, 400 ms apart.
    first.blocks(7);
    second.now = first.now;
    second.blocks(21);
    first.now = second.now;
    first.blocks(10);

    let gone = |run: &Run| *run.switches().last().unwrap();
    assert_eq!(gone(&second), (20, Change::GivenUp));
    assert_eq!(gone(&first), (7, Change::GivenUp));
    assert_eq!(dies.log().opened.len(), 4);
    healthy.blocks(50);
    assert_eq!(healthy.levels(), vec![0.5; 51]);
    let mut new = track(&works);
    new.now = second.now;
    new.blocks(2);
    assert_eq!(new.switches(), [(0, Change::GivenUp)]);
    assert_eq!(new.levels(), [1.0, 1.0]);
    let mut later = track(&works);
    later.now = second.now + Duration::from_secs(60);
    later.blocks(2);
    assert_eq!(later.levels(), [0.5, 0.5]);
}

#[test]
fn wrong_settings_are_not_tried_again() {
    let opener = Opener::gain("strict", 0.5);
    let refusals = vec![FilterError::Config("gain_db: not a number".into())];
    *opener.refusals.lock().unwrap() = refusals;
    let mut run = Run::new(vec![setup(&opener)]);

    run.blocks(100);

    assert_eq!(run.switches(), [(0, Change::GivenUp)]);
    assert!(run.levels().iter().all(|level| *level == 1.0));
    assert_eq!(opener.log().opened.len(), 0);
}

#[test]
fn a_filter_that_may_not_be_passed_by_stops_the_track_or_the_egress() {
    for (on_error, change) in [
        (OnError::StopTrack, Change::StoppedTrack),
        (OnError::FailEgress, Change::FailedEgress),
    ] {
        let opener = failing(|number| number == 1, || FilterError::Fatal("trap".into()));
        let mut run = Run::new(vec![Setup {
            on_error,
            ..setup(&opener)
        }]);

        run.blocks(1);
        assert_eq!(run.chain.halt(), None);
        run.blocks(1);

        let halt = run.chain.halt().cloned();
        let reason = "the filter failed: trap".to_owned();
        let expected = match on_error {
            OnError::StopTrack => Halt::Track(reason),
            _ => Halt::Egress(reason),
        };
        assert_eq!(halt, Some(expected));
        assert_eq!(run.levels(), [0.5, 0.0]);
        assert_eq!(run.switches(), [(1, change)]);
    }
}

/// P6: what is not sound never goes on.
#[test]
fn p6_output_that_is_no_sound_is_a_failure() {
    let spoils: [fn(&mut AudioBlock); 3] = [
        |block| block.samples[7] = f32::NAN,
        |block| block.samples[7] = f32::INFINITY,
        |block| block.samples.truncate(3),
    ];
    for spoil in spoils {
        let opener = Opener::new("bad", move |_, block| {
            spoil(block);
            Ok(Verdict::Changed)
        });
        let mut run = Run::new(vec![setup(&opener)]);

        run.blocks(2);

        assert_eq!(run.levels(), [1.0, 1.0]);
        assert_eq!(run.switches(), [(0, Change::Bypassed)]);
    }
}

/// Hot reload: at a block boundary, nothing lost of what was still inside.
#[test]
fn a_filter_is_replaced_at_a_block_boundary() {
    let before = Opener {
        latency: 333,
        ..Opener::gain("before", 0.5)
    };
    let after = Opener::gain("after", 0.25);
    let mut run = Run::new(vec![setup(&before)]);
    run.blocks(5);

    run.chain.replace(0, setup(&after));
    run.blocks(5);
    run.finish();

    let sound = run.sound();
    assert_eq!(sound.len(), 10 * 960);
    assert!(sound[..5 * 960].iter().all(|sample| *sample == 0.5));
    assert!(sound[5 * 960..].iter().all(|sample| *sample == 0.25));
    assert_eq!(run.switches(), [(5, Change::Replaced)]);
    assert_eq!(before.log().finished, 1);
}

/// Hot reload from afar: the last of what was sent takes the place, and can be replaced in turn.
#[test]
fn a_filter_is_changed_from_afar() {
    let openers = [0.5, 0.25, 0.125, 0.75].map(|factor| Opener::gain("gain", factor));
    let (changer, changes) = changes();
    let mut run = Run::new(vec![Setup {
        changes: Some(changes),
        ..setup(&openers[0])
    }]);
    run.blocks(2);

    changer.replace(setup(&openers[1])).unwrap();
    changer.replace(setup(&openers[2])).unwrap();
    run.blocks(2);
    changer.replace(setup(&openers[3])).unwrap();
    run.blocks(2);

    assert_eq!(run.levels(), [0.5, 0.5, 0.125, 0.125, 0.75, 0.75]);
    assert_eq!(
        run.switches(),
        [(2, Change::Replaced), (4, Change::Replaced)]
    );
    assert!(openers[1].log().opened.is_empty());
    for _ in 0..4 {
        changer.replace(setup(&openers[0])).unwrap();
    }
    assert_eq!(changer.replace(setup(&openers[0])), Err(ChangeError::Full));
    drop(run);
    assert_eq!(changer.replace(setup(&openers[0])), Err(ChangeError::Gone));
}

/// What is given up that came from afar gives way to what was there before, which hears of changes.
#[test]
fn a_change_from_afar_that_fails_is_rolled_back_and_another_is_taken() {
    let broken = failing(|_| true, || FilterError::Config("no".into()));
    let (changer, changes) = changes();
    let mut run = Run::new(vec![Setup {
        changes: Some(changes),
        ..setup(&Opener::gain("before", 0.5))
    }]);
    run.blocks(1);

    changer.replace(setup(&broken)).unwrap();
    run.blocks(3);
    changer
        .replace(setup(&Opener::gain("after", 0.25)))
        .unwrap();
    run.blocks(1);

    let changes: Vec<_> = run.switches().iter().map(|(_, change)| *change).collect();
    let expected = [
        Change::Replaced,
        Change::GivenUp,
        Change::RolledBack,
        Change::Replaced,
    ];
    assert_eq!(changes, expected);
    assert_eq!(run.levels().last(), Some(&0.25));
}

/// Hot reload: what is given up within a minute gives way to what was there before.
#[test]
fn a_replacement_that_fails_is_rolled_back() {
    let before = Opener::gain("before", 0.5);
    let broken = failing(|_| true, || FilterError::Fatal("trap".into()));
    let mut run = Run::new(vec![setup(&before)]);
    run.blocks(5);

    run.chain.replace(0, setup(&broken));
    run.blocks(100);

    let (block, change) = *run.switches().last().unwrap();
    assert_eq!((block, change), (41, Change::RolledBack));
    assert_eq!(run.chain.accounts()[0].filter, "before");
    assert!(run.levels()[41..].iter().all(|level| *level == 0.5));
}

#[test]
fn a_replacement_that_fails_later_is_not_rolled_back() {
    let before = Opener::gain("before", 0.5);
    let broken = failing(
        |number| number == 3_100,
        || FilterError::Config("late".into()),
    );
    let mut run = Run::new(vec![setup(&before)]);
    run.blocks(1);
    run.chain.replace(0, setup(&broken));

    run.blocks(3_200);

    assert_eq!(run.switches().last().unwrap().1, Change::GivenUp);
}

#[test]
fn events_go_through_all_filters_in_order_with_the_sound() {
    let ahead = Opener {
        latency: 960,
        ..Opener::gain("ahead", 1.0)
    };
    let second = Opener::gain("second", 1.0);
    let mut run = Run::new(vec![setup(&ahead), setup(&second)]);

    run.blocks(2);
    run.event(TrackEvent::Muted);
    run.event(TrackEvent::Other {
        name: "replace".into(),
        json: "{}".into(),
    });
    run.event(TrackEvent::Message {
        topic: "echo".into(),
        sender: None,
        payload: Bytes::new(),
    });
    run.blocks(1);
    run.finish();

    let order: String = run.items.iter().map(letter).collect();
    assert_eq!(order, "bbmr!!db");
    assert_eq!(second.log().events.len(), 3);
}

/// A guest hears that the track is there before its first block, and that it ended behind the last,
/// however its blocks are cut and however far a filter before it looks ahead.
#[test]
fn a_filter_hears_of_the_track_before_its_first_block_and_behind_its_last() {
    let ahead = Opener {
        latency: 500,
        ..Opener::gain("ahead", 1.0)
    };
    let long = Opener {
        wants: Wants {
            rate: Some(SampleRate::HZ_16000),
            channels: None,
            block: Some(700),
        },
        ..Opener::gain("long", 1.0)
    };
    let mut run = Run::new(vec![setup(&ahead), setup(&long)]);

    run.event(TrackEvent::Published);
    run.blocks(3);
    run.event(TrackEvent::Unpublished);
    run.finish();

    for (opener, blocks) in [(ahead, 3), (long, 2)] {
        let order: String = opener.log().order;
        assert_eq!(order, format!("p{}u", "b".repeat(blocks)), "{opener:?}");
    }
}

/// A session that begins in the midst of a track is told how things stand.
#[test]
fn a_session_that_is_opened_again_hears_how_things_stand() {
    let opener = failing(|number| number == 2, || FilterError::Fatal("trap".into()));
    let mut run = Run::new(vec![setup(&opener)]);
    let attributes = |value: &str| {
        TrackEvent::AttributesChanged(vec![("language".to_owned(), value.to_owned())])
    };

    run.event(TrackEvent::Published);
    run.event(attributes("de"));
    run.blocks(3);
    run.event(TrackEvent::Muted);
    run.event(attributes("fr"));
    run.blocks(7);

    let told = opener.log().events;
    let (before, after) = told.split_at(2);
    assert_eq!(before, [TrackEvent::Published, attributes("de")]);
    let now = [TrackEvent::Published, attributes("fr"), TrackEvent::Muted];
    assert_eq!(after, now);
}

/// P2: what passes a filter by that only looks is told to it.
#[test]
fn p2_blocks_that_go_by_a_filter_are_told_with_the_next_one() {
    let opener = Opener::gain("half", 0.5);
    let mut run = Run::new(vec![setup(&opener)]);

    run.blocks(2);
    run.chain.bypass(true);
    run.blocks(5);
    run.event(TrackEvent::Muted);
    run.chain.bypass(false);
    run.blocks(1);

    let log = opener.log();
    assert_eq!(log.lost_before, 5);
    assert_eq!((log.order.as_str(), log.events.len()), ("bbmb", 1));
    assert_eq!(run.levels(), [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]);
}

/// P10: without sound there are events, from the first to the last, and all that becomes of failures.
#[test]
fn p10_a_filter_without_sound_hears_of_events() {
    let opener = Opener::gain("watch", 1.0);
    let mut chain = Chain::without_sound(vec![setup(&opener)]);
    let mut now = any_instant();
    *opener.refusals.lock().unwrap() = vec![FilterError::Fatal("not yet".into())];

    for (at, event) in [
        (0, TrackEvent::Published),
        (960, TrackEvent::Muted),
        (9_600, TrackEvent::Unmuted),
        (19_200, TrackEvent::Unpublished),
    ] {
        chain.event(Pts(at), event, now);
        now += Duration::from_millis(60);
    }
    chain.finish(now);

    let log = opener.log();
    assert_eq!(log.opened, []);
    assert_eq!((log.order.as_str(), log.finished), ("pmnu", 1));
    let items = std::iter::from_fn(|| chain.poll());
    let switches = items.filter(|item| matches!(item, Item::Switch(_)));
    assert_eq!(switches.count(), 2);
}

fn letter(item: &Item) -> char {
    match item {
        Item::Block(_) => 'b',
        Item::Gap(_) => 'g',
        Item::Event(event) => match &event.text {
            Text::Own => 'm',
            Text::Replaced(_) => 'r',
            Text::Dropped => 'd',
        },
        Item::Emission { .. } => '!',
        Item::Switch(_) => 's',
    }
}

/// A filter that halves, and fails where it is told to, as all its sessions count.
fn failing(
    when: impl Fn(u64) -> bool + Send + Sync + 'static,
    error: impl Fn() -> FilterError + Send + Sync + 'static,
) -> Opener {
    let calls = Arc::new(Mutex::new(0));
    Opener::new("failing", move |_, block| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if when(*calls - 1) {
            return Err(error());
        }
        block.samples.iter_mut().for_each(|sample| *sample *= 0.5);
        Ok(Verdict::Changed)
    })
}

fn setup(opener: &Opener) -> Setup {
    Setup {
        open: Box::new(opener.clone()),
        on_error: OnError::Bypass,
        restart: Restart::default(),
        changes: None,
    }
}

/// A chain, and blocks of 20 ms in real time.
struct Run {
    chain: Chain,
    now: Instant,
    next: u64,
    items: Vec<Item>,
}

const MONO: AudioFormat = AudioFormat::new(SampleRate::HZ_48000, Channels::Mono);

impl Run {
    fn new(setups: Vec<Setup>) -> Self {
        Self::with(setups, Gaps::Silent)
    }

    fn with(setups: Vec<Setup>, gaps: Gaps) -> Self {
        Self {
            chain: Chain::new(setups, MONO, gaps),
            now: any_instant(),
            next: 0,
            items: Vec::new(),
        }
    }

    fn blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.block(vec![1.0; 960]);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a second is short")]
    fn tone(&mut self, blocks: usize) -> Vec<f32> {
        let tone = (0..blocks * 960).map(|at| (at as f32 * 0.05).sin());
        let tone: Vec<f32> = tone.collect();
        for block in tone.chunks(960) {
            self.block(block.to_vec());
        }
        tone
    }

    fn block(&mut self, samples: Vec<f32>) {
        let block = AudioBlock {
            format: MONO,
            pts: Pts(self.next),
            rtp_timestamp: None,
            marks: Marks::default(),
            samples,
        };
        self.next += 960;
        self.chain.process(block, self.now);
        self.collect();
        self.now += Duration::from_millis(20);
    }

    fn event(&mut self, event: TrackEvent) {
        self.chain.event(Pts(self.next), event, self.now);
        self.collect();
    }

    fn finish(&mut self) -> Vec<f32> {
        self.chain.finish(self.now);
        self.collect();
        self.sound()
    }

    fn collect(&mut self) {
        self.items.extend(std::iter::from_fn(|| self.chain.poll()));
    }

    fn sounding(&self) -> impl Iterator<Item = &AudioBlock> {
        self.items.iter().filter_map(|item| match item {
            Item::Block(block) => Some(block),
            _ => None,
        })
    }

    fn sound(&self) -> Vec<f32> {
        let blocks = self.sounding();
        blocks.flat_map(|block| block.samples.clone()).collect()
    }

    fn levels(&self) -> Vec<f32> {
        self.sounding().map(|block| block.samples[0]).collect()
    }

    fn assert_places(&self) {
        for (number, block) in (0..).zip(self.sounding()) {
            assert_eq!((block.pts, block.samples.len()), (Pts(number * 960), 960));
        }
    }

    /// By the number of the block they happened at.
    fn switches(&self) -> Vec<(u64, Change)> {
        let switches = self.items.iter().filter_map(|item| match item {
            Item::Switch(switch) => Some((switch.pts.0 / 960, switch.change)),
            _ => None,
        });
        switches.collect()
    }
}
