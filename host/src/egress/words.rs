use tokio::sync::mpsc::{self, error::TrySendError};

use super::recorder::Delivery;
use super::stream::{self, Note};
use crate::media::Pts;
use crate::pipeline::Output;
use crate::sink::websocket::Message;

/// The way to where a recording goes, for those who only look at it and have something to say.
#[derive(Clone, Debug)]
pub(super) enum Words {
    /// To the task that writes its files.
    Files(mpsc::Sender<Delivery>),
    /// To the server that gets it.
    Stream {
        /// For words.
        feed: mpsc::Sender<Message>,
        /// For the end.
        notes: mpsc::Sender<Note>,
    },
}

/// What became of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// They are on their way, or nobody is to hear them.
    Done,
    /// They found no room: the recording goes first.
    Dropped,
}

impl Words {
    /// Says an event, or that a filter failed that may not be passed by; nothing else.
    pub(super) fn say(&self, output: Output) -> Said {
        match (self, output) {
            (Self::Files(deliveries), output @ (Output::Event(_) | Output::Halt(_))) => {
                said(deliveries.try_send(Delivery::Next(output)))
            }
            (Self::Stream { feed, .. }, Output::Event(event)) => {
                let text = stream::text(event, Pts(0));
                text.map_or(Said::Done, |text| said(feed.try_send(Message::Text(text))))
            }
            (Self::Stream { notes, .. }, Output::Halt(halt)) => {
                said(notes.try_send(Note::Halt(halt)))
            }
            _ => Said::Done,
        }
    }
}

/// Whoever is gone says himself why.
fn said<T>(sent: Result<(), TrySendError<T>>) -> Said {
    match sent {
        Ok(()) | Err(TrySendError::Closed(_)) => Said::Done,
        Err(TrySendError::Full(_)) => Said::Dropped,
    }
}
