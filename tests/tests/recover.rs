//! `trackmill recover` on files as a crash leaves them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use tempfile::TempDir;
use trackmill::command::{Cli, Command, Exit, recover};
use trackmill::egress::manifest::{Manifest, Status, Subject};
use trackmill::egress::recovery::{self, Leftover, Mode, Recovery, RecoveryError};
use trackmill::media::{AccessUnit, AudioFormat, Codec, Integrity, NtpTimestamp, Pts};
use trackmill::mux::{self, Container, Metadata, Muxer, Output};
use trackmill::sink::{self, FileSink, SyncPolicy, path};
use trackmill_tests::folder::names;

#[test]
fn a_torn_file_becomes_whole_and_says_what_it_holds() {
    for (codec, name) in [(Codec::Opus, "alice.ogg"), (Codec::Pcmu, "alice.wav")] {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join(name);
        let spool = crashed(&file, codec);

        let found = recover_all(directory.path());

        let [(leftover, Recovery::Whole(recovered))] = found.as_slice() else {
            panic!("{codec}: {found:?}");
        };
        assert_eq!(*leftover, Leftover::Spool(spool));
        assert_eq!(recovered.file, file);
        let manifest = read_manifest(&file);
        assert_eq!(manifest, recovered.manifest);
        assert_eq!(manifest.status, Status::Recovered);
        assert_eq!(manifest.subject, Some(subject()));
        assert_eq!(manifest.bytes, fs::metadata(&file).unwrap().len());
        assert!(
            manifest.duration.abs_diff(Duration::from_secs(5)) < Duration::from_millis(1_100),
            "{manifest:?}"
        );
        let whole = mux::recovery::repair(&fs::read(&file).unwrap().as_slice()).unwrap();
        assert!(whole.outputs.is_empty(), "{codec}");
        assert_eq!(
            names(directory.path()),
            [name.to_owned(), format!("{name}.json")]
        );
        assert!(recover_all(directory.path()).is_empty());
    }
}

/// The last bytes of the crash are the middle of a sample. Only the draft tells how long raw samples
/// last.
#[test]
fn decoded_sound_becomes_whole_too() {
    for (container, name, told, seconds) in [
        (Container::Wav, "alice.wav", None, 5),
        (Container::Pcm, "alice.pcm", None, 0),
        (Container::Pcm, "alice.pcm", Some(AudioFormat::OPUS), 5),
    ] {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join(name);
        let metadata = metadata(Codec::Opus);
        let mut muxer = mux::for_pcm(container, AudioFormat::OPUS, &metadata).unwrap();
        let sound = appended(&mut *muxer, 960, 3_840);
        let header = sound.iter().map(Bytes::len).sum::<usize>() - 5 * 192_000;
        let spool = crashed_after(&file, &sound);
        let draft = Manifest {
            subject: Some(subject().sampled(told)),
            ..Manifest::unknown(name)
        };
        fs::write(path::manifest(&spool), draft.to_json()).unwrap();

        let found = recover_all(directory.path());

        assert!(
            matches!(found.as_slice(), [(_, Recovery::Whole(_))]),
            "{name}: {found:?}"
        );
        let manifest = read_manifest(&file);
        assert_eq!(manifest.status, Status::Recovered);
        assert_eq!(manifest.bytes, (header + 5 * 192_000 - 4) as u64);
        assert_eq!(manifest.bytes, fs::metadata(&file).unwrap().len());
        let short = Duration::from_secs(seconds).abs_diff(manifest.duration);
        assert!(short < Duration::from_millis(1), "{manifest:?}");
        assert_eq!(manifest.units.written, seconds * 50);
        assert!(recover_all(directory.path()).is_empty());
    }
}

#[test]
fn a_file_without_a_draft_is_recovered_too() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("alice.ogg");
    let spool = crashed(&file, Codec::Opus);
    fs::write(path::manifest(&spool), b"{ torn").unwrap();

    recover_all(directory.path());

    let manifest = read_manifest(&file);
    assert_eq!(manifest.subject, None);
    assert_eq!(manifest.file, "alice.ogg");
    assert!(manifest.duration > Duration::from_secs(3));
}

#[test]
fn a_running_recording_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let running = FileSink::create(&directory.path().join("bob.ogg"), SyncPolicy::AtEnd).unwrap();

    let found = recover_all(directory.path());

    assert!(
        matches!(found.as_slice(), [(_, Recovery::Recording)]),
        "{found:?}"
    );
    assert!(running.spool().exists());
}

#[test]
fn a_recovered_file_overwrites_nothing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("alice.ogg");
    crashed(&file, Codec::Opus);
    fs::write(&file, b"a later one").unwrap();

    recover_all(directory.path());

    let second = directory.path().join("alice-2.ogg");
    assert_eq!(fs::read(&file).unwrap(), b"a later one");
    assert_eq!(read_manifest(&second).file, "alice-2.ogg");
    assert_eq!(read_manifest(&second).subject, Some(subject()));
    assert_eq!(
        names(directory.path()),
        ["alice-2.ogg", "alice-2.ogg.json", "alice.ogg"]
    );
}

#[test]
fn a_crash_between_rename_and_manifest_costs_nothing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("alice.ogg");
    let spool = crashed(&file, Codec::Opus);
    sink::name_finished(&spool, &file).unwrap();

    let found = recover_all(directory.path());

    assert!(
        matches!(
            found.as_slice(),
            [(Leftover::Finished(_), Recovery::Whole(_))]
        ),
        "{found:?}"
    );
    assert_eq!(read_manifest(&file).subject, Some(subject()));
    assert_eq!(names(directory.path()), ["alice.ogg", "alice.ogg.json"]);
}

#[test]
fn listing_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let spool = crashed(&directory.path().join("alice.ogg"), Codec::Opus);
    let before = (names(directory.path()), fs::read(&spool).unwrap());

    let found = recovery::recover(&Leftover::Spool(spool.clone()), Mode::List).unwrap();

    assert!(matches!(found, Recovery::Whole(_)), "{found:?}");
    assert_eq!((names(directory.path()), fs::read(&spool).unwrap()), before);
}

#[test]
fn what_cannot_be_repaired_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty.ogg.part");
    let foreign = directory.path().join("foreign.ogg.part");
    fs::write(&empty, b"").unwrap();
    fs::write(&foreign, b"#!/bin/sh\nexit 0\n").unwrap();

    let of_empty = recovery::recover(&Leftover::Spool(empty), Mode::Repair);
    let of_foreign = recovery::recover(&Leftover::Spool(foreign.clone()), Mode::Repair);

    assert!(matches!(of_empty, Ok(Recovery::Empty(_))), "{of_empty:?}");
    assert!(
        matches!(of_foreign, Err(RecoveryError::Repair { .. })),
        "{of_foreign:?}"
    );
    assert_eq!(
        names(directory.path()),
        ["empty.ogg.part", "foreign.ogg.part"]
    );
    assert_eq!(fs::read(foreign).unwrap(), b"#!/bin/sh\nexit 0\n");
}

#[test]
fn directories_are_searched_as_deep_as_asked_and_links_are_not_followed() {
    let directory = TempDir::new().unwrap();
    let deep = directory.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x.ogg.part"), b"").unwrap();
    symlink(&deep, directory.path().join("link")).unwrap();

    for (depth, expected) in [(0, 0), (1, 0), (2, 1), (usize::MAX, 1)] {
        assert_eq!(
            recovery::find(directory.path(), depth).len(),
            expected,
            "{depth}"
        );
    }
}

#[test]
fn the_exit_code_says_what_came_of_it() {
    let directory = TempDir::new().unwrap();
    let exit = |options: &[&str], path: &Path| {
        let words = ["trackmill", "recover"].iter().chain(options);
        let words = words.map(Path::new).chain([path]);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Recover(args) => recover::run(&args),
            _ => unreachable!("the words say recover"),
        }
    };

    assert_eq!(exit(&[], directory.path()), Exit::Nothing);
    assert_eq!(
        exit(&[], &directory.path().join("no-such.part")),
        Exit::Failed
    );
    crashed(&directory.path().join("alice.ogg"), Codec::Opus);
    assert_eq!(
        exit(&["--list", "--json"], directory.path()),
        Exit::Complete
    );
    assert_eq!(exit(&["--json"], directory.path()), Exit::Complete);
    assert_eq!(exit(&[], directory.path()), Exit::Nothing);
    crashed(&directory.path().join("bob.ogg"), Codec::Opus);
    fs::write(directory.path().join("foreign.ogg.part"), b"#!").unwrap();
    assert_eq!(exit(&[], directory.path()), Exit::Failed);
    assert!(directory.path().join("bob.ogg").exists());
}

/// Leaves five seconds of a track behind as a killed process does: a draft, and a spool file whose
/// last bytes are missing.
fn crashed(file: &Path, codec: Codec) -> PathBuf {
    let mut muxer = mux::for_codec(Container::of(codec), metadata(codec));
    let ticks = u64::from(codec.clock_rate().get()) / 50;
    crashed_after(file, &appended(&mut *muxer, ticks, 160))
}

fn crashed_after(file: &Path, media: &[Bytes]) -> PathBuf {
    let mut sink = FileSink::create(file, SyncPolicy::AtEnd).expect("the directory is writable");
    let name = file.file_name().expect("it is a file").to_string_lossy();
    let draft = Manifest {
        subject: Some(subject()),
        ..Manifest::unknown(&name)
    };
    sink.write_draft(draft.to_json().as_bytes())
        .expect("the directory is writable");
    for bytes in media {
        sink.append(std::slice::from_ref(bytes))
            .expect("there is space");
    }
    let spool = sink.abandon();
    let torn = fs::File::options()
        .write(true)
        .open(&spool)
        .expect("it is there");
    let len = torn.metadata().expect("it is there").len();
    torn.set_len(len - 3).expect("it can be cut");
    spool
}

/// What is appended to the file of a track of five seconds whose units last so many ticks and have so
/// many bytes.
fn appended(muxer: &mut dyn Muxer, ticks: u64, bytes: usize) -> Vec<Bytes> {
    for number in 0..250 {
        let unit = AccessUnit {
            pts: Pts(number * ticks),
            is_keyframe: true,
            integrity: Integrity::Whole,
            // For Opus, the first byte says: CELT, 20 ms, mono, one frame.
            data: Bytes::from(vec![0xf8; bytes]),
        };
        muxer.write(&unit).expect("any audio can be written");
    }
    muxer.flush();
    let outputs = std::iter::from_fn(|| muxer.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Append(bytes) => Some(bytes),
            Output::PatchHead(_) => None,
        })
        .collect()
}

fn metadata(codec: Codec) -> Metadata {
    Metadata {
        codec,
        room: "stand-up".into(),
        participant: "alice".into(),
        track: "TR_x".into(),
        started_at: NtpTimestamp(0),
    }
}

fn subject() -> Subject {
    let text = include_str!("../golden/manifest-draft.json");
    let draft = Manifest::from_json(text.as_bytes()).expect("a golden file is right");
    draft.subject.expect("a draft says what it holds")
}

fn recover_all(directory: &Path) -> Vec<(Leftover, Recovery)> {
    recovery::find(directory, usize::MAX)
        .into_iter()
        .map(|leftover| {
            let leftover = leftover.expect("the directory is readable");
            let recovery = recovery::recover(&leftover, Mode::Repair).expect("it can be repaired");
            (leftover, recovery)
        })
        .collect()
}

fn read_manifest(file: &Path) -> Manifest {
    let text = fs::read(path::manifest(file)).expect("it was written");
    Manifest::from_json(&text).expect("we wrote it")
}
