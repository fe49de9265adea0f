//! A destination that does not take it: the error names the file and the cause, the exit code is 1,
//! and what was written stays playable.

use std::path::Path;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use trackmill::sink::path;
use trackmill_tests::probe::{decode, ffprobe};
use trackmill_tests::recorder::{self, Recorded, Recorder};
use trackmill_tests::simulated_room::{self, FILES, OUTPUT, ROOM};
use trackmill_tests::small_disk::SmallDisk;

#[test]
fn a_full_disk_ends_the_recording_and_what_was_written_plays() -> anyhow::Result<()> {
    let test = "destination::a_full_disk_ends_the_recording_and_what_was_written_plays";
    let Some(disk) = SmallDisk::mount(test, "size=320k") else {
        return Ok(());
    };

    let ended = record_into(disk.path())?;

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for name in FILES {
        let spool = path::spool(&disk.path().join(name));
        assert_says(&ended, &format!("cannot write to {}", spool.display()));
        assert!(ffprobe(&spool)?["packets"].is_array(), "{name}");
    }
    assert_says(&ended, "No space left on device");
    assert_says(&ended, "trackmill recover");

    disk.grow();
    recorder::recover(disk.path())?;
    for name in FILES {
        assert!(decode(&disk.path().join(name))? > 0, "{name}");
    }
    Ok(())
}

#[test]
fn a_disk_that_is_full_from_the_start_is_left_as_it_was() -> anyhow::Result<()> {
    let test = "destination::a_disk_that_is_full_from_the_start_is_left_as_it_was";
    let Some(disk) = SmallDisk::mount(test, "size=4k") else {
        return Ok(());
    };
    std::fs::write(disk.path().join("a page"), [1; 4_096])?;

    let ended = record_into(disk.path())?;

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_says(&ended, "No space left on device");
    let left = std::fs::read_dir(disk.path())?.count();
    assert_eq!(left, 1, "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_read_only_directory_is_refused_with_the_cause() -> anyhow::Result<()> {
    let test = "destination::a_read_only_directory_is_refused_with_the_cause";
    let Some(disk) = SmallDisk::mount(test, "ro") else {
        return Ok(());
    };

    let ended = record_into(disk.path())?;

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let spool = path::spool(&disk.path().join("alice.ogg"));
    assert_says(&ended, &format!("cannot create {}", spool.display()));
    assert_says(&ended, "Read-only file system");
    Ok(())
}

#[test]
fn a_directory_below_a_file_is_refused_with_the_cause() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "a file")?;

    let ended = record_into(&file.join("rec"))?;

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let directory = file.join("rec");
    assert_says(
        &ended,
        &format!("cannot create the directory {}", directory.display()),
    );
    assert_says(&ended, "Not a directory");
    Ok(())
}

/// Records three tracks until that ends by itself.
fn record_into(folder: &Path) -> anyhow::Result<Recorded> {
    let output = folder.join(OUTPUT).display().to_string();
    Runtime::new()?.block_on(async {
        let room = simulated_room::start().await?;
        let recorder = Recorder::record(room.server(), ROOM, &["--all", "--output", &output])?;
        let recorded = recorder.end().await;
        room.close().await;
        recorded
    })
}

fn assert_says(recorded: &Recorded, text: &str) {
    let stderr = &recorded.stderr;
    assert!(stderr.contains(text), "{text:?} is not in {stderr}");
}
