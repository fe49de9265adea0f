//! The file sink on real file systems: names, locks, full disks.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use trackmill::sink::{self, Blame, FileSink, Operation, SyncPolicy, path};
use trackmill_tests::folder::names;
use trackmill_tests::small_disk::SmallDisk;

#[test]
fn nothing_is_ever_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = directory.path().join("alice.ogg");

    let first = recording(&wanted, b"first");
    let second = recording(&wanted, b"second");
    assert_eq!(second.target(), directory.path().join("alice-2.ogg"));
    let first = first.finish().unwrap();
    let second = second.finish().unwrap();
    let third = recording(&wanted, b"third").finish().unwrap();

    assert_eq!(fs::read(first).unwrap(), b"first");
    assert_eq!(fs::read(second).unwrap(), b"second");
    assert_eq!(third, directory.path().join("alice-3.ogg"));
}

#[test]
fn a_stranger_who_takes_the_name_meanwhile_keeps_his_file() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = directory.path().join("alice.ogg");
    let sink = recording(&wanted, b"ours");
    sink.write_draft(b"{}").unwrap();
    fs::write(&wanted, b"a stranger's").unwrap();

    let finished = sink.finish().unwrap();

    assert_eq!(finished, directory.path().join("alice-2.ogg"));
    assert_eq!(fs::read(&wanted).unwrap(), b"a stranger's");
    assert_eq!(fs::read(&finished).unwrap(), b"ours");
    sink::publish(&finished, b"{\"whole\":true}").unwrap();
    assert_eq!(
        names(directory.path()),
        ["alice-2.ogg", "alice-2.ogg.json", "alice.ogg"]
    );
}

#[test]
fn a_dangling_link_or_an_old_manifest_takes_a_name_too() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = directory.path().join("alice.ogg");
    symlink("nowhere", &wanted).unwrap();
    fs::write(directory.path().join("alice-2.ogg.json"), b"{}").unwrap();

    let sink = recording(&wanted, b"x");

    assert_eq!(sink.target(), directory.path().join("alice-3.ogg"));
}

#[test]
fn a_file_that_is_being_recorded_cannot_be_claimed() {
    let directory = tempfile::tempdir().unwrap();
    let sink = recording(&directory.path().join("alice.ogg"), b"x");
    let spool = sink.spool().to_path_buf();

    assert!(sink::claim(&spool).unwrap().is_none());
    assert_eq!(sink.abandon(), spool);
    assert!(sink::claim(&spool).unwrap().is_some());
}

#[test]
fn a_recording_that_holds_nothing_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let sink = recording(&directory.path().join("alice.ogg"), b"");
    sink.write_draft(b"{}").unwrap();

    sink.discard().unwrap();

    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_keeps_what_was_written() {
    let Some(disk) = SmallDisk::mount(
        "sink::a_full_disk_is_an_error_that_names_the_file_and_keeps_what_was_written",
        "size=64k",
    ) else {
        return;
    };
    let mut sink = recording(&disk.path().join("alice.ogg"), b"head");
    let block = Bytes::from(vec![7; 10_000]);
    let mut whole = 0;

    let error = loop {
        match sink.append(&[block.clone(), block.clone()]) {
            Ok(()) => whole += 1,
            Err(error) => break error,
        }
    };

    assert_eq!(error.operation, Operation::Write);
    assert_eq!(error.blame, Blame::Destination);
    assert_eq!(
        error.to_string(),
        format!("cannot write to {}", sink.spool().display())
    );
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(sink.len(), 4 + whole * 20_000);
    assert_eq!(fs::metadata(sink.spool()).unwrap().len(), sink.len());

    // Space comes back: the recording goes on as if nothing had been.
    disk.grow();
    sink.append(&[block]).unwrap();
    let finished = sink.finish().unwrap();
    assert_eq!(
        fs::metadata(finished).unwrap().len(),
        4 + whole * 20_000 + 10_000
    );
}

#[test]
fn a_full_disk_leaves_no_half_of_a_manifest() {
    let Some(disk) = SmallDisk::mount("sink::a_full_disk_leaves_no_half_of_a_manifest", "size=16k")
    else {
        return;
    };
    let file = disk.path().join("alice.ogg");
    sink::publish(&file, b"{}").unwrap();

    let error = sink::publish(&file, &[b' '; 100_000]).unwrap_err();

    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(names(disk.path()), ["alice.ogg.json"]);
    assert_eq!(fs::read(path::manifest(&file)).unwrap(), b"{}");
}

#[test]
fn a_read_only_directory_is_refused_with_its_name() {
    let Some(disk) = SmallDisk::mount("sink::a_read_only_directory_is_refused_with_its_name", "ro")
    else {
        return;
    };
    let wanted = disk.path().join("alice.ogg");

    let error = FileSink::create(&wanted, SyncPolicy::AtEnd).unwrap_err();

    assert_eq!(error.operation, Operation::Create);
    assert_eq!(error.blame, Blame::Destination);
    assert_eq!(error.location, path::spool(&wanted));
}

#[test]
fn a_directory_below_a_file_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();

    let error = FileSink::create(&file.join("rec/alice.ogg"), SyncPolicy::AtEnd).unwrap_err();

    assert_eq!(error.operation, Operation::CreateDirectory);
    assert_eq!(error.location, file.join("rec"));
    assert_eq!(error.blame, Blame::Destination);
}

fn recording(wanted: &Path, contents: &'static [u8]) -> FileSink {
    let mut sink = FileSink::create(wanted, SyncPolicy::AtEnd).expect("the directory is writable");
    sink.append(&[Bytes::from_static(contents)])
        .expect("there is space");
    sink
}
