//! What H.264 and H.265 have in common: NAL units behind their lengths, as H.264 and H.265 access units hold them (ISO/IEC 14496-15).

/// The name of a parameter set. Ordered as they must stand in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParameterSetId {
    /// A video parameter set of H.265, 0 to 15.
    Video(u8),
    /// A sequence parameter set, 0 to 31.
    Sequence(u8),
    /// A picture parameter set, 0 to 255.
    Picture(u8),
}

/// Which parameter set a NAL unit is, and which one it builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterSetLink {
    /// Its own name.
    pub id: ParameterSetId,
    /// The set without which it means nothing.
    pub parent: Option<ParameterSetId>,
}

/// Bytes of the length in front of each NAL unit.
pub const LENGTH_SIZE: usize = 4;

/// The NAL units of an access unit, each without its length. Ends where a length reaches beyond the
/// data; empty NAL units are passed over.
pub const fn units(access_unit: &[u8]) -> Units<'_> {
    Units { rest: access_unit }
}

/// The iterator of [`units`].
#[derive(Clone, Debug)]
pub struct Units<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.rest.split_first_chunk::<LENGTH_SIZE>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (unit, rest) = rest.split_at_checked(length)?;
            self.rest = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_end_where_a_length_lies() {
        let data = [0, 0, 0, 2, 9, 8, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 2, 6];

        let found: Vec<&[u8]> = units(&data).collect();

        assert_eq!(found, [&[9, 8][..], &[7]]);
    }
}
