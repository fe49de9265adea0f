use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::egress::Ending;

/// Why a recording ends, as soon as that is known: a server is told at the end.
#[derive(Clone, Debug, Default)]
pub struct Reason(watch::Sender<Option<String>>);

impl Reason {
    /// Says it. What was said first holds.
    pub fn tell(&self, ending: &Ending) {
        self.0.send_if_modified(|reason| {
            let is_new = reason.is_none();
            reason.get_or_insert_with(|| ending.reason.clone());
            is_new
        });
    }

    /// Waits for it, but not for long: not every end has one.
    pub(super) async fn hear(&self) -> Option<String> {
        let mut reason = self.0.subscribe();
        let told = reason.wait_for(Option::is_some);
        let told = timeout(PATIENCE, told).await.ok()?.ok()?;
        told.clone()
    }
}

/// A session that ends tells its consumers before it tells whoever planned them.
const PATIENCE: Duration = Duration::from_secs(1);
