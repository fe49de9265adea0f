//! Remote ICE candidates as they trickle in, [RFC 8838](https://www.rfc-editor.org/rfc/rfc8838).

use std::collections::VecDeque;

use str0m::Candidate;

/// Holds back candidates that came before the offer they belong to: LiveKit trickles them early.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    ufrag: Option<String>,
    early: VecDeque<Candidate>,
}

impl Inbox {
    /// Takes a candidate; gives it back if its offer is here. Of those that wait, the oldest is
    /// dropped when there are more than 64.
    pub(crate) fn add(&mut self, candidate: Candidate) -> Option<Candidate> {
        if self.is_offered(&candidate) {
            return Some(candidate);
        }
        if self.early.len() == MAX_EARLY {
            self.early.pop_front();
        }
        self.early.push_back(candidate);
        None
    }

    /// An offer with this `ice-ufrag` was accepted: what it sets free, in order of arrival.
    /// Candidates that name another ufrag stay.
    pub(crate) fn offered(&mut self, ufrag: &str) -> Vec<Candidate> {
        self.ufrag = Some(ufrag.to_owned());
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|candidate| self.is_offered(candidate));
        self.early = later.into();
        now
    }

    /// Whether an offer with this `ice-ufrag` would restart ICE.
    pub(crate) fn is_restart(&self, ufrag: &str) -> bool {
        self.ufrag.as_deref().is_some_and(|known| known != ufrag)
    }

    fn is_offered(&self, candidate: &Candidate) -> bool {
        match (&self.ufrag, candidate.ufrag()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(known), Some(ufrag)) => known == ufrag,
        }
    }
}

/// Reads a candidate attribute, [RFC 8839 §5.1](https://www.rfc-editor.org/rfc/rfc8839#section-5.1),
/// with or without `a=`. Of the extensions only `tcptype` and `ufrag` matter; the others may be
/// malformed. `None` for what we cannot use: bad syntax, a host name, another component than 1.
pub(crate) fn parse(text: &str) -> Option<Candidate> {
    let text = text.trim();
    let text = text.strip_prefix("a=").unwrap_or(text);
    let text = text.strip_prefix("candidate:").unwrap_or(text);
    let tokens: Vec<&str> = text.split_ascii_whitespace().collect();
    let (required, extensions) = tokens.split_at_checked(REQUIRED)?;
    if required.get(1) != Some(&"1") {
        return None;
    }
    let mut clean = format!("candidate:{}", required.join(" "));
    for pair in extensions.chunks_exact(2) {
        if let ["tcptype" | "ufrag", _] = pair {
            clean = format!("{clean} {}", pair.join(" "));
        }
    }
    Candidate::from_sdp_string(&clean).ok()
}

/// Foundation, component, transport, priority, address, port, `typ`, type.
const REQUIRED: usize = 8;
const MAX_EARLY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str =
        "candidate:375738803 1 tcp 1671430143 127.0.0.1 7881 typ host tcptype passive ufrag xdbg";

    #[test]
    fn a_candidate_is_read_with_and_without_its_prefix() {
        let bare = TCP.strip_prefix("candidate:").unwrap();
        for text in [TCP, bare, &format!("a={TCP}\r\n")] {
            let candidate = parse(text).unwrap();

            assert_eq!(candidate.addr(), "127.0.0.1:7881".parse().unwrap());
            assert_eq!(candidate.ufrag(), Some("xdbg"));
        }
    }

    #[test]
    fn malformed_extensions_do_no_harm() {
        let text = "candidate:1 1 udp 99 ::1 9 typ srflx raddr host.local rport x generation 0 odd";

        assert_eq!(parse(text).unwrap().addr(), "[::1]:9".parse().unwrap());
    }

    #[test]
    fn what_we_cannot_use_is_passed_over() {
        let unusable = [
            "",
            "a=candidate:",
            "candidate:1 1 udp 99 9f3c.local 9 typ host",
            "candidate:1 2 udp 99 127.0.0.1 9 typ host",
            "candidate:1 1 udp 99 127.0.0.1 99999 typ host",
            "candidate:1 1 sctp 99 127.0.0.1 9 typ host",
            "candidate:1 1 udp 99 127.0.0.1 9 typ",
        ];
        for text in unusable {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_candidate_waits_for_the_offer_it_belongs_to() {
        let mut inbox = Inbox::default();

        assert!(inbox.add(parse(TCP).unwrap()).is_none());
        assert!(inbox.offered("other").is_empty());
        assert_eq!(inbox.offered("xdbg").len(), 1);
        assert!(inbox.add(parse(TCP).unwrap()).is_some());
    }

    #[test]
    fn a_flood_of_early_candidates_is_bounded() {
        let mut inbox = Inbox::default();

        for _ in 0..1_000 {
            inbox.add(parse(TCP).unwrap());
        }

        assert_eq!(inbox.offered("xdbg").len(), MAX_EARLY);
    }
}
