use tokio::sync::mpsc::{self, OwnedPermit, Permit, error::TrySendError};

use super::inspection::Inspection;
use super::recorder::Delivery;
use super::stream::{self, Note};
use crate::media::Pts;
use crate::pipeline::Event;
use crate::sink::websocket::Message;

/// The way to where a recording goes, for those who only look at it and have something to say.
#[derive(Clone, Debug)]
pub(super) enum Words {
    /// To the task that writes its files.
    Files(mpsc::Sender<Delivery>),
    /// To the server that gets it.
    Stream {
        /// For what the server is to hear.
        feed: mpsc::Sender<Message>,
        /// For the rest.
        notes: mpsc::Sender<Note>,
    },
}

/// The same, for whoever must not keep a task waiting for words.
#[derive(Debug)]
pub(super) enum WeakWords {
    Files(mpsc::WeakSender<Delivery>),
    Stream {
        feed: mpsc::WeakSender<Message>,
        notes: mpsc::WeakSender<Note>,
    },
}

/// Something an inspector says.
#[derive(Debug)]
pub(super) enum Word {
    /// Something happened beside the sound.
    Event(Event),
    /// What it did, having looked at a whole segment.
    Inspected(Box<Inspection>),
}

/// Room for one word.
#[derive(Debug)]
pub(super) enum Room<'a> {
    Files(Permit<'a, Delivery>),
    Stream {
        feed: Permit<'a, Message>,
        notes: &'a mpsc::Sender<Note>,
    },
}

/// Room for all that is left at the end, whatever waits then.
#[derive(Debug)]
pub(super) enum LastRoom {
    Files(OwnedPermit<Delivery>),
    Stream(OwnedPermit<Note>),
}

impl Words {
    pub(super) fn downgrade(&self) -> WeakWords {
        match self {
            Self::Files(deliveries) => WeakWords::Files(deliveries.downgrade()),
            Self::Stream { feed, notes } => WeakWords::Stream {
                feed: feed.downgrade(),
                notes: notes.downgrade(),
            },
        }
    }

    /// Room for the next word, if there is any.
    pub(super) fn reserve(&self) -> Result<Room<'_>, TrySendError<()>> {
        Ok(match self {
            Self::Files(deliveries) => Room::Files(deliveries.try_reserve()?),
            Self::Stream { feed, notes } => Room::Stream {
                feed: feed.try_reserve()?,
                notes,
            },
        })
    }

    /// Room for the last words; `None` if too many have reserved some.
    pub(super) fn reserve_last(&self) -> Option<LastRoom> {
        Some(match self {
            Self::Files(deliveries) => {
                LastRoom::Files(deliveries.clone().try_reserve_owned().ok()?)
            }
            Self::Stream { notes, .. } => LastRoom::Stream(notes.clone().try_reserve_owned().ok()?),
        })
    }
}

impl WeakWords {
    /// `None` if the task has ended.
    pub(super) fn upgrade(&self) -> Option<Words> {
        Some(match self {
            Self::Files(deliveries) => Words::Files(deliveries.upgrade()?),
            Self::Stream { feed, notes } => Words::Stream {
                feed: feed.upgrade()?,
                notes: notes.upgrade()?,
            },
        })
    }
}

impl Room<'_> {
    pub(super) fn say(self, word: Word) {
        match (self, word) {
            (Self::Files(place), word) => place.send(Delivery::Words(vec![word])),
            (Self::Stream { feed, .. }, Word::Event(event)) => {
                if let Some(text) = stream::text(event, Pts(0)) {
                    feed.send(Message::Text(text));
                }
            }
            // It is read at once; a channel that is full, is of somebody who is gone.
            (Self::Stream { notes, .. }, word) => drop(notes.try_send(Note::Words(vec![word]))),
        }
    }
}

impl LastRoom {
    pub(super) fn say(self, words: Vec<Word>) {
        match self {
            Self::Files(place) => drop(place.send(Delivery::Words(words))),
            Self::Stream(place) => drop(place.send(Note::Words(words))),
        }
    }
}
