use trackmill::rtc::framing::{Deframer, frame};

/// A TCP stream, which `data` holds in pieces: the length of each before it. Whatever the pieces,
/// the same datagrams come out, and framed again they come out again.
///
/// # Panics
/// They do not.
pub fn tcp_framing(data: &[u8]) {
    let pieces = pieces(data);
    let stream = pieces.concat();

    let pulled = pull(&pieces);

    assert_eq!(pulled, datagrams(&stream));
    let mut again = Vec::new();
    for datagram in &pulled {
        frame(datagram, &mut again).expect("its length had 16 bits before");
    }
    assert_eq!(pull(&[&again]), pulled);
}

fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

fn pull(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut deframer = Deframer::default();
    let mut pulled = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        while let Some(datagram) = deframer.pull() {
            pulled.push(datagram.to_vec());
        }
    }
    pulled
}

/// The whole datagrams of a stream, but for empty ones, which only keep a connection alive.
fn datagrams(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((datagram, rest)) = rest.split_at_checked(length) else {
            break;
        };
        datagrams.push(datagram.to_vec());
        stream = rest;
    }
    datagrams.retain(|datagram| !datagram.is_empty());
    datagrams
}
