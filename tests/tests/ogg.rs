//! Ogg files, judged by opusinfo, opusdec, ffprobe and crate `ogg` (media.md O1 to O3, T3).

use std::path::Path;

use bytes::Bytes;
use ogg::reading::{BasePacketReader, PageParser};
use proptest::prelude::*;
use tempfile::TempDir;
use trackmill::bitstream::opus::Toc;
use trackmill::media::{AccessUnit, ClockRate, Codec, Integrity, NtpTimestamp, Pts};
use trackmill::mux::ogg::{Ogg, recover};
use trackmill::mux::{Metadata, Muxer, Output};
use trackmill_tests::file::Growing;
use trackmill_tests::fuzz;
use trackmill_tests::inspect::{opusdec, opusinfo};
use trackmill_tests::probe::{ffmpeg, ffprobe};

/// O1: packets go in unchanged, whatever they are coded as.
#[test]
fn ogg_packets_come_out_as_they_went_in() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let kinds = [
        ["-frame_duration", "20", "-ac", "2", "-b:a", "32k"],
        ["-frame_duration", "2.5", "-ac", "1", "-b:a", "64k"],
        ["-frame_duration", "60", "-ac", "1", "-b:a", "12k"],
        ["-frame_duration", "20", "-ac", "2", "-b:a", "510k"],
    ];
    for kind in kinds {
        let packets = opus_packets(folder.path(), &kind)?;
        let length = packets.iter().map(|packet| ticks(packet)).sum::<u64>();

        let file = record(units(&packets), length);

        let path = folder.path().join("ours.ogg");
        file.write_to(&path)?;
        let read = read(file.bytes());
        assert_eq!(read.packets, packets, "{kind:?}");
        assert!(read.longest_page <= 48_000, "{kind:?}");
        opusinfo(&path)?;
        assert_eq!(opusdec(&path)?.len() as u64, length - 312, "{kind:?}");
        let probe = ffprobe(&path)?;
        let found = probe["packets"].as_array().map(Vec::len);
        assert_eq!(found, Some(packets.len()), "{kind:?}");
        assert_eq!(probe["streams"][0]["tags"]["ROOM"], "küche");
    }
    Ok(())
}

/// O3: file time is wall time after a hole of any length, and no tool complains.
#[test]
fn ogg_holes_are_filled_to_the_wall_time() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let packets = opus_packets(folder.path(), &["-ac", "1", "-application", "voip"])?;
    let holes = [960, 3 * 960, 6 * 960, 5_808, 96_000, 48_000 * 600, 7, 1_000];
    for hole in holes {
        let mut late = units(&packets);
        for unit in late.iter_mut().skip(50) {
            unit.pts = unit.pts.plus(hole);
        }
        let end = 960 * packets.len() as u64 + hole;

        let file = record(late, end);

        let path = folder.path().join("ours.ogg");
        file.write_to(&path)?;
        opusinfo(&path)?;
        assert_eq!(opusdec(&path)?.len() as u64, end - 312, "{hole} ticks");
    }
    Ok(())
}

/// O3: a decoder makes up to 120 ms of sound up, and is silent in a longer hole.
#[test]
fn ogg_long_holes_are_silent_and_short_ones_are_not() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let packets = opus_packets(folder.path(), &["-ac", "1"])?;
    for (hole, is_silent) in [(1_920, false), (48_000, true)] {
        let mut late = units(&packets);
        for unit in late.iter_mut().skip(50) {
            unit.pts = unit.pts.plus(hole);
        }

        let file = record(late, 0);

        let path = folder.path().join("ours.ogg");
        file.write_to(&path)?;
        let sound = opusdec(&path)?;
        // The middle of the hole, far from the fade at its edges.
        let middle = 50 * 960 - 312 + usize::try_from(hole)? / 2;
        let found = &sound[middle - 400..middle + 400];
        assert_eq!(
            found
                .iter()
                .all(|[left, right]| left.abs() < 2 && right.abs() < 2),
            is_silent
        );
    }
    Ok(())
}

/// T3: ten hours with 500 mutes, some of minutes, drift by less than 20 ms at any packet, and no
/// more than one page waits at a time.
#[test]
fn ogg_time_does_not_drift_in_ten_hours() {
    let mut muxer = Ogg::new(&metadata());
    let mut reader = CheckingReader::new();
    let mut random = Random(7);
    let (mut pts, mut spoken) = (0, 0);
    let end = 48_000 * 3_600 * 10;
    while pts < end {
        for _ in 0..random.below(3_000) {
            muxer.write(&unit(pts, SPEECH)).expect("a legal packet");
            reader.take(&mut muxer);
            spoken += 1;
            pts += 960;
        }
        pts += random.below(144_000 * 20);
    }

    muxer.finish(Pts(pts));
    reader.take(&mut muxer);

    assert_eq!(reader.time, pts);
    assert!(reader.is_ended);
    assert_eq!(reader.spoken.len(), spoken);
    // The n-th packet of speech is where the wall clock says, to 20 ms.
    let mut random = Random(7);
    let (mut pts, mut places) = (0, reader.spoken.iter());
    while pts < end {
        for _ in 0..random.below(3_000) {
            let place = places.next().expect("as many as were written");
            assert!(place.abs_diff(pts) <= 960, "{place} instead of {pts}");
            pts += 960;
        }
        pts += random.below(144_000 * 20);
    }
    assert!(reader.largest_page < 8 << 10);
    assert!(reader.longest_page <= 48_000);
}

/// O2: what a killed process left plays up to its last page.
#[test]
fn ogg_files_cut_anywhere_play_what_was_flushed() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let packets = opus_packets(folder.path(), &["-ac", "2"])?;
    let whole = record(units(&packets), 0);
    let mut random = Random(3);
    for _ in 0..12 {
        let cut = 4_000 + random.index(whole.bytes().len() - 4_000);
        let path = folder.path().join("cut.ogg");
        Growing::from_bytes(&whole.bytes()[..cut]).write_to(&path)?;

        let heard = opusdec(&path)?.len();

        let flushed = read(&whole.bytes()[..cut]).packets.len();
        assert!(heard >= 960 * flushed - 312, "cut at {cut}");
    }
    Ok(())
}

/// O2: a repaired file is whole for every tool, holds every packet of the intact pages, and needs
/// no second repair.
#[test]
fn ogg_files_cut_anywhere_are_repaired() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let packets = opus_packets(folder.path(), &["-ac", "2"])?;
    let whole = record(units(&packets), 0);
    let mut random = Random(5);
    for _ in 0..100 {
        let cut = 5_000 + random.index(whole.bytes().len() - 5_000);
        let mut file = Growing::from_bytes(&whole.bytes()[..cut]);

        let repair = recover(&file.bytes())?;

        let (units, duration) = (repair.units, repair.duration);
        file.repair(repair);
        let read = read(file.bytes());
        assert_eq!(read.packets, packets[..read.packets.len()]);
        assert_eq!(units, read.packets.len() as u64);
        assert_eq!(duration, ClockRate::OPUS.duration(units * 960 - 312));
        assert!(recover(&file.bytes())?.outputs.is_empty());
        if cut.is_multiple_of(8) {
            let path = folder.path().join("repaired.ogg");
            file.write_to(&path)?;
            opusinfo(&path)?;
        }
    }
    let repair = recover(&whole.bytes())?;
    assert_eq!(repair.keep, whole.bytes().len() as u64);
    assert!(repair.outputs.is_empty());
    Ok(())
}

proptest! {
    /// Recovery takes whatever the disk gives, and what it repairs needs no other repair.
    #[test]
    fn ogg_recovery_survives_damage(
        damage in prop::collection::vec((0..2_000_usize, any::<u8>()), 0..4),
        len in 0..2_000_usize,
    ) {
        let units = (0..200).map(|index| unit(index * 960, SPEECH)).collect();
        let mut file = record(units, 0).bytes().to_vec();
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(len);
        fuzz::recover_ogg(&file);
    }
}

/// Writes all units and ends the track.
fn record(units: Vec<AccessUnit>, end: u64) -> Growing {
    let mut muxer = Ogg::new(&metadata());
    let mut file = Growing::default();
    for unit in &units {
        muxer.write(unit).expect("a legal packet");
        file.drain(&mut muxer);
    }
    muxer.finish(Pts(end));
    file.drain(&mut muxer);
    file
}

/// Six seconds of sound that changes all the time, coded by libopus.
pub(crate) fn opus_packets(folder: &Path, options: &[&str]) -> anyhow::Result<Vec<Bytes>> {
    let path = folder.join("theirs.ogg");
    let source = "aevalsrc='sin(500*t*t)+0.2*sin(3000*t)':s=48000:d=6";
    let mut arguments = vec!["-f", "lavfi", "-i", source, "-c:a", "libopus"];
    arguments.extend(options);
    ffmpeg(
        arguments
            .iter()
            .map(AsRef::as_ref)
            .chain([path.as_os_str()]),
    )?;
    Ok(read(&std::fs::read(path)?).packets)
}

/// The packets one behind the other.
pub(crate) fn units(packets: &[Bytes]) -> Vec<AccessUnit> {
    let mut pts = 0;
    packets
        .iter()
        .map(|packet| {
            let unit = unit(pts, packet.clone());
            pts += ticks(packet);
            unit
        })
        .collect()
}

fn unit(pts: u64, packet: impl Into<Bytes>) -> AccessUnit {
    AccessUnit {
        pts: Pts(pts),
        is_keyframe: true,
        integrity: Integrity::Whole,
        data: packet.into(),
    }
}

fn ticks(packet: &[u8]) -> u64 {
    Toc::parse(packet)
        .expect("a legal packet")
        .duration()
        .into()
}

fn metadata() -> Metadata {
    Metadata {
        codec: Codec::Opus,
        room: "küche".to_owned(),
        participant: "alice".to_owned(),
        track: "TR_AMx4".to_owned(),
        started_at: NtpTimestamp(0xee00_0000_8000_0000),
    }
}

/// What crate `ogg` finds, up to the first torn page.
fn read(file: &[u8]) -> CheckingReader {
    let mut reader = CheckingReader::new();
    let mut rest = file;
    while let Some((page, behind)) = split_page(rest) {
        reader.add(page);
        rest = behind;
    }
    reader
}

/// The first page and what follows it; `None` if it is torn.
fn split_page(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut parser, segments) = PageParser::new(*bytes.first_chunk()?).ok()?;
    let lacing = bytes.get(27..27 + segments)?;
    bytes.split_at_checked(27 + segments + parser.parse_segments(lacing.to_vec()))
}

/// Reads pages with crate `ogg`, checks what every player relies on, and forgets the speech.
struct CheckingReader {
    reader: BasePacketReader,
    headers: usize,
    packets: Vec<Bytes>,
    spoken: Vec<u64>,
    time: u64,
    is_ended: bool,
    largest_page: usize,
    longest_page: u64,
}

impl CheckingReader {
    fn new() -> Self {
        Self {
            reader: BasePacketReader::new(),
            headers: 0,
            packets: Vec::new(),
            spoken: Vec::new(),
            time: 0,
            is_ended: false,
            largest_page: 0,
            longest_page: 0,
        }
    }

    /// Takes the pages that a muxer has ready, one at a time.
    fn take(&mut self, muxer: &mut Ogg) {
        while let Some(output) = muxer.poll_output() {
            let Output::Append(page) = output else {
                panic!("Ogg needs no patch");
            };
            self.add(&page);
            self.packets.clear();
        }
    }

    fn add(&mut self, page: &[u8]) {
        let header = page.first_chunk().expect("a whole page");
        let (mut parser, segments) = PageParser::new(*header).expect("a page");
        let (lacing, body) = page.split_at(27).1.split_at(segments);
        parser.parse_segments(lacing.to_vec());
        let body = body.to_vec();
        let parsed = parser
            .parse_packet_data(body)
            .expect("the checksum is right");
        self.reader.push_page(parsed).expect("pages in order");
        self.largest_page = self.largest_page.max(page.len());
        let before = self.time;
        while let Some(packet) = self.reader.read_packet() {
            self.is_ended = packet.last_in_stream();
            if self.headers < 2 {
                self.headers += 1;
                continue;
            }
            if packet.data == SPEECH {
                self.spoken.push(self.time);
            }
            self.time += ticks(&packet.data);
            if packet.last_in_page() {
                self.check_granule(packet.absgp_page());
            }
            self.packets.push(packet.data.into());
        }
        self.longest_page = self.longest_page.max(self.time - before);
    }

    /// No jump: the granule position is the sum of the packets, but for the trimmed end.
    fn check_granule(&mut self, granule: u64) {
        if self.is_ended {
            assert!(granule <= self.time);
            self.time = granule;
        }
        assert_eq!(granule, self.time);
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub(crate) fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).expect("below a usize")
    }
}

/// A packet of 20 ms that no filler looks like.
const SPEECH: &[u8] = &[0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9];
