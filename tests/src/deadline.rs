//! Waiting for conditions, never for time to pass.

use std::fmt::Display;
use std::time::Duration;

/// Waits for `done`, for at most as long as anything in these tests may take.
///
/// # Panics
/// It is not done in time; the message names the test, and `what` it waited for.
pub async fn until<T>(what: impl Display, done: impl Future<Output = T>) -> T {
    let Ok(result) = tokio::time::timeout(PATIENCE, done).await else {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        panic!("{test}: {what}: not within {} s", PATIENCE.as_secs());
    };
    result
}

/// Looks again and again until `check` finds something.
///
/// # Panics
/// It finds nothing in time; the message names the test, and `what` it looked for.
pub async fn found<T>(what: impl Display, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            match check().await {
                Some(found) => return found,
                None => tokio::time::sleep(BETWEEN_CHECKS).await,
            }
        }
    };
    until(what, Box::pin(search)).await
}

/// Longer than a loaded machine needs for anything here, and than the server's own time-outs.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_CHECKS: Duration = Duration::from_millis(20);
