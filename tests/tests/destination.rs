//! A destination that does not take it: the error names the file and the cause, the exit code is 1,
//! and what was written stays playable.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use trackmill::sink::path;
use trackmill_tests::probe::{decode, ffprobe};
use trackmill_tests::small_disk::SmallDisk;
use trackmill_tests::victim::{self, End, FILES, Recorder};

#[test]
fn a_full_disk_ends_the_recording_and_what_was_written_plays() -> anyhow::Result<()> {
    let test = "destination::a_full_disk_ends_the_recording_and_what_was_written_plays";
    let Some(disk) = SmallDisk::mount(test, "size=320k") else {
        return Ok(());
    };

    let end = record_into(disk.path())?;

    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    for name in FILES {
        let spool = path::spool(&disk.path().join(name));
        assert_says(&end, &format!("cannot write to {}", spool.display()));
        assert!(ffprobe(&spool)?["packets"].is_array(), "{name}");
    }
    assert_says(&end, "No space left on device");
    assert_says(&end, "trackmill recover");

    disk.grow();
    victim::recover(disk.path())?;
    for name in FILES {
        assert!(decode(&disk.path().join(name))? > 0, "{name}");
    }
    Ok(())
}

#[test]
fn a_read_only_directory_is_refused_with_the_cause() -> anyhow::Result<()> {
    let test = "destination::a_read_only_directory_is_refused_with_the_cause";
    let Some(disk) = SmallDisk::mount(test, "ro") else {
        return Ok(());
    };

    let end = record_into(disk.path())?;

    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    let spool = path::spool(&disk.path().join("alice.ogg"));
    assert_says(&end, &format!("cannot create {}", spool.display()));
    assert_says(&end, "Read-only file system");
    Ok(())
}

#[test]
fn a_directory_below_a_file_is_refused_with_the_cause() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "a file")?;

    let end = record_into(&file.join("rec"))?;

    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    let directory = file.join("rec");
    assert_says(
        &end,
        &format!("cannot create the directory {}", directory.display()),
    );
    assert_says(&end, "Not a directory");
    Ok(())
}

/// Records three tracks until that ends by itself.
fn record_into(folder: &Path) -> anyhow::Result<End> {
    Runtime::new()?.block_on(async {
        let room = victim::room().await?;
        let end = Recorder::start(&room, folder)?
            .end(Duration::from_secs(60))
            .await;
        room.close().await;
        end
    })
}

fn assert_says(end: &End, text: &str) {
    assert!(
        end.stderr.contains(text),
        "{text:?} is not in {}",
        end.stderr
    );
}
