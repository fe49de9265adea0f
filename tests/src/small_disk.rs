//! A disk of any size, for tests of what happens when it is full or read-only.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory. It exists in the process that mounted it only, so that nothing is left
/// behind whatever happens to it.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts one with the options of `tmpfs(5)`, such as `size=64k` or `ro`.
    ///
    /// Mounting needs a mount namespace, which a process with threads cannot make for itself.
    /// Hence the test of this name (with its modules, as `cargo test` prints it) is run again in a
    /// process of its own; its failure is a panic here, and its success is `None`, on which the
    /// caller returns. Other systems than Linux have no namespaces: there it says so, and gives
    /// `None` as well; so it does on a Linux that forbids them, if `TRACKMILL_TESTS_NO_MOUNT` is
    /// set to say that this is known.
    ///
    /// # Panics
    /// The test failed in the other process, or Linux forbids namespaces.
    pub fn mount(test: &str, options: &str) -> Option<Self> {
        if std::env::var_os(INSIDE).is_none() {
            run_in_namespace(test);
            return None;
        }
        let directory = TempDir::new().expect("the temporary directory is writable");
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], directory.path());
        Some(Self { directory })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes its size 1 MiB.
    pub fn grow(&self) {
        mount(&["-o", "remount,size=1m"], self.path());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The directory cannot be removed below a mount; the mount ends with the process anyway.
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

#[expect(clippy::print_stdout, reason = "cargo shows it beside the test")]
fn run_in_namespace(test: &str) {
    let Some(namespace) = [ROOT, USER]
        .into_iter()
        .find(|arguments| can_mount(arguments))
    else {
        let is_known = !cfg!(target_os = "linux") || std::env::var_os(NO_MOUNT).is_some();
        assert!(
            is_known,
            "{test} needs a mount namespace (`unshare --mount`, or `unshare -rm` for users); where \
             that cannot be had, set {NO_MOUNT}=1 to go without the test"
        );
        println!("not run, for want of a mount namespace: {test}");
        return;
    };
    let this = std::env::current_exe().expect("a process knows its executable");
    let output = Command::new("unshare")
        .args(namespace)
        .arg(this)
        .args(["--exact", test])
        .env(INSIDE, "1")
        .output()
        .expect("it ran a moment ago");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn can_mount(namespace: &[&str]) -> bool {
    let mut probe = Command::new("unshare");
    probe
        .args(namespace)
        .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    probe.output().is_ok_and(|output| output.status.success())
}

fn mount(arguments: &[&str], directory: &Path) {
    let status = Command::new("mount")
        .args(arguments)
        .arg(directory)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "mount {arguments:?}"
    );
}

const INSIDE: &str = "TRACKMILL_TESTS_NAMESPACE";
const NO_MOUNT: &str = "TRACKMILL_TESTS_NO_MOUNT";
const ROOT: &[&str] = &["--mount"];
const USER: &[&str] = &["--user", "--map-root-user", "--mount"];
