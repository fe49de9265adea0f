use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread that writes files: the home of [`Writer`](super::Writer)s, which may block it for as
/// long as a write takes.
///
/// Media workers wake one thread for all pages of 50 ms instead of one for each, and a page goes to
/// the file where it arrives: handing each to a thread pool cost more than all that comes before
/// it. A disk that stands still holds up the recordings of its thread only, and those lose nothing
/// before their queues are full, which takes audio half a minute.
///
/// Dropping it ends the thread; writers that have not ended by then are dropped.
#[derive(Debug)]
pub struct Disk {
    handle: Handle,
    /// Closing it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .on_thread_unpark(gather)
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("disk".into())
            .spawn(move || drop(runtime.block_on(stopped)))?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where to spawn writers.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Lets pages gather, once the first has woken the thread: waking it costs more than a page.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread has nothing else to do, and is to be left alone meanwhile"
)]
fn gather() {
    std::thread::sleep(GATHER);
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The disk thread panicked.");
        }
    }
}

/// How long a page may lie in memory after its second is over.
const GATHER: Duration = Duration::from_millis(50);
