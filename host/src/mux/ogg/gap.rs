//! What fills a hole in an Opus track (media.md O3): packets, because a jump of the granule
//! position makes players lose time.

use crate::bitstream::opus::Toc;

/// A packet that fills a hole, and the samples at 48 kHz that it lasts.
pub(super) type Filler = ([u8; 3], u32);

/// What every Opus duration is a multiple of: 2.5 ms at 48 kHz.
pub(super) const GRID: u64 = 120;

/// Up to here the decoder makes up what is missing; behind a longer hole there is silence.
pub(super) const MAX_CONCEALED: u64 = 5_760;

/// `ticks` to the nearest multiple of [`GRID`].
pub(super) const fn round(ticks: u64) -> u64 {
    (ticks.saturating_add(GRID / 2) / GRID).saturating_mul(GRID)
}

/// The longest packet of pure silence that fits into `hole`, which is at least [`GRID`]: one CELT
/// frame whose first coded bit says "silence"
/// ([RFC 6716 §4.3](https://www.rfc-editor.org/rfc/rfc6716#section-4.3), table 56).
pub(super) fn silence(hole: u64) -> Filler {
    let config = largest(FULL_BAND, FULL_BAND + 3, hole).unwrap_or(FULL_BAND);
    ([config << 3, 0xff, 0xfe], frame_duration(config))
}

/// The table of contents of a packet without any frame data, which asks the decoder to conceal,
/// and how long: as `last`, or as much of it as fits into `hole`, which is at least [`GRID`].
pub(super) fn concealment(last: Toc, hole: u64) -> (u8, u32) {
    let config = largest(shortest(last.config), last.config, hole)
        .or_else(|| largest(celt(last.config), celt(last.config) + 3, hole))
        .unwrap_or(FULL_BAND);
    let stereo = u8::from(last.is_stereo) << 2;
    (config << 3 | stereo, frame_duration(config))
}

/// The configuration with the longest frame that fits into `hole`.
fn largest(from: u8, to: u8, hole: u64) -> Option<u8> {
    (from..=to)
        .rev()
        .find(|config| u64::from(frame_duration(*config)) <= hole)
}

/// The configuration of the same mode and bandwidth with the shortest frames (RFC 6716, table 2).
const fn shortest(config: u8) -> u8 {
    match config {
        12..=15 => config & !1,
        _ => config & !3,
    }
}

/// The CELT configuration of about the same bandwidth with frames of 2.5 ms; the other modes have
/// none below 10 ms.
const fn celt(config: u8) -> u8 {
    match config {
        0..=3 => 16,
        4..=11 => 20,
        12..=13 => 24,
        14..=15 => FULL_BAND,
        _ => shortest(config),
    }
}

fn frame_duration(config: u8) -> u32 {
    let toc = Toc {
        config,
        is_stereo: false,
        frame_count: 1,
    };
    toc.frame_duration()
}

/// CELT, 20 kHz, 2.5 ms.
const FULL_BAND: u8 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concealment_repeats_the_configuration() {
        for config in 0..32 {
            let last = toc(config);
            let frame = last.frame_duration();

            let (first, ticks) = concealment(last, frame.into());

            assert_eq!(Toc::parse(&[first]), Some(last));
            assert_eq!(ticks, frame);
        }
    }

    #[test]
    fn concealment_covers_any_hole_on_the_grid() {
        for (config, units) in (0..32).flat_map(|config| (1..=48).map(move |n| (config, n))) {
            let last = toc(config);
            let mut hole = units * GRID;
            while hole > 0 {
                let (first, ticks) = concealment(last, hole);
                let parsed = Toc::parse(&[first]).expect("a legal packet");
                assert_eq!(parsed.duration(), ticks);
                assert_eq!(parsed.is_stereo, last.is_stereo);
                hole -= u64::from(ticks);
            }
        }
    }

    #[test]
    fn silence_of_20_ms_is_what_libopus_writes_for_it() {
        assert_eq!(silence(1_000), ([0xf8, 0xff, 0xfe], 960));
        assert_eq!(silence(959), ([0xf0, 0xff, 0xfe], 480));
        assert_eq!(silence(120), ([0xe0, 0xff, 0xfe], 120));
    }

    #[test]
    fn a_hole_is_rounded_to_the_nearest_multiple_of_2_5_ms() {
        for (ticks, rounded) in [(0, 0), (59, 0), (60, 120), (179, 120), (5_808, 5_760)] {
            assert_eq!(round(ticks), rounded);
        }
    }

    fn toc(config: u8) -> Toc {
        Toc {
            config,
            is_stereo: config % 2 == 1,
            frame_count: 1,
        }
    }
}
