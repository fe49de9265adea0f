use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Event, Output, PeerOffer};
use crate::media::TrackSid;
use crate::signal::message::{Answer, ClientMessage, Offer};
use crate::signal::sdp::{self, SdpError};

/// Hands offers to the peer connection one at a time, and candidates never before their offer.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    outstanding: Option<Outstanding>,
    /// The newest offer that came while another was outstanding.
    next: Option<Offer>,
    /// The ICE user name fragment of the newest offer that was handed over.
    fragment: Option<String>,
    /// Candidates whose offer has not been handed over.
    early: VecDeque<String>,
    last_answer: Option<Answer>,
    /// The tracks in the newest offer that was handed over.
    tracks: Vec<TrackSid>,
}

/// An offer that the peer connection has not answered.
#[derive(Debug)]
struct Outstanding {
    id: u32,
    deadline: Instant,
}

impl Negotiation {
    /// Takes in an offer of the server, and hands it over unless another is outstanding.
    pub(super) fn offer(
        &mut self,
        offer: Offer,
        deadline: Instant,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), SdpError> {
        if self.outstanding.is_some() {
            self.next = Some(offer);
            return Ok(());
        }
        self.hand_over(&offer, deadline, outputs)
    }

    /// Takes in an answer of the peer connection, and hands over the next offer. An answer to an
    /// offer that is not outstanding is out of date.
    pub(super) fn answer(
        &mut self,
        answer: Answer,
        deadline: Instant,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), SdpError> {
        if !self.is_outstanding(answer.offer) {
            return Ok(());
        }
        self.outstanding = None;
        self.last_answer = Some(answer.clone());
        outputs.push_back(Output::Send(ClientMessage::Answer(answer)));
        match self.next.take() {
            Some(offer) => self.hand_over(&offer, deadline, outputs),
            None => Ok(()),
        }
    }

    /// Takes in a candidate of the server. The server sends them when it has them, often before
    /// the offer they belong to.
    pub(super) fn candidate(&mut self, candidate: String, outputs: &mut VecDeque<Output>) {
        if candidate.len() > LONGEST_CANDIDATE {
            let what = format!("a candidate of {} bytes", candidate.len());
            outputs.push_back(Output::Event(Event::Ignored { what }));
        } else if self.belongs(&candidate) {
            outputs.push_back(Output::Candidate(candidate));
        } else {
            self.early.push_back(candidate);
        }
        if self.early.len() > MAX_EARLY {
            self.early.pop_front();
            let what = format!("a candidate, because {MAX_EARLY} wait for their offer");
            outputs.push_back(Output::Event(Event::Ignored { what }));
        }
    }

    pub(super) fn is_outstanding(&self, offer: u32) -> bool {
        self.outstanding
            .as_ref()
            .is_some_and(|outstanding| outstanding.id == offer)
    }

    pub(super) const fn last_answer(&self) -> Option<&Answer> {
        self.last_answer.as_ref()
    }

    /// What the newest offer brings.
    pub(super) fn tracks(&self) -> &[TrackSid] {
        &self.tracks
    }

    /// The WebSocket is gone: the server will make its offers again.
    pub(super) fn suspend(&mut self) {
        self.outstanding = None;
        self.next = None;
    }

    /// When the peer connection must have answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.outstanding
            .as_ref()
            .map(|outstanding| outstanding.deadline)
    }

    fn hand_over(
        &mut self,
        offer: &Offer,
        deadline: Instant,
        outputs: &mut VecDeque<Output>,
    ) -> Result<(), SdpError> {
        let streams = sdp::streams(offer)?;
        self.outstanding = Some(Outstanding {
            id: offer.id,
            deadline,
        });
        self.tracks = streams.iter().map(|stream| stream.track.clone()).collect();
        self.fragment = fragment_of_offer(&offer.sdp).map(str::to_owned);
        outputs.push_back(Output::Offer(PeerOffer {
            id: offer.id,
            sdp: sdp::receive_only(&offer.sdp),
            streams,
        }));
        for candidate in std::mem::take(&mut self.early) {
            self.candidate(candidate, outputs);
        }
        Ok(())
    }

    /// Whether a candidate belongs to the newest offer that was handed over.
    fn belongs(&self, candidate: &str) -> bool {
        match (&self.fragment, fragment_of_candidate(candidate)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(offered), Some(fragment)) => offered == fragment,
        }
    }
}

fn fragment_of_offer(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

/// `candidate:… typ host ufrag xdbgUvhAClIeOetk`.
fn fragment_of_candidate(candidate: &str) -> Option<&str> {
    let mut words = candidate.split(' ');
    words.find(|word| *word == "ufrag")?;
    words.next()
}

/// How long the peer connection may take; the server waits for 15 s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// An offer comes with about ten.
const MAX_EARLY: usize = 64;
const LONGEST_CANDIDATE: usize = 512;
