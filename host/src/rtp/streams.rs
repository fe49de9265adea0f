use std::collections::VecDeque;

use super::StreamDescription;
use super::stream::Stream;
use crate::media::Ssrc;
use crate::srtp::Source;

/// The streams of one connection, found by SSRC.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Ascending by SSRC.
    routes: Vec<Route>,
    streams: Vec<Stream>,
    /// What came of SSRCs that the SDP no longer names, oldest first.
    retired: VecDeque<Source>,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    ssrc: Ssrc,
    carries: Carries,
    stream: usize,
}

/// What an SSRC carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// The media stream itself.
    Media,
    /// Its retransmissions.
    Rtx,
}

impl Streams {
    /// Replaces the set of streams. An SSRC that stays keeps its state; of two m-lines with the
    /// same SSRC the first has it.
    ///
    /// An SSRC that comes back under the same keys keeps its replay windows too: otherwise what
    /// somebody recorded off the wire could be played to us again.
    pub(super) fn set(&mut self, descriptions: &[StreamDescription]) {
        self.routes.clear();
        let mut old = std::mem::take(&mut self.streams);
        self.retired
            .extend(old.iter_mut().filter_map(Stream::take_rtx));
        for description in descriptions {
            self.add(description, &mut old);
        }
        self.routes.sort_unstable_by_key(|route| route.ssrc);
        self.retired.extend(old.into_iter().map(Stream::into_media));
        self.retired.retain(|source| source.newest().is_some());
        let excess = self.retired.len().saturating_sub(MAX_RETIRED);
        self.retired.drain(..excess);
    }

    /// Forgets what came: it was under other keys.
    pub(super) fn restart(&mut self) {
        self.retired.clear();
        self.streams.iter_mut().for_each(Stream::restart);
    }

    /// The stream that `ssrc` belongs to.
    pub(super) fn find(&mut self, ssrc: Ssrc) -> Option<(&mut Stream, Carries)> {
        let route = self.route(ssrc)?;
        Some((self.streams.get_mut(route.stream)?, route.carries))
    }

    /// The stream whose media `ssrc` carries.
    pub(super) fn media(&mut self, ssrc: Ssrc) -> Option<&mut Stream> {
        let (stream, carries) = self.find(ssrc)?;
        (carries == Carries::Media).then_some(stream)
    }

    /// The same, to look at.
    pub(super) fn peek(&self, ssrc: Ssrc) -> Option<&Stream> {
        let route = self.route(ssrc)?;
        let stream = self.streams.get(route.stream)?;
        (route.carries == Carries::Media).then_some(stream)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.streams.iter_mut()
    }

    fn add(&mut self, description: &StreamDescription, old: &mut Vec<Stream>) {
        if !self.add_route(description.ssrc, Carries::Media) {
            return;
        }
        let rtx = description
            .rtx
            .filter(|ssrc| self.add_route(*ssrc, Carries::Rtx))
            .map(|ssrc| self.source(ssrc));
        let kept = old
            .iter()
            .position(|stream| stream.ssrc() == description.ssrc);
        let mut stream = match kept {
            Some(position) => old.swap_remove(position),
            None => Stream::new(self.source(description.ssrc)),
        };
        stream.describe(description, rtx);
        self.streams.push(stream);
    }

    /// Leads `ssrc` to the stream that is pushed next; not if it is taken.
    fn add_route(&mut self, ssrc: Ssrc, carries: Carries) -> bool {
        let is_free = self.routes.iter().all(|route| route.ssrc != ssrc);
        if is_free {
            self.routes.push(Route {
                ssrc,
                carries,
                stream: self.streams.len(),
            });
        }
        is_free
    }

    /// What is known of `ssrc`.
    fn source(&mut self, ssrc: Ssrc) -> Source {
        self.retired
            .iter()
            .position(|source| source.ssrc() == ssrc)
            .and_then(|position| self.retired.remove(position))
            .unwrap_or_else(|| Source::new(ssrc))
    }

    fn route(&self, ssrc: Ssrc) -> Option<Route> {
        let found = self
            .routes
            .binary_search_by_key(&ssrc, |route| route.ssrc)
            .ok()?;
        self.routes.get(found).copied()
    }
}

/// SSRCs that are remembered after the SDP dropped them. The server draws new ones at random.
const MAX_RETIRED: usize = 64;
