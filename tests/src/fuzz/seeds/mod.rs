//! The inputs that every corpus begins with: captures, encoded clips, messages, torn files.

mod files;
mod messages;
mod packets;
mod sound;

use std::fs;
use std::path::Path;

use anyhow::Context;

/// An input, and the target it is for.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target's name.
    pub target: &'static str,
    /// The name of the file.
    pub name: String,
    /// What is in it.
    pub input: Vec<u8>,
}

impl Seed {
    fn new(target: &'static str, name: impl Into<String>, input: Vec<u8>) -> Self {
        Self {
            target,
            name: name.into(),
            input,
        }
    }
}

/// Makes all of them.
///
/// # Errors
/// Test data or ffmpeg are missing.
pub fn all() -> anyhow::Result<Vec<Seed>> {
    let mut seeds = packets::received();
    seeds.extend(tcp_streams());
    seeds.extend(packets::depacketized()?);
    seeds.extend(packets::units()?);
    seeds.extend(sound::decoded()?);
    seeds.extend(sound::played()?);
    seeds.extend(offers()?);
    seeds.extend(messages::all());
    seeds.extend(path_templates());
    seeds.extend(files::torn()?);
    Ok(seeds)
}

/// Pieces of a stream, each behind its length; in it datagrams, each behind its own.
fn tcp_streams() -> Vec<Seed> {
    let seed = |(name, input): (&str, &[u8])| Seed::new("tcp_framing", name, input.to_vec());
    [
        (
            "one-piece",
            &[9, 0, 2, b'a', b'b', 0, 3, b'c', b'd', b'e'][..],
        ),
        ("cut", &[1, 0, 2, 2, b'a', 3, b'b', 0, 1, 0, 1, b'c']),
        ("keep-alive", &[4, 0, 0, 0, 0, 5, 0, 0, 0, 1, b'a']),
        ("unfinished", &[7, 0, 1, b'a', 0xff, 0xff, b'b', b'c']),
    ]
    .map(seed)
    .into()
}

/// Those of a real server, but for the longest.
fn offers() -> anyhow::Result<Vec<Seed>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sdp");
    let mut seeds = Vec::new();
    for entry in fs::read_dir(&folder).context("test data")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".offer.sdp") {
            let mut input = fs::read(&path)?;
            input.truncate(5_000);
            seeds.push(Seed::new("sdp", name, input));
        }
    }
    Ok(seeds)
}

fn path_templates() -> Vec<Seed> {
    let seed =
        |(name, text): (&str, &str)| Seed::new("path_template", name, text.as_bytes().to_vec());
    let long = format!("{{track_id}}{{room_id}}\0{}", "ü".repeat(300));
    [
        (
            "tokens",
            "/rec/{room_name}/{publisher_identity}-{time}.mp4\0../../etc/passwd",
        ),
        ("traversal", "../..//./{track_source}{utc}/..{retry}/\0.."),
        ("default", "\0/"),
        ("long", &long),
        ("device", "{track_type}{room_name}\0CON\\:*?\"<>|\u{202e}\n"),
    ]
    .map(seed)
    .into()
}
