//! What an instance takes of this process's memory, apart in what is the guest's own and what the host
//! keeps beside it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::command::plugin::player::{Player, Stage};
use crate::media::{AudioFormat, Marks};
use crate::plugins::Limits;

/// Resident bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resident {
    /// Linear memories of guests.
    pub(super) guests: u64,
    /// Everything else.
    pub(super) host: u64,
}

/// What an instance takes, and the instances: while they live, nothing that another measurement asks for
/// comes from memory that they gave back.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) resident: Resident,
    _tracks: Vec<Player>,
}

/// What one of `count` tracks takes that have played a moment of silence and go on at the same time, with as
/// many before them that take up what lay free in the process.
pub(super) fn of_an_instance(
    stage: &Stage,
    limits: &Limits,
    (format, now): (AudioFormat, Instant),
    count: u32,
) -> anyhow::Result<Measured> {
    let tracks = || (0..count).map(|_| track(stage, limits, format, now));
    let mut open: Vec<Player> = tracks().collect();
    open.reserve_exact(open.len());
    let before = Resident::now()?;
    open.extend(tracks());
    let after = Resident::now()?;
    let has_failed = |track: &Player| track.outcome().any(|(_, counts, _)| counts.fatal > 0);
    if open.iter().any(has_failed) {
        bail!("not all of {} instances could be opened", 2 * count);
    }
    let per_track = |after: u64, before: u64| after.saturating_sub(before) / u64::from(count);
    Ok(Measured {
        resident: Resident {
            guests: per_track(after.guests, before.guests),
            host: per_track(after.host, before.host),
        },
        _tracks: open,
    })
}

fn track(stage: &Stage, limits: &Limits, format: AudioFormat, now: Instant) -> Player {
    let mut player = Player::new(vec![stage.clone()], limits, format);
    // Three times 20 ms are a frame for every plugin, and blocks that wait for it.
    for _ in 0..3 {
        let silence = vec![0.0; format.values(player.block())];
        player.play(silence, Marks::default(), now + Duration::from_secs(1));
        while player.poll().is_some() {}
    }
    player
}

/// A mapping of `/proc/self/smaps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    /// Nobody may touch it: reserved, and nothing else.
    is_reserved: bool,
    resident: u64,
}

impl Resident {
    fn now() -> anyhow::Result<Self> {
        let path = "/proc/self/smaps";
        Ok(Self::of(&fs::read_to_string(path).context(path)?))
    }

    /// A linear memory is what lies right in front of gibibytes that are only reserved: no other memory
    /// of this process does.
    fn of(smaps: &str) -> Self {
        let mut resident = Self::default();
        let (mut next_start, mut is_guest) = (0, false);
        for mapping in mappings(smaps).into_iter().rev() {
            is_guest &= mapping.end == next_start;
            next_start = mapping.start;
            if mapping.is_reserved {
                is_guest = mapping.end - mapping.start >= RESERVATION;
            } else if is_guest {
                resident.guests += mapping.resident;
            } else {
                resident.host += mapping.resident;
            }
        }
        resident
    }
}

fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        if let Some(mapping) = header(line) {
            mappings.push(mapping);
        } else if let (Some(size), Some(mapping)) = (line.strip_prefix("Rss:"), mappings.last_mut())
        {
            let kibibytes = size.trim().trim_end_matches(" kB").parse();
            mapping.resident = kibibytes.unwrap_or(0_u64) * 1_024;
        }
    }
    mappings
}

/// `7f0000000000-7f0000001000 rw-p …`
fn header(line: &str) -> Option<Mapping> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        is_reserved: rest.starts_with("---"),
        resident: 0,
    })
}

/// Behind each linear memory 4 GiB are reserved, less what the memory has.
const RESERVATION: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_front_of_a_large_reservation_is_a_guests() {
        let smaps = "\
100000000-100010000 rw-p 00000000 00:01 5 /memfd:wasm-memory-image (deleted)
Rss:                  12 kB
Pss:                   3 kB
100010000-100020000 rw-p 00000000 00:00 0
Rss:                   8 kB
100020000-200000000 ---p 00000000 00:00 0
Rss:                   0 kB
200000000-200010000 rw-p 00000000 00:00 0
Rss:                  16 kB
200010000-200020000 ---p 00000000 00:00 0
Rss:                   0 kB
300000000-300010000 rw-p 00000000 00:00 0 [heap]
Rss:                  32 kB
";

        let resident = Resident::of(smaps);

        assert_eq!(resident.guests, 20 << 10);
        assert_eq!(resident.host, 48 << 10);
    }
}
