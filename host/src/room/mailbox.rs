use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::media::ParticipantIdentity;

/// Decides which data messages of the room go on to its tracks: as many as a guest can be asked to
/// listen to, and from nobody so many that the others are not heard.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    all: Window,
    /// Those who sent something lately.
    senders: BTreeMap<Option<ParticipantIdentity>, Window>,
    dropped: u64,
}

/// What came in the present second of its own.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    count: u32,
}

impl Mailbox {
    /// Whether a message goes on that came at `at`. If not, it is counted.
    pub(super) fn admit(&mut self, sender: Option<&ParticipantIdentity>, at: Instant) -> bool {
        let sender = sender.cloned();
        if !self.senders.contains_key(&sender) {
            self.senders.retain(|_, window| !window.is_over(at));
        }
        // What one sends too much is not held against the others.
        let of_sender = self.senders.entry(sender).or_default();
        let is_admitted = of_sender.take(at, OF_ONE) && self.all.take(at, OF_ALL);
        self.dropped += u64::from(!is_admitted);
        is_admitted
    }

    /// A message that was admitted did not get any further.
    pub(super) const fn lose(&mut self, count: u64) {
        self.dropped += count;
    }

    /// How many were dropped since the last call.
    pub(super) const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }
}

impl Window {
    fn take(&mut self, at: Instant, limit: u32) -> bool {
        if self.is_over(at) {
            *self = Self {
                since: Some(at),
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count <= limit
    }

    fn is_over(&self, at: Instant) -> bool {
        self.since
            .is_none_or(|since| at.saturating_duration_since(since) >= SECOND)
    }
}

/// Messages a second of one sender.
const OF_ONE: u32 = 50;
/// Messages a second of all senders, who are as many as publish in the room.
const OF_ALL: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn whoever_sends_too_much_does_not_silence_the_others() {
        let mut mailbox = Mailbox::default();
        let (start, host) = (clock::now(), "host".into());
        let noisy = "noisy".into();

        let admitted = (0..10_000).filter(|_| mailbox.admit(Some(&noisy), start));

        assert_eq!(admitted.count(), 50);
        assert!(mailbox.admit(Some(&host), start));
        assert!(mailbox.admit(None, start), "the server");
        assert!(mailbox.admit(Some(&noisy), start + SECOND));
        assert_eq!(mailbox.take_dropped(), 9_950);
        assert_eq!(mailbox.take_dropped(), 0);
    }

    #[test]
    fn many_senders_together_send_no_more_than_200_a_second_and_are_forgotten() {
        let mut mailbox = Mailbox::default();
        let start = clock::now();

        for second in 0..10 {
            let at = start + SECOND * second;
            let admitted = (0..1_000).filter(|number| {
                let sender = format!("{second} {number}").into();
                mailbox.admit(Some(&sender), at)
            });
            assert_eq!(admitted.count(), 200);
        }

        assert!(mailbox.senders.len() <= 1_000);
    }
}
