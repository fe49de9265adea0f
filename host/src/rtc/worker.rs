//! A media worker: a thread that owns peers and their sockets, and looks at them every few
//! milliseconds (D2).

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tracing::error;

use super::clock;
use super::command::{Command, Link, Opening, PeerCommand, PeerId};
use super::load::{self, Load};
use super::poller::{Poller, Token};
use super::seat::{Flow, Seat};
use super::socket::Batch;
use super::timers::Deadlines;
use super::{PATIENCE, Settings};

/// Starts a worker's thread.
///
/// # Errors
/// If the system gives no thread, epoll instance or event descriptor.
pub(crate) fn start(index: usize, settings: &Settings) -> io::Result<Running> {
    let (commands, inbox) = sync_channel(settings.command_queue);
    let wake = Arc::new(EventFd::from_flags(
        EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC,
    )?);
    let load = Arc::new(Load::default());
    let poller = Poller::new()?;
    poller.add(&*wake, Token::Wake, EpollFlags::EPOLLIN)?;
    let link = Link {
        commands,
        wake: Arc::clone(&wake),
        load: Arc::clone(&load),
    };
    let settings = settings.clone();
    let thread = std::thread::Builder::new()
        .name(format!("media-{index}"))
        .spawn(move || Worker::new(inbox, wake, load, poller, settings).run())?;
    Ok(Running {
        link,
        thread: Some(thread),
    })
}

/// A started worker. Dropping it ends the thread and waits for it.
#[derive(Debug)]
pub(crate) struct Running {
    link: Link,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The way to the thread.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let is_told = self.link.send(Command::Shutdown).is_ok();
        if let Some(thread) = self.thread.take()
            && is_told
            && thread.join().is_err()
        {
            error!("A media worker panicked.");
        }
    }
}

/// What seats share on their thread.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) poller: Poller,
    pub(crate) batch: Batch,
    pub(crate) settings: Settings,
    /// A socket holds more than one turn reads: the next turn follows at once.
    pub(crate) is_behind: bool,
}

struct Worker {
    inbox: Receiver<Command>,
    wake: Arc<EventFd>,
    /// What the control side reads to place peers.
    load: Arc<Load>,
    /// When it was measured last, and what the thread had used by then.
    measured: (Instant, Duration),
    shared: Shared,
    seats: Vec<Option<Seat>>,
    slots: HashMap<PeerId, u32>,
    deadlines: Deadlines,
    events: Vec<EpollEvent>,
    /// When this turn began.
    turn: Instant,
    /// How long datagrams gather.
    patience: Duration,
}

impl Worker {
    fn new(
        inbox: Receiver<Command>,
        wake: Arc<EventFd>,
        load: Arc<Load>,
        poller: Poller,
        settings: Settings,
    ) -> Self {
        Self {
            inbox,
            wake,
            load,
            measured: (clock::now(), Duration::ZERO),
            shared: Shared {
                poller,
                batch: Batch::new(),
                settings,
                is_behind: false,
            },
            seats: Vec::new(),
            slots: HashMap::new(),
            deadlines: Deadlines::default(),
            events: vec![EpollEvent::empty(); EVENTS],
            turn: clock::now(),
            patience: PATIENCE,
        }
    }

    /// The life of the thread.
    fn run(mut self) {
        let mut flow = Flow::Continue;
        while flow == Flow::Continue {
            let ready = self.wait();
            self.receive(ready);
            flow = self.run_commands();
            self.settle();
        }
        for slot in 0..self.seats.len() {
            self.close(slot);
        }
    }

    /// Lets datagrams gather, and then sleeps until something happens: an idle worker does not wake
    /// up. How many events there are.
    fn wait(&mut self) -> usize {
        let next = self.turn + self.patience;
        let rest = next.saturating_duration_since(clock::now());
        if !std::mem::take(&mut self.shared.is_behind) && !rest.is_zero() {
            clock::sleep(rest);
        }
        let rest = self
            .deadlines
            .next()
            .map(|due| due.saturating_duration_since(clock::now()));
        let ready = match self.shared.poller.wait(&mut self.events, timeout(rest)) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(error) => {
                error!(%error, "epoll failed.");
                0
            }
        };
        self.turn = clock::now();
        self.measure();
        ready
    }

    /// Says how busy this thread is.
    fn measure(&mut self) {
        let (at, used) = self.measured;
        let passed = self.turn.saturating_duration_since(at);
        if passed >= load::PERIOD {
            let now_used = clock::thread_time();
            self.load.measured(now_used.saturating_sub(used), passed);
            self.measured = (self.turn, now_used);
        }
    }

    fn receive(&mut self, ready: usize) {
        let events = std::mem::take(&mut self.events);
        for event in events.iter().take(ready) {
            match Token::from(event.data()) {
                // Nothing to read means that another turn has read it.
                Token::Wake => drop(self.wake.read()),
                Token::Udp(slot, socket) => self.with_seat(slot, |seat, shared| {
                    seat.udp_readable(socket, shared);
                }),
                Token::Tcp(slot) => self.with_seat(slot, |seat, shared| {
                    seat.tcp_ready(event.events(), shared);
                }),
            }
        }
        self.events = events;
    }

    fn run_commands(&mut self) -> Flow {
        let mut has_changed = false;
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Open(peer, opening)) => self.open(peer, *opening),
                Ok(Command::Peer(peer, command)) => self.run_command(peer, command),
                Err(TryRecvError::Empty) => break,
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Flow::End,
            }
            has_changed = true;
        }
        if has_changed {
            let seats = self.seats.iter().flatten();
            self.patience = seats.filter_map(Seat::patience).min().unwrap_or(PATIENCE);
        }
        Flow::Continue
    }

    fn run_command(&mut self, peer: PeerId, command: PeerCommand) {
        let Some(slot) = self.slots.get(&peer).copied() else {
            return;
        };
        if matches!(command, PeerCommand::Close) {
            self.slots.remove(&peer);
            self.close(index(slot));
        } else {
            self.with_seat(slot, |seat, shared| seat.run(command, shared));
        }
    }

    /// Runs the timers that are due, those of seats that were just touched included.
    fn settle(&mut self) {
        let now = clock::now();
        let mut from = 0;
        while let Some(slot) = self.deadlines.due(now, from) {
            from = slot + 1;
            let Some(seat) = self.seats.get_mut(slot).and_then(Option::as_mut) else {
                self.deadlines.set(slot, None);
                continue;
            };
            let shared = &mut self.shared;
            match catch_unwind(AssertUnwindSafe(|| seat.settle(now, shared))) {
                Ok(due) => self.deadlines.set(slot, due),
                Err(_) => self.crash(slot),
            }
        }
    }

    fn open(&mut self, peer: PeerId, opening: Opening) {
        let free = self.seats.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        let Ok(token) = u32::try_from(slot) else {
            return self.load.remove_peer();
        };
        let seat = Seat::new(token, opening, &self.shared);
        if let (Some(seat), Some(place)) = (seat, self.seats.get_mut(slot)) {
            *place = Some(seat);
            self.slots.insert(peer, token);
            self.deadlines.set(slot, Some(clock::now()));
        } else {
            self.load.remove_peer();
        }
    }

    fn close(&mut self, slot: usize) {
        let Some(mut seat) = self.seats.get_mut(slot).and_then(Option::take) else {
            return;
        };
        let shared = &mut self.shared;
        if catch_unwind(AssertUnwindSafe(|| seat.close(shared))).is_err() {
            error!("A peer panicked while it was closed.");
        }
        self.deadlines.set(slot, None);
        self.load.remove_peer();
    }

    /// Runs `f` on the seat in a slot, and has it settled in this turn.
    fn with_seat(&mut self, slot: u32, f: impl FnOnce(&mut Seat, &mut Shared)) {
        let slot = index(slot);
        let Some(seat) = self.seats.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        let shared = &mut self.shared;
        match catch_unwind(AssertUnwindSafe(|| f(seat, shared))) {
            Ok(()) => self.deadlines.set(slot, Some(self.turn)),
            Err(_) => self.crash(slot),
        }
    }

    /// A seat panicked, most likely in the engine on hostile input: only its own recordings end.
    fn crash(&mut self, slot: usize) {
        if let Some(mut seat) = self.seats.get_mut(slot).and_then(Option::take) {
            error!("A peer panicked; its recordings end.");
            seat.crash(clock::now());
        }
        self.slots.retain(|_, taken| index(*taken) != slot);
        self.load.remove_peer();
        self.deadlines.set(slot, None);
    }
}

/// Rounded up to milliseconds, so that the wait is not over before something is due.
fn timeout(rest: Option<Duration>) -> EpollTimeout {
    rest.map_or(EpollTimeout::NONE, |rest| {
        let milliseconds = rest.as_nanos().div_ceil(1_000_000);
        EpollTimeout::from(u16::try_from(milliseconds).unwrap_or(u16::MAX))
    })
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

/// Descriptors looked at in one turn; those beyond it come first in the next.
const EVENTS: usize = 1_024;
