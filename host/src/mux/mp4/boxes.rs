//! Boxes by hand: what `shiguredo_mp4` has no type for, or reads with more trust than a torn file
//! deserves.

use bytes::{Buf, BufMut};

/// Four letters that say what a box holds.
pub(super) type Kind = [u8; 4];

/// Appends a box whose content `write` appends.
///
/// ```text
/// ┌──────────┬──────────┬─────────┐
/// │ size: 32 │ kind: 32 │ content │   size counts itself and the kind
/// └──────────┴──────────┴─────────┘
/// ```
pub(super) fn put(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(&kind);
    write(out);
    let written = out.split_at_mut(start).1;
    let size = u32::try_from(written.len()).expect("a box with content of ours is below 4 GiB");
    let (field, _) = written.split_at_mut(4);
    field.copy_from_slice(&size.to_be_bytes());
}

/// The beginning of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes before the content: 8, or 16 with a 64-bit size.
    pub(super) len: u64,
    /// Bytes of the whole box, never less than `len`.
    pub(super) size: u64,
}

impl Header {
    /// The longest header.
    pub(super) const MAX: usize = 16;

    /// Reads it from the beginning of a box. `None` if it is torn, or has no size of its own:
    /// we write no box that goes to the end of the file.
    pub(super) fn parse(mut bytes: &[u8]) -> Option<Self> {
        let short = bytes.try_get_u32().ok()?;
        let mut kind = Kind::default();
        bytes.try_copy_to_slice(&mut kind).ok()?;
        let (len, size) = match short {
            1 => (16, bytes.try_get_u64().ok()?),
            _ => (8, u64::from(short)),
        };
        (size >= len).then_some(Self { kind, len, size })
    }

    /// Bytes of the content.
    pub(super) const fn content(&self) -> u64 {
        self.size - self.len
    }
}

/// The content of the first box of a kind in a row of boxes.
pub(super) fn find(mut bytes: &[u8], kind: Kind) -> Option<&[u8]> {
    loop {
        let header = Header::parse(bytes)?;
        let (found, rest) = bytes.split_at_checked(usize::try_from(header.size).ok()?)?;
        if header.kind == kind {
            return found.get(usize::try_from(header.len).ok()?..);
        }
        bytes = rest;
    }
}

/// The header of an `mdat` with a 64-bit size: what the placeholder becomes when the file is
/// finished.
pub(super) fn large_mdat_header(size: u64) -> [u8; Header::MAX] {
    let mut header = [0; Header::MAX];
    let mut fields = header.as_mut_slice();
    fields.put_u32(1);
    fields.put_slice(b"mdat");
    fields.put_u64(size);
    header
}

/// A `free` box with room for a [`large_mdat_header`].
pub(super) const PLACEHOLDER: [u8; Header::MAX] = *b"\0\0\0\x10free\0\0\0\0\0\0\0\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_counts_its_own_header() {
        let mut out = vec![0xff];

        put(&mut out, *b"moof", |out| {
            put(out, *b"mfhd", |out| out.put_u16(7))
        });

        assert_eq!(out, b"\xff\0\0\0\x12moof\0\0\0\x0amfhd\0\x07");
    }

    #[test]
    fn a_header_says_where_the_box_ends() {
        let short = Header::parse(b"\0\0\0\x09free.").unwrap();
        let large = Header::parse(&large_mdat_header(5 << 32)).unwrap();

        assert_eq!((short.len, short.size, short.content()), (8, 9, 1));
        assert_eq!((large.len, large.size), (16, 5 << 32));
        assert_eq!(Header::parse(&PLACEHOLDER).unwrap().size, 16);
    }

    #[test]
    fn a_header_without_a_sensible_size_is_none() {
        for torn in [
            b"".as_slice(),
            b"\0\0\0\x08moo",
            b"\0\0\0\x07moov",
            b"\0\0\0\0moov\0\0\0\0",
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f",
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0",
        ] {
            assert_eq!(Header::parse(torn), None, "{torn:?}");
        }
    }
}
