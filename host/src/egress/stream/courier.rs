use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::feeder::{Farewell, Feeder, Note};
use super::{Reason, Stream, text};
use crate::clock;
use crate::egress::manifest::{Delivery, Inspector, Manifest, Moment, Subject};
use crate::egress::notices::Notices;
use crate::egress::sink::{Halves, Sink};
use crate::egress::words::{Word, Words};
use crate::egress::writer::{Failure, Outcome};
use crate::egress::{EgressId, Ending, Inspection, Status, Track};
use crate::filter::Halt;
use crate::media::Pts;
use crate::pipeline::{Pipeline, Summary};
use crate::sink::websocket::{self, Message, WebSocketSink};

/// The server's half of a stream: hands on what the feeder makes, and sees to it that the end of it
/// is not lost. Its home is a runtime that nobody blocks: what waits here waits in the sound.
#[derive(Debug)]
pub struct Courier {
    id: EgressId,
    track: Track,
    /// The server, without its secrets.
    target: String,
    sink: WebSocketSink,
    /// To end the delivery before the track ends.
    feed: mpsc::WeakSender<Message>,
    notes: mpsc::Receiver<Note>,
    reason: Reason,
}

/// What a server got of a track.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The server, without its secrets.
    pub target: String,
    /// How long the sound is that it got.
    pub sent: Duration,
    /// How long the sound is that it did not get.
    pub dropped: Duration,
    /// What there is to say about it: mostly one, more where the codec changed. How it ended is yet
    /// to be said.
    pub manifests: Vec<Manifest>,
}

/// What the feeder told at the end.
#[derive(Debug, Default)]
struct Told {
    summaries: Vec<Summary>,
    halt: Option<Halt>,
    /// What inspectors did.
    inspected: Vec<Inspection>,
    /// It told nothing.
    is_lost: bool,
}

impl Stream {
    /// Makes the two halves of a recording.
    pub(in crate::egress) fn halves(
        self,
        pipeline: Pipeline,
        (id, track): (EgressId, Track),
        reason: &Reason,
    ) -> Halves {
        let attributes = Arc::clone(&track.publication.publisher.attributes);
        let news = Notices::new(attributes);
        let (wanted, target) = (self.wanted, self.server.target.to_string());
        let (sink, feed) = WebSocketSink::new(self.delivery(&id, &track));
        let (notes, told) = mpsc::channel(NOTES);
        let farewell = notes.clone().try_reserve_owned();
        let farewell = farewell.expect("a new channel has room");
        Halves {
            delivery: Some(sink.progress()),
            sink: Sink::Stream(Box::new(Courier {
                id,
                track,
                target,
                sink,
                feed: feed.downgrade(),
                notes: told,
                reason: reason.clone(),
            })),
            consumer: Box::new(Feeder::new(
                (pipeline, news),
                wanted,
                feed.clone(),
                farewell,
            )),
            words: Words::Stream { feed, notes },
        }
    }
}

impl Courier {
    /// Delivers until the track or the server has had enough.
    pub async fn run(self) -> Outcome {
        let begun = Moment::from(clock::wall());
        let Self {
            id,
            track,
            target,
            sink,
            feed,
            notes,
            reason,
        } = self;
        let delivery = Box::pin(sink.run());
        let (delivered, told) = tokio::join!(delivery, see_off(notes, feed, reason));
        let (ending, failure) = conclude(&delivered, &target, &told);
        let manifests = manifests((&id, &track, begun), &delivered, &target, &told);
        let streamed = Streamed {
            target,
            sent: delivered.counters.audio,
            dropped: delivered.counters.dropped(),
            manifests,
        };
        Outcome {
            id,
            files: Vec::new(),
            stream: Some(streamed),
            ending,
            failure,
        }
    }
}

/// Waits for the end of the track and of those who look at it, and hands on what is left then.
async fn see_off(
    mut notes: mpsc::Receiver<Note>,
    feed: mpsc::WeakSender<Message>,
    reason: Reason,
) -> Told {
    let mut inspected = Vec::new();
    let mut farewell = None;
    while let Some(note) = notes.recv().await {
        match note {
            Note::Words(words) => inspected.extend(hear(words, &feed).await),
            // Inspectors hear of the end of the track as the feeder does, but not of any other.
            Note::Farewell(said) if said.halt.is_some() || said.feed.is_closed() => {
                farewell = Some(said);
                break;
            }
            Note::Farewell(said) => farewell = Some(said),
        }
    }
    let told = match farewell {
        Some(farewell) => say_farewell(*farewell, &reason).await,
        None => Told {
            is_lost: true,
            ..Told::default()
        },
    };
    Told { inspected, ..told }
}

/// Hands on the last words of an inspector; gives back what it did.
async fn hear(words: Vec<Word>, feed: &mpsc::WeakSender<Message>) -> Vec<Inspection> {
    let mut inspected = Vec::new();
    for word in words {
        match word {
            Word::Inspected(inspection) => inspected.push(*inspection),
            Word::Event(event) => {
                let text = text(event, Pts(0)).map(Message::Text);
                if let (Some(text), Some(feed)) = (text, feed.upgrade()) {
                    drop(feed.send(text).await);
                }
            }
        }
    }
    inspected
}

async fn say_farewell(farewell: Farewell, reason: &Reason) -> Told {
    let Farewell {
        feed,
        left,
        summaries,
        halt,
    } = farewell;
    for message in left {
        // It is closed when the delivery has ended: then nobody waits for more.
        if feed.send(message).await.is_err() {
            break;
        }
    }
    if !feed.is_closed() {
        let words = match &halt {
            Some(halt) => Some(words(halt).to_owned()),
            None => reason.hear().await,
        };
        let words = words.unwrap_or_else(|| "the track ended".to_owned());
        drop(feed.send(Message::End(words)).await);
    }
    Told {
        summaries,
        halt,
        ..Told::default()
    }
}

/// How it ended, as far as that was not planned.
fn conclude(
    delivered: &websocket::Outcome,
    target: &str,
    told: &Told,
) -> (Option<Ending>, Option<Failure>) {
    let complete = |reason: &str| Some(Ending::new(Status::Complete, reason));
    match (&told.halt, &delivered.ending) {
        (Some(Halt::Egress(reason)), _) => (None, Some(Failure::Filter(reason.clone()))),
        (_, websocket::Ending::Failed(failure)) => {
            let failure = Failure::Server {
                target: target.to_owned(),
                failure: failure.clone(),
            };
            (None, Some(failure))
        }
        _ if told.is_lost => (None, Some(Failure::Lost { unfinished: None })),
        (_, ending @ websocket::Ending::Satisfied(_)) => (complete(&ending.to_string()), None),
        (Some(Halt::Track(reason)), _) => (complete(reason), None),
        (None, websocket::Ending::Finished(_)) => (None, None),
    }
}

/// One for each codec; one also for a track that sent nothing.
fn manifests(
    (id, track, begun): (&EgressId, &Track, Moment),
    delivered: &websocket::Outcome,
    target: &str,
    told: &Told,
) -> Vec<Manifest> {
    let delivery = Delivery::new(target, delivered);
    let manifest = |summary: Option<&Summary>| {
        let codec = summary.map(|summary| summary.codec);
        let subject = Subject::streamed(id, track, codec.or(track.publication.codec));
        let draft = Manifest::draft(subject, "", begun);
        let draft = match summary {
            Some(summary) => draft.holding(summary, delivered.counters.bytes),
            None => draft,
        };
        draft.delivered(delivery.clone())
    };
    if told.summaries.is_empty() {
        return vec![manifest(None)];
    }
    (0..)
        .zip(&told.summaries)
        .map(|(segment, summary)| Manifest {
            inspectors: Inspector::all(&told.inspected, segment),
            ..manifest(Some(summary))
        })
        .collect()
}

fn words(halt: &Halt) -> &str {
    let (Halt::Track(reason) | Halt::Egress(reason)) = halt;
    reason
}

/// A place for the feeder, one for each filter that only looks, and some for what those say.
const NOTES: usize = 32;
