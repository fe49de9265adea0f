//! What a process has used up, as the kernel knows it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// User and system time of all its threads, those that have ended included.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(process.try_into()?))?;
    Ok(clock_gettime(clock)?.into())
}

/// Resident memory in bytes.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("VmRSS")?.parse::<u64>()? * 1_024)
}

/// Datagrams that the kernel dropped at its UDP sockets, because they were full.
pub(crate) fn udp_drops(process: u32) -> anyhow::Result<u64> {
    let own = socket_inodes(process)?;
    let sockets = [
        fs::read_to_string("/proc/net/udp")?,
        fs::read_to_string("/proc/net/udp6")?,
    ];
    let lines = sockets.iter().flat_map(|table| table.lines().skip(1));
    Ok(lines.filter_map(|line| drops_of(line, &own)).sum())
}

/// One-minute load average of the machine.
pub(crate) fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().context("loadavg")?.parse()?)
}

fn socket_inodes(process: u32) -> anyhow::Result<BTreeSet<String>> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.flatten();
    let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    let inode = |target: &str| {
        Some(
            target
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .to_owned(),
        )
    };
    Ok(targets
        .filter_map(|target| inode(target.to_str()?))
        .collect())
}

/// The last column of a line of `/proc/net/udp`, if the socket is one of `own`.
fn drops_of(line: &str, own: &BTreeSet<String>) -> Option<u64> {
    let mut columns = line.split_whitespace();
    let is_own = own.contains(columns.nth(INODE)?);
    columns.last().filter(|_| is_own)?.parse().ok()
}

/// The column of the inode in `/proc/net/udp`.
const INODE: usize = 9;
