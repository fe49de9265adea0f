//! Somebody who follows a track of a room through the library, and tells what he hears.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use trackmill::media::DataMessage;
use trackmill::room::{Config, Credentials, Event, Room};
use trackmill::rtc::{self, Consumer, Interest, Notice, Workers};
use trackmill::rtp::{RtpPacket, SenderReport, StreamStatistics};
use trackmill::signal::{self, ApiKey, ServerUrl};
use trackmill_room::signal::Server;

use crate::deadline;

/// Joins a room as a recorder does.
///
/// # Errors
/// The server cannot be reached.
pub async fn join(server: &Server, room: &str) -> anyhow::Result<Room> {
    let config = Config {
        url: ServerUrl::parse(&server.url)?,
        credentials: Credentials::Key {
            key: ApiKey {
                key: server.api_key.clone(),
                secret: server.api_secret.clone(),
            },
            room: room.into(),
            identity: "recorder".into(),
        },
        signal: signal::Settings::default(),
    };
    let workers = Workers::start(NonZeroUsize::MIN, &rtc::Settings::default())?;
    Ok(Room::join(config, Arc::new(workers)).await?)
}

/// Waits until these tracks are published.
///
/// # Panics
/// They are not.
pub async fn sees(room: &mut Room, tracks: &[&str]) {
    let mut missing = tracks.to_vec();
    deadline::found("tracks", async || {
        if let Event::Signal(signal::Event::Published(publication)) = room.next().await? {
            missing.retain(|sid| *sid != publication.sid.as_str());
        }
        missing.is_empty().then_some(())
    })
    .await;
}

/// Follows a track.
///
/// # Errors
/// The room cannot be had.
pub async fn follow(room: &mut Room, track: &str, interest: Interest) -> anyhow::Result<Ear> {
    let (said, heard) = channel();
    let listener = Box::new(Listener { interest, said });
    room.subscribe(track.into(), listener).await?;
    Ok(Ear {
        heard,
        all: Mutex::default(),
    })
}

/// Where a listener says what it hears.
#[derive(Debug)]
pub struct Ear {
    heard: Receiver<Said>,
    all: Mutex<Vec<Said>>,
}

impl Ear {
    /// Waits until something is heard.
    ///
    /// # Panics
    /// It is not.
    pub async fn hears(&self, what: &str, is_it: impl Fn(&Said) -> bool) {
        deadline::found(what, async || self.all().iter().any(&is_it).then_some(())).await;
    }

    /// All it heard so far but packets and counts.
    pub fn without_packets(&self) -> Vec<Said> {
        let mut all = self.all();
        all.retain(|said| !matches!(said, Said::Packet | Said::Dropped(_)));
        all
    }

    /// How many packets it heard so far.
    pub fn packets(&self) -> usize {
        let all = self.all();
        all.iter().filter(|said| **said == Said::Packet).count()
    }

    /// How many messages it was told that it will not hear.
    pub fn dropped(&self) -> u64 {
        let counts = self.all().into_iter().map(|said| match said {
            Said::Dropped(count) => count,
            _ => 0,
        });
        counts.sum()
    }

    fn all(&self) -> Vec<Said> {
        let mut all = self.all.lock().expect("one thread");
        all.extend(self.heard.try_iter());
        all.clone()
    }
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A packet.
    Packet,
    /// A data message of the room.
    Message(Arc<DataMessage>),
    /// So many messages were dropped.
    Dropped(u64),
    /// All attributes of the publisher.
    Attributes(BTreeMap<String, String>),
}

impl Said {
    /// The message, if it is one.
    pub fn message(&self) -> Option<&DataMessage> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Whether it is a message on a topic.
    pub fn is_about(&self, topic: &str) -> bool {
        self.message().is_some_and(|message| message.topic == topic)
    }
}

#[derive(Debug)]
struct Listener {
    interest: Interest,
    said: Sender<Said>,
}

impl Listener {
    fn say(&self, said: Said) {
        // The test may be over.
        drop(self.said.send(said));
    }
}

impl Consumer for Listener {
    fn interest(&self) -> Interest {
        self.interest
    }

    fn packet(&mut self, _: RtpPacket) {
        self.say(Said::Packet);
    }

    fn message(&mut self, message: Arc<DataMessage>, _: Instant) {
        self.say(Said::Message(message));
    }

    fn messages_dropped(&mut self, count: u64) {
        self.say(Said::Dropped(count));
    }

    fn notice(&mut self, notice: Notice, _: Instant) {
        if let Notice::Attributes(attributes) = notice {
            self.say(Said::Attributes((*attributes).clone()));
        }
    }

    fn sender_report(&mut self, _: SenderReport) {}

    fn statistics(&mut self, _: StreamStatistics) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}
