//! Well-behaved tracks beside guests that do not behave, in the same process.
//!
//! Time is CPU time of the thread: what a track is charged for, whatever else the machine does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trackmill::clock;
use trackmill::plugins::contract::{TrackEvent, Verdict};
use trackmill::plugins::{Engine, EngineSettings, Instance, Kind, Limits, Plugin, Times};
use trackmill_tests::{guest, recorder};

use crate::plugins::hostile::compile_bomb;
use crate::plugins::{component, engine, frame, load, open, open_with, time, try_open};

/// Each guest of `tests/guests` in turn, and a compile bomb, again and again as soon as it has failed, with
/// no policy that would slow it down. The machine is not always equally quick: a guest is judged by
/// what frames took right before and right after it.
#[test]
fn fifty_tracks_lose_no_frame_and_no_time_beside_any_guest() {
    let gain = load("gain");
    play(&gain);
    let mut before = play(&gain);

    for guest in guests() {
        let is_over = AtomicBool::new(false);
        let beside = std::thread::scope(|scope| {
            let misbehaving = scope.spawn(|| guest.misbehave(&is_over));
            let times = play(&gain);
            is_over.store(true, Ordering::Relaxed);
            assert!(misbehaving.join().unwrap() > 0, "{}", guest.name);
            times
        });
        let after = play(&gain);

        let [p99, alone, again] = [&beside, &before, &after].map(|times| times.quantile(0.99));
        let allowed = 2 * alone.max(again);
        assert!(
            p99 <= allowed,
            "{p99:?} beside {}, {alone:?} before and {again:?} after",
            guest.name
        );
        before = after;
    }
}

/// 5 ms of every 20 ms are less than each of these tracks may take for a moment; all of them together
/// take no more than a plugin may.
#[test]
fn a_hog_on_200_tracks_takes_no_more_than_a_plugin_may_and_nothing_of_50_others() {
    let share = Duration::from_millis(200);
    let engine = sharing(share);
    let limits = Limits {
        call_deadline: Duration::from_secs(5),
        ..Limits::default()
    };
    let hog = engine.load(&component("hog"), &limits).unwrap();
    let gain = load("gain");
    let begin = clock::now();
    let mut hogs: Vec<Instance> = (0..200).map(|_| open_with(&hog, &limits)).collect();
    let mut tracks: Vec<Instance> = (0..50).map(|_| open_with(&gain, &limits)).collect();

    for number in 0..100 {
        let now = begin + Duration::from_millis(20) * number;
        for hog in &mut hogs {
            hog.process(&mut frame(number), now).unwrap();
        }
        for track in &mut tracks {
            let verdict = track.process(&mut frame(number), now).unwrap();
            assert!(matches!(verdict, Verdict::Replace(_)));
        }
    }

    let of_all: Vec<_> = hogs.iter().map(Instance::statistics).collect();
    let longest = of_all.iter().map(|hog| hog.frames.max()).max().unwrap();
    let taken: Duration = of_all.iter().map(|hog| hog.total).sum();
    let opened: Duration = Duration::from_millis(1) * 200;
    // A full bucket, two seconds' worth, and what the last call takes beyond it.
    let allowed = 3 * share;
    assert!(taken <= allowed + longest + opened, "{taken:?}");
    assert!(taken > allowed / 2, "{taken:?}");
    let (frames, skipped) = of_all.iter().fold((0, 0), |(frames, skipped), hog| {
        (frames + hog.frames.count(), skipped + hog.skipped)
    });
    assert_eq!(frames + skipped, 200 * 100);
    assert!(frames > 0 && skipped > 0, "{frames} {skipped}");
    for track in &tracks {
        let statistics = track.statistics();
        assert_eq!((statistics.frames.count(), statistics.skipped), (100, 0));
    }
}

fn sharing(plugin_share: Duration) -> Engine {
    let program = recorder::binary().expect("the binary under test");
    let mut settings = EngineSettings::new(program.to_owned());
    settings.plugin_share = plugin_share;
    settings.instances = 300;
    Engine::new(&settings).expect("an engine")
}

/// Bytes that somebody uploads, and what they may use.
struct Guest {
    name: String,
    bytes: Vec<u8>,
    limits: Limits,
}

fn guests() -> Vec<Guest> {
    let mut bomb = Guest {
        name: "a compile bomb".to_owned(),
        bytes: compile_bomb(),
        limits: Limits::default(),
    };
    bomb.limits.compilation.cpu = Duration::from_secs(1);
    bomb.limits.compilation.locals_times_nesting = u64::MAX;
    let names = guest::names().expect("the guests are there").into_iter();
    let guests = names.map(|name| Guest {
        bytes: component(&name),
        name,
        limits: Limits::default(),
    });
    guests.chain([bomb]).collect()
}

impl Guest {
    /// Does what it does until it is told to stop; how often it was begun.
    fn misbehave(&self, is_over: &AtomicBool) -> usize {
        let load = || engine().load(&self.bytes, &self.limits);
        let mut plugin = load();
        let mut begun = 0;
        while begun == 0 || !is_over.load(Ordering::Relaxed) {
            begun += 1;
            match &plugin {
                Ok(plugin) => run(plugin),
                Err(_) => plugin = load(),
            }
        }
        begun
    }
}

fn run(plugin: &Plugin) {
    let Ok(mut track) = try_open(plugin, "", &Limits::default()) else {
        return;
    };
    for number in 0..10 {
        drop(track.on_event(&TrackEvent::Muted, time(number)));
        let (mut frame, now) = (frame(number), time(number));
        let called = match plugin.kind() {
            Kind::Transformer => track.process(&mut frame, now).map(drop),
            Kind::Inspector => track.inspect(&mut frame, now),
        };
        if called.is_err() {
            return;
        }
    }
    drop(track.finish(time(10)));
}

/// Half a second of fifty tracks that behave; what each frame took. None is lost.
fn play(gain: &Plugin) -> Times {
    let mut tracks: Vec<Instance> = (0..50).map(|_| open(gain)).collect();
    for number in 0..25 {
        for track in &mut tracks {
            let verdict = track
                .process(&mut frame(number), time(number))
                .expect("a frame is taken");
            assert!(matches!(verdict, Verdict::Replace(_)));
        }
    }
    let mut times = Times::default();
    for track in tracks {
        let statistics = track.statistics();
        assert_eq!((statistics.frames.count(), statistics.skipped), (25, 0));
        times.add_all(&statistics.frames);
    }
    times
}
