//! Blocks, collected into clusters of known size.

use bytes::Bytes;

use super::ebml::{element_len, put, put_header, put_uint, uint_len};
use super::element as id;
use super::track::TRACK;

/// One access unit at its time.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) milliseconds: u64,
    pub(super) is_keyframe: bool,
    pub(super) data: Bytes,
}

/// The blocks of the open cluster. Its last one may be the last of the track.
#[derive(Debug)]
pub(super) struct Cluster {
    blocks: Vec<Block>,
}

/// A cluster on its way into the file.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) milliseconds: u64,
    /// Whether decoding can start at its first block.
    pub(super) is_keyframe: bool,
    pub(super) bytes: Bytes,
}

/// What is known of the last block of a track, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastTimes {
    pub(super) since_previous: u64,
    pub(super) duration: u64,
}

impl Cluster {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Whether a block at `milliseconds` would still be within [`MAX_MILLISECONDS`].
    pub(super) fn reaches(&self, milliseconds: u64) -> bool {
        self.blocks
            .first()
            .is_none_or(|first| milliseconds < first.milliseconds + MAX_MILLISECONDS)
    }

    pub(super) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Takes all blocks out.
    pub(super) fn close(&mut self) -> Option<Closed> {
        let closed = assemble(&self.blocks, None);
        self.blocks.clear();
        closed
    }

    /// Takes all blocks but the last out.
    pub(super) fn close_all_but_last(&mut self) -> Option<Closed> {
        let last = self.blocks.pop()?;
        let closed = self.close();
        self.blocks.push(last);
        closed
    }

    /// Takes all blocks out, the last one of the track among them.
    pub(super) fn finish(&mut self, times: LastTimes) -> Option<Closed> {
        let last = self.blocks.pop()?;
        let closed = assemble(&self.blocks, Some((&last, times)));
        self.blocks.clear();
        closed
    }
}

/// Writes a cluster; only the last block of a track has its duration.
fn assemble(blocks: &[Block], last: Option<(&Block, LastTimes)>) -> Option<Closed> {
    let first = blocks.first().or_else(|| last.map(|(block, _)| block))?;
    let start = first.milliseconds;
    let group = last.map(|(block, times)| group(block, start, times));
    let group = group.unwrap_or_default();
    let size = element_len(id::TIMESTAMP, uint_len(start))
        + blocks.iter().map(simple_block_len).sum::<usize>()
        + group.len();

    let mut out = Vec::with_capacity(element_len(id::CLUSTER, size));
    put_header(&mut out, id::CLUSTER, size);
    put_uint(&mut out, id::TIMESTAMP, start);
    for block in blocks {
        put_block(&mut out, id::SIMPLE_BLOCK, block, start);
    }
    out.extend_from_slice(&group);
    Some(Closed {
        milliseconds: start,
        is_keyframe: first.is_keyframe,
        bytes: out.into(),
    })
}

fn simple_block_len(block: &Block) -> usize {
    element_len(id::SIMPLE_BLOCK, BLOCK_HEADER + block.data.len())
}

/// A block with its duration; unless it is a keyframe it says where the one is that it builds on.
fn group(block: &Block, start: u64, times: LastTimes) -> Vec<u8> {
    let mut content = Vec::new();
    put_block(&mut content, id::BLOCK, block, start);
    put_uint(&mut content, id::BLOCK_DURATION, times.duration);
    if !block.is_keyframe {
        let before = times.since_previous.max(1).cast_signed().wrapping_neg();
        put(&mut content, id::REFERENCE_BLOCK, &before.to_be_bytes());
    }
    let mut out = Vec::with_capacity(element_len(id::BLOCK_GROUP, content.len()));
    put(&mut out, id::BLOCK_GROUP, &content);
    out
}

/// Appends a block: the track, the time since the cluster's start, flags, and the unit untouched.
fn put_block(out: &mut Vec<u8>, id: u32, block: &Block, start: u64) {
    let since_start = i16::try_from(block.milliseconds - start).unwrap_or(i16::MAX);
    let flags = match id {
        id::SIMPLE_BLOCK if block.is_keyframe => KEYFRAME,
        _ => 0,
    };
    let [high, low] = since_start.to_be_bytes();
    put_header(out, id, BLOCK_HEADER + block.data.len());
    out.extend_from_slice(&[0x80 | TRACK, high, low, flags]);
    out.extend_from_slice(&block.data);
}

/// Set in the flags of a `SimpleBlock` where decoding can start.
pub(super) const KEYFRAME: u8 = 0x80;
/// Track, time and flags.
pub(super) const BLOCK_HEADER: usize = 4;
/// A killed process loses no more (media.md W1).
const MAX_MILLISECONDS: u64 = 1_000;
