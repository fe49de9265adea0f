//! Filter workers: threads that are the home of tracks which decode (D2).
//!
//! ```text
//! media worker                              filter worker
//! Proxy ─ packets, reports, notices ─ ring ─► Host ─► the consumer itself
//!       ◄──────── keyframe requests ─────────
//! ```
//!
//! The media worker never waits: when the ring of a track is full, what comes is dropped and counted.
//! A consumer that takes long delays the others of its thread only.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::error;

use super::proxy::{Item, Link, Proxy, Shared, Track};
use crate::clock;
use crate::rtc::{Consumer, Notice};

/// The filter workers of the process.
///
/// Dropping it ends what they host, as [`Notice::Ended`] does, and waits for the threads.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Running>,
}

/// How filter workers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Packets, reports, notices and messages of one track that may wait. Default 512: ten seconds of
    /// packets of 20 ms. When full, the newest is dropped and counted; notices wait. 64 of them may be
    /// data messages of the room; more are dropped and counted.
    pub ring: usize,
    /// Tracks that may wait to be taken in. Default 1,024. When full, the caller waits.
    pub inbox: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ring: 512,
            inbox: 1_024,
        }
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(threads: NonZeroUsize, settings: Settings) -> io::Result<Self> {
        let workers = (0..threads.get())
            .map(|index| Running::start(index, settings))
            .collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    /// No threads: consumers stay where they are.
    pub const fn none() -> Self {
        Self {
            workers: Vec::new(),
        }
    }

    /// Gives a consumer to the worker with the fewest. What comes back stands in for it on the media
    /// worker. If the workers have ended, it does nothing; if there are none, it is the consumer.
    pub fn host(&self, consumer: Box<dyn Consumer>) -> Box<dyn Consumer> {
        let worker = self
            .workers
            .iter()
            .min_by_key(|worker| worker.link.tracks());
        match worker {
            Some(worker) => Box::new(worker.host(consumer)),
            None => consumer,
        }
    }

    /// Consumers that panicked and were dropped.
    pub fn panicked(&self) -> u64 {
        let workers = self.workers.iter();
        workers
            .map(|worker| worker.link.shared.panicked.load(Ordering::Relaxed))
            .sum()
    }
}

/// A started worker. Dropping it ends the thread and waits for it.
#[derive(Debug)]
struct Running {
    link: Link,
    inbox: SyncSender<Host>,
    ring: usize,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(index: usize, settings: Settings) -> io::Result<Self> {
        let (inbox, arrivals) = sync_channel(settings.inbox);
        let shared = Arc::<Shared>::default();
        let worker = Worker {
            arrivals,
            shared: Arc::clone(&shared),
            hosts: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("filter-{index}"))
            .spawn(move || worker.run())?;
        Ok(Self {
            link: Link {
                shared,
                thread: thread.thread().clone(),
            },
            inbox,
            ring: settings.ring,
            thread: Some(thread),
        })
    }

    fn host(&self, consumer: Box<dyn Consumer>) -> Proxy {
        let (ring, items) = sync_channel(self.ring);
        let interest = consumer.interest();
        let track = Arc::<Track>::default();
        let host = Host {
            items,
            track: Arc::clone(&track),
            consumer: Some(consumer),
            overrun: 0,
            messages_dropped: 0,
            has_panicked: false,
        };
        self.link.shared.tracks.fetch_add(1, Ordering::Relaxed);
        if self.inbox.send(host).is_err() {
            error!("A filter worker has ended; a track is lost.");
        }
        self.link.wake();
        Proxy::new(ring, track, self.link.clone(), interest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.link.shared.is_ending.store(true, Ordering::Release);
        self.link.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("A filter worker panicked.");
        }
    }
}

/// The life of a filter worker's thread.
#[derive(Debug)]
struct Worker {
    arrivals: Receiver<Host>,
    shared: Arc<Shared>,
    hosts: Vec<Host>,
}

impl Worker {
    fn run(mut self) {
        while !self.shared.is_ending.load(Ordering::Acquire) {
            let due = self.turn();
            self.sleep(due);
        }
        self.hosts.extend(self.arrivals.try_iter());
        for host in &mut self.hosts {
            host.drain();
            host.end();
        }
    }

    /// Looks at every track once; when it is wanted again.
    fn turn(&mut self) -> Option<Instant> {
        self.shared.is_woken.store(false, Ordering::Release);
        self.hosts.extend(self.arrivals.try_iter());
        let mut due: Option<Instant> = None;
        for host in &mut self.hosts {
            due = due.into_iter().chain(host.turn()).min();
        }
        self.bury();
        due
    }

    /// Until something is due, or somebody wakes it.
    fn sleep(&self, due: Option<Instant>) {
        if self.shared.is_woken.load(Ordering::Acquire) {
            return;
        }
        match due {
            None => std::thread::park_timeout(IDLE),
            Some(due) => {
                let rest = due.saturating_duration_since(clock::now());
                if !rest.is_zero() {
                    std::thread::park_timeout(rest.min(IDLE));
                }
            }
        }
    }

    /// Removes the tracks that have ended.
    fn bury(&mut self) {
        let before = self.hosts.len();
        let mut panicked = 0;
        self.hosts.retain(|host| {
            panicked += u64::from(host.has_panicked);
            host.consumer.is_some()
        });
        let gone = before - self.hosts.len();
        if gone > 0 {
            self.shared.tracks.fetch_sub(gone, Ordering::Relaxed);
            self.shared.panicked.fetch_add(panicked, Ordering::Relaxed);
        }
    }
}

/// A consumer in its home.
#[derive(Debug)]
struct Host {
    items: Receiver<Item>,
    track: Arc<Track>,
    /// `None` once it has ended or panicked.
    consumer: Option<Box<dyn Consumer>>,
    /// How much of the overrun it was told of.
    overrun: u64,
    /// The same of data messages.
    messages_dropped: u64,
    has_panicked: bool,
}

impl Host {
    /// Hands over some of what waits, and runs what is due. When it is wanted again.
    fn turn(&mut self) -> Option<Instant> {
        let mut flow = Flow::Continue;
        for _ in 0..BATCH {
            flow = self.next();
            if flow != Flow::Continue {
                break;
            }
        }
        match flow {
            // Time goes on for it when it has heard what came before.
            Flow::Continue => Some(clock::now()),
            Flow::Empty => self.settle(clock::now()),
            Flow::End => {
                self.end();
                None
            }
        }
    }

    fn drain(&mut self) {
        while self.next() == Flow::Continue {}
    }

    fn next(&mut self) -> Flow {
        self.tell_messages_dropped();
        match self.items.try_recv() {
            Ok(item) => self.hand_over(item),
            Err(TryRecvError::Empty) => return Flow::Empty,
            Err(TryRecvError::Disconnected) => return Flow::End,
        }
        Flow::Continue
    }

    fn hand_over(&mut self, item: Item) {
        match item {
            Item::Message(..) => drop(self.track.messages.fetch_sub(1, Ordering::Relaxed)),
            Item::Missing(count) => self.overrun += count,
            _ => {}
        }
        self.call(|consumer| match item {
            Item::Packet(packet) => consumer.packet(packet),
            Item::Report(report) => consumer.sender_report(report),
            Item::Statistics(counted) => consumer.statistics(*counted),
            Item::Notice(notice, at) => consumer.notice(notice, at),
            Item::Message(message, at) => consumer.message(message, at),
            Item::Missing(count) => consumer.overrun(count),
        });
    }

    /// What was dropped and has no place in the ring.
    fn tell_overrun(&mut self) {
        let overrun = self.track.overrun.load(Ordering::Relaxed);
        let new = overrun - std::mem::replace(&mut self.overrun, overrun);
        if new > 0 {
            self.call(|consumer| consumer.overrun(new));
        }
    }

    fn tell_messages_dropped(&mut self) {
        let dropped = self.track.messages_dropped.load(Ordering::Relaxed);
        let new = dropped - std::mem::replace(&mut self.messages_dropped, dropped);
        if new > 0 {
            self.call(|consumer| consumer.messages_dropped(new));
        }
    }

    fn settle(&mut self, now: Instant) -> Option<Instant> {
        let (due, wants_keyframe) = self.call(|consumer| {
            if consumer.poll_timeout().is_some_and(|due| due <= now) {
                consumer.handle_timeout(now);
            }
            (consumer.poll_timeout(), consumer.take_keyframe_request())
        })?;
        if wants_keyframe {
            self.track.wants_keyframe.store(true, Ordering::Relaxed);
        }
        due
    }

    /// No item follows.
    fn end(&mut self) {
        let now = clock::now();
        self.tell_overrun();
        self.tell_messages_dropped();
        self.call(|consumer| consumer.notice(Notice::Ended, now));
        self.discard();
    }

    /// Calls the consumer. One that panics is dropped, and harms nobody else: the other tracks of
    /// this thread belong to other recordings. Nothing of it is used afterwards, so that its broken
    /// invariants stay unseen.
    fn call<T>(&mut self, f: impl FnOnce(&mut dyn Consumer) -> T) -> Option<T> {
        let consumer = self.consumer.as_deref_mut()?;
        let result = catch_unwind(AssertUnwindSafe(|| f(consumer)));
        if result.is_err() {
            error!("A consumer panicked on a filter worker; its recording is lost.");
            self.has_panicked = true;
            self.discard();
        }
        result.ok()
    }

    /// Drops the consumer, whose destructor may panic too.
    fn discard(&mut self) {
        let consumer = self.consumer.take();
        if catch_unwind(AssertUnwindSafe(|| drop(consumer))).is_err() {
            error!("A consumer panicked while it was dropped.");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    Empty,
    End,
}

/// Items that one track gets before the others have their turn.
const BATCH: usize = 8;
/// An idle worker looks after itself that often, lest a wake-up is lost to a bug.
const IDLE: Duration = Duration::from_secs(1);
