//! Entry points for a fuzzer, one a parser: each takes any bytes, and panics if a promise is
//! broken.

use std::time::{Duration, Instant};

use trackmill::signal::{Input, Offer, ServerMessage, Session, Settings, sdp};

/// A message of a LiveKit server, and what a session that was just opened makes of it.
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin")]
pub fn signal_message(data: &[u8]) {
    let Ok(message) = ServerMessage::decode(data) else {
        return;
    };
    let now = Instant::now();
    let mut session = Session::new(Settings::default(), now);
    session.handle_input(Input::Opened, now);
    // The first may be a welcome; the second is then said in the room.
    session.handle_input(Input::Message(message.clone()), now);
    session.handle_input(Input::Message(message), now);
    session.handle_timeout(now + Duration::from_secs(60));
    while session.poll_output().is_some() {}
}

/// An offer.
///
/// # Panics
/// If the rewritten offer is not the same offer to a reader.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let rewritten = sdp::receive_only(&text);
    assert_eq!(sdp::receive_only(&rewritten), rewritten, "rewritten twice");
    let Ok(sections) = sdp::scan(&text) else {
        return;
    };
    let kept = sdp::scan(&rewritten).expect("the rewritten offer is no worse");
    assert!(
        sections
            .iter()
            .map(|s| &s.mid)
            .eq(kept.iter().map(|s| &s.mid)),
        "the m-lines changed"
    );
    let offer = Offer {
        id: 0,
        sdp: text,
        tracks: std::iter::empty().collect(),
    };
    let streams = sdp::streams(&offer).expect("it was scanned");
    assert!(streams.len() <= sections.len(), "more streams than m-lines");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_points_take_anything() {
        for data in [&b""[..], b"\xff", b"\x0a\x00", b"m=audio\na=mid:1\n\xff"] {
            signal_message(data);
            sdp(data);
        }
    }
}
