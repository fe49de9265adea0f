//! Elements of EBML, [RFC 8794](https://www.rfc-editor.org/rfc/rfc8794): an id, a size, and as many
//! bytes of content.

use super::element::VOID;

/// Which element it is, with the marker bit that says how long the id is.
pub(super) type Id = u32;

/// Appends an element.
pub(super) fn put(out: &mut Vec<u8>, id: Id, content: &[u8]) {
    put_header(out, id, content.len());
    out.extend_from_slice(content);
}

/// Appends an element made of other elements.
pub(super) fn put_master(out: &mut Vec<u8>, id: Id, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    fill(&mut content);
    put(out, id, &content);
}

/// Appends a number in as few bytes as it takes.
pub(super) fn put_uint(out: &mut Vec<u8>, id: Id, value: u64) {
    let bytes = value.to_be_bytes();
    put(out, id, bytes.get(8 - uint_len(value)..).unwrap_or(&bytes));
}

/// Appends a floating-point number.
pub(super) fn put_float(out: &mut Vec<u8>, id: Id, value: f64) {
    put(out, id, &value.to_be_bytes());
}

/// Appends a text.
pub(super) fn put_text(out: &mut Vec<u8>, id: Id, text: &str) {
    put(out, id, text.as_bytes());
}

/// Appends `len` bytes that mean nothing. One byte cannot: an element has two.
pub(super) fn put_void(out: &mut Vec<u8>, len: usize) {
    let end = out.len() + len;
    put_id(out, VOID);
    match len {
        0..=128 => put_size(out, len.saturating_sub(2)),
        _ => out.extend_from_slice(&long_size(len as u64 - 9)),
    }
    out.resize(end, 0);
}

/// Appends the id and size of an element whose content of `size` bytes follows.
pub(super) fn put_header(out: &mut Vec<u8>, id: Id, size: usize) {
    put_id(out, id);
    put_size(out, size);
}

/// How long an element with `size` bytes of content is.
pub(super) const fn element_len(id: Id, size: usize) -> usize {
    id_len(id) + size_len(size) + size
}

/// How many bytes a number takes.
pub(super) const fn uint_len(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    if bits == 0 {
        1
    } else {
        bits.div_ceil(8) as usize
    }
}

/// A size in eight bytes, so that another can replace it.
pub(super) const fn long_size(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

/// Stands for "up to the end of the file".
pub(super) const UNKNOWN_SIZE: u64 = (1 << 56) - 1;

/// What an element begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: Id,
    /// Bytes of content; [`UNKNOWN_SIZE`] is not told from others.
    pub(super) size: u64,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

impl Header {
    /// The longest header: an id of four bytes and a size of eight.
    pub(super) const MAX: usize = 12;

    /// Reads the first bytes of an element. `None` if they are not there, or no id begins so.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, id_len) = vint(bytes, 4)?;
        let (size, size_len) = vint(bytes.get(id_len..)?, 8)?;
        Some(Self {
            id: Id::try_from(id).ok()?,
            size: size & !(1 << (7 * size_len)),
            len: id_len + size_len,
        })
    }

    /// Bytes of header and content.
    pub(super) const fn total(self) -> u64 {
        self.size.saturating_add(self.len as u64)
    }
}

/// A number behind leading zeros that say how long it is, with its marker bit.
fn vint(bytes: &[u8], longest: usize) -> Option<(u64, usize)> {
    let len = usize::try_from(bytes.first()?.leading_zeros()).ok()? + 1;
    if len > longest {
        return None;
    }
    let value = bytes.get(..len)?;
    let value = value
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((value, len))
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    let bytes = id.to_be_bytes();
    out.extend_from_slice(bytes.get(4 - id_len(id)..).unwrap_or(&bytes));
}

fn put_size(out: &mut Vec<u8>, size: usize) {
    let len = size_len(size);
    let bytes = (size as u64 | 1 << (7 * len)).to_be_bytes();
    out.extend_from_slice(bytes.get(8 - len..).unwrap_or(&bytes));
}

const fn id_len(id: Id) -> usize {
    uint_len(id as u64)
}

/// All ones are reserved for an unknown size.
const fn size_len(size: usize) -> usize {
    let bits = u64::BITS - (size as u64 + 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_out_as_they_went_in() {
        for size in [0, 1, 126, 127, 128, 16_382, 16_383, 2_097_150, 2_097_151] {
            for id in [0xa3, 0x4dbb, 0x2a_d7b1, 0x1f43_b675] {
                let mut bytes = Vec::new();
                put_header(&mut bytes, id, size);

                let header = Header::parse(&bytes).unwrap();

                assert_eq!((header.id, header.size), (id, size as u64));
                assert_eq!(header.len, bytes.len());
                assert_eq!(element_len(id, size), bytes.len() + size);
            }
        }
    }

    #[test]
    fn a_void_is_as_long_as_was_asked_for() {
        for len in (2..400).chain([16_000, 65_000]) {
            let mut bytes = Vec::new();
            put_void(&mut bytes, len);

            assert_eq!(bytes.len(), len);
            assert_eq!(Header::parse(&bytes).unwrap().total(), len as u64);
        }
    }

    #[test]
    fn numbers_take_as_few_bytes_as_they_can() {
        for (value, len) in [(0, 1), (255, 1), (256, 2), (u64::MAX, 8)] {
            assert_eq!(uint_len(value), len);
        }
    }

    #[test]
    fn torn_headers_are_none() {
        for bytes in [&[][..], &[0x1f, 0x43], &[0xa3], &[0xa3, 0x40], &[0x08; 12]] {
            assert_eq!(Header::parse(bytes), None);
        }
    }
}
