//! What players show about the file: the item list that iTunes began and everybody reads.

use bytes::BufMut;
use shiguredo_mp4::boxes::UnknownBox;
use shiguredo_mp4::{BoxSize, BoxType};

use super::boxes::{Kind, put};
use crate::mux::Metadata;

/// The `udta` box of the movie: room, participant and track as title, artist and comment.
pub(super) fn user_data(metadata: &Metadata) -> UnknownBox {
    let mut payload = Vec::new();
    put(&mut payload, *b"meta", |out| {
        out.put_u32(0);
        put(out, *b"hdlr", |out| {
            out.put_u64(0);
            out.put_slice(b"mdirappl");
            out.put_bytes(0, 9);
        });
        put(out, *b"ilst", |out| {
            put_text(out, *b"\xa9nam", &metadata.room);
            put_text(out, *b"\xa9ART", &metadata.participant);
            put_text(out, *b"\xa9cmt", &metadata.track);
            put_text(out, *b"\xa9too", "trackmill");
        });
    });
    let kind = BoxType::Normal(*b"udta");
    UnknownBox {
        box_type: kind,
        box_size: BoxSize::with_payload_size(kind, payload.len() as u64),
        payload,
    }
}

/// One item. Identities are up to the user, so a very long one is cut.
fn put_text(out: &mut Vec<u8>, kind: Kind, text: &str) {
    let text = text
        .get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text);
    put(out, kind, |out| {
        put(out, *b"data", |out| {
            out.put_u32(UTF_8);
            out.put_u32(0);
            out.put_slice(text.as_bytes());
        });
    });
}

const UTF_8: u32 = 1;
const MAX_TEXT: usize = 1_024;
