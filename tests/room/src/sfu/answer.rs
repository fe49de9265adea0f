//! What the server reads in a subscriber's answer.

use std::collections::BTreeMap;

use str0m::IceCreds;

/// A subscriber's answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) credentials: Option<IceCreds>,
    pub(super) fingerprint: Option<String>,
    /// Whether the subscriber waits for our DTLS hello.
    pub(super) is_passive: bool,
    pub(super) candidates: Vec<String>,
    /// For every mid, whether the subscriber receives on it.
    pub(super) receives: BTreeMap<String, bool>,
}

impl Answer {
    /// Reads the lines that matter; unknown ones are skipped, as pion does.
    pub(super) fn parse(sdp: &str) -> Self {
        let mut answer = Self::default();
        let (mut ufrag, mut password) = (None, None);
        let (mut mid, mut receives, mut has_media) = (None, true, false);
        for line in sdp.lines() {
            if line.starts_with("m=") {
                answer.end_media(mid.take(), receives);
                receives = true;
                has_media = true;
            } else if let Some(value) = line.strip_prefix("a=mid:") {
                mid = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("a=ice-ufrag:") {
                ufrag = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("a=ice-pwd:") {
                password = Some(value.to_owned());
            } else if matches!(line, "a=sendonly" | "a=inactive") && has_media {
                receives = false;
            } else {
                answer.attribute(line);
            }
        }
        answer.end_media(mid, receives);
        answer.credentials = ufrag
            .zip(password)
            .map(|(ufrag, pass)| IceCreds { ufrag, pass });
        answer
    }

    fn attribute(&mut self, line: &str) {
        if let Some(value) = line.strip_prefix("a=fingerprint:") {
            self.fingerprint = Some(value.to_owned());
        } else if let Some(value) = line.strip_prefix("a=setup:") {
            self.is_passive = value == "passive";
        } else if let Some(value) = line.strip_prefix("a=candidate:") {
            self.candidates.push(format!("candidate:{value}"));
        }
    }

    fn end_media(&mut self, mid: Option<String>, receives: bool) {
        if let Some(mid) = mid {
            self.receives.insert(mid, receives);
        }
    }
}
