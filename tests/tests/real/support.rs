//! What the tests with publishers on real servers share.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;
use trackmill_room::publisher::{Publisher, TrackSid};
use trackmill_tests::deadline;

/// Waits until a track has sent this many packets more.
pub(crate) async fn send(publisher: &Publisher, sid: &TrackSid, more: usize) -> anyhow::Result<()> {
    let wanted = publisher.sent(sid).await?.len() + more;
    deadline::found(format_args!("{wanted} packets of {sid}"), async || {
        let sent = publisher.sent(sid).await;
        sent.map_or(Some(false), |sent| (sent.len() >= wanted).then_some(true))
    })
    .await
    .then_some(())
    .context("the publisher's session ended")
}

/// Sends nothing more of a track, until all that was sent is through.
///
/// The server drops what it takes from its queues after a track was muted or taken back (`PubMute`
/// and `CloseWithFlush` in `pkg/sfu/downtrack.go`), and signalling overtakes media in there. Of 27
/// mutes and 54 unpublishings in full flow, nearly half of them beside four busy loops a core, 12
/// cost a packet or two; the oldest of those had been sent 16 ms before. Behind a settled track
/// nothing is left to be dropped, and a test can demand everything.
pub(crate) async fn settle(publisher: &Publisher, sid: &TrackSid) -> anyhow::Result<()> {
    publisher.hold(sid).await?;
    sleep(ON_THE_WAY).await;
    Ok(())
}

/// How long anything takes through a server on a loaded machine, and then some.
pub(crate) const ON_THE_WAY: Duration = Duration::from_millis(200);
