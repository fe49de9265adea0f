//! Well-behaved tracks beside a guest that does not behave, in the same process.

use std::sync::atomic::{AtomicBool, Ordering};

use trackmill::plugins::Instance;
use trackmill::plugins::contract::Verdict;

use crate::plugins::{frame, load, open, time};

#[test]
fn fifty_tracks_lose_no_frame_while_another_guest_traps_again_and_again() {
    let (gain, bad) = (load("gain"), load("loop_in_process"));
    let mut tracks: Vec<Instance> = (0..50).map(|_| open(&gain)).collect();
    let is_over = AtomicBool::new(false);

    let trapped = std::thread::scope(|scope| {
        let hostile = scope.spawn(|| {
            let mut trapped = 0;
            while !is_over.load(Ordering::Relaxed) {
                trapped += u32::from(open(&bad).process(&mut frame(0), time(0)).is_err());
            }
            trapped
        });
        for number in 0..50 {
            for track in &mut tracks {
                let verdict = track.process(&mut frame(number), time(number)).unwrap();
                assert!(matches!(verdict, Verdict::Replace(_)));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        hostile.join().unwrap()
    });

    assert!(trapped > 0);
    for track in &tracks {
        let statistics = track.statistics();
        assert_eq!(statistics.frames.count(), 50);
        assert_eq!(statistics.skipped, 0);
    }
}
