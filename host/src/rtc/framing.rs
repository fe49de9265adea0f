//! Datagrams over a TCP stream: a 16-bit length before each,
//! [RFC 4571 §2](https://www.rfc-editor.org/rfc/rfc4571#section-2), as ICE-TCP wants it
//! ([RFC 6544 §3](https://www.rfc-editor.org/rfc/rfc6544#section-3)).
//!
//! ```text
//!  0                   1
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 …
//! +-------------------------------+------------------
//! |            LENGTH             |  datagram …
//! +-------------------------------+------------------
//! ```

/// Cuts a byte stream into datagrams. Holds at most one read and one unfinished datagram.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    taken: usize,
}

impl Deframer {
    /// Takes what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole datagram, of at most 65,535 bytes. Empty ones, which some peers send to keep
    /// the connection alive, are passed over.
    pub fn pull(&mut self) -> Option<&mut [u8]> {
        let start = loop {
            let header = self.buffer.get(self.taken..self.taken + HEADER)?;
            match header {
                [0, 0] => self.taken += HEADER,
                _ => break self.taken + HEADER,
            }
        };
        let end = start + length(self.buffer.get(self.taken..start)?)?;
        let datagram = self.buffer.get_mut(start..end)?;
        self.taken = end;
        Some(datagram)
    }
}

/// Appends a datagram and its length to `stream`.
///
/// # Errors
/// [`TooLong`] if it does not fit a 16-bit length; `stream` is left as it was.
pub fn frame(datagram: &[u8], stream: &mut Vec<u8>) -> Result<(), TooLong> {
    let length = u16::try_from(datagram.len()).map_err(|_| TooLong)?;
    stream.extend_from_slice(&length.to_be_bytes());
    stream.extend_from_slice(datagram);
    Ok(())
}

/// A datagram does not fit a 16-bit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datagram is longer than 65535 bytes")]
pub struct TooLong;

fn length(header: &[u8]) -> Option<usize> {
    let header = header.try_into().ok()?;
    Some(usize::from(u16::from_be_bytes(header)))
}

const HEADER: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pull_all(deframer: &mut Deframer, datagrams: &mut Vec<Vec<u8>>) {
        while let Some(datagram) = deframer.pull() {
            datagrams.push(datagram.to_vec());
        }
    }

    proptest! {
        #[test]
        fn datagrams_survive_any_cut_of_the_stream(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            cut in 1_usize..200,
        ) {
            let mut stream = Vec::new();
            for datagram in &sent {
                frame(datagram, &mut stream).unwrap();
            }

            let (mut deframer, mut received) = (Deframer::default(), Vec::new());
            for bytes in stream.chunks(cut) {
                deframer.push(bytes);
                pull_all(&mut deframer, &mut received);
            }

            prop_assert_eq!(received, sent);
        }

        #[test]
        fn any_bytes_are_held_only_until_their_datagram_is_whole(
            reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_000), 0..30),
        ) {
            let (mut deframer, mut received) = (Deframer::default(), Vec::new());

            for bytes in &reads {
                deframer.push(bytes);
                pull_all(&mut deframer, &mut received);

                prop_assert!(deframer.buffer.len() <= HEADER + 65_535 + 1_000);
            }
        }
    }

    #[test]
    fn empty_datagrams_are_passed_over() {
        let mut deframer = Deframer::default();

        deframer.push(&[0, 0, 0, 0, 0, 1, 7, 0, 0]);

        assert_eq!(deframer.pull(), Some(&mut [7][..]));
        assert_eq!(deframer.pull(), None);
    }

    #[test]
    fn what_does_not_fit_the_length_is_refused() {
        let mut stream = vec![1];

        assert_eq!(frame(&[0; 65_536], &mut stream), Err(TooLong));
        assert_eq!(frame(&[0; 65_535], &mut stream), Ok(()));
        assert_eq!(stream.len(), 1 + HEADER + 65_535);
    }
}
