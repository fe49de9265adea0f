//! One track on the shared server, and the recorder that takes it down.

use std::sync::Arc;

use trackmill_room::publisher::{Publisher, SentPacket, TrackSid};
use trackmill_tests::media::track;
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::servers::LiveKit;

use crate::support::{send, settle};

/// A clip that plays, and of which media has reached the file.
pub(crate) struct Take {
    pub(crate) publisher: Publisher,
    pub(crate) sid: TrackSid,
    pub(crate) recorder: Recorder,
    _livekit: Arc<LiveKit>,
}

impl Take {
    /// Publishes a committed clip in a room of its own, and records it.
    pub(crate) async fn begin(room: &str, clip: &str) -> anyhow::Result<Self> {
        Self::begin_with(room, clip, &[]).await
    }

    /// … with more options.
    pub(crate) async fn begin_with(
        room: &str,
        clip: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let livekit = LiveKit::shared().await?;
        let server = livekit.server();
        let publisher = Publisher::join(&server, room, "alice").await?;
        let sid = publisher.publish(track(clip)?).await?;
        let options = [&["--track", &sid.0, "--json"], options].concat();
        let recorder = Recorder::record(&server, room, &options)?;
        recorder.writes(1).await;
        Ok(Self {
            publisher,
            sid,
            recorder,
            _livekit: livekit,
        })
    }

    /// Waits until this many packets more are sent.
    pub(crate) async fn send(&self, more: usize) -> anyhow::Result<()> {
        send(&self.publisher, &self.sid, more).await
    }

    /// Sends nothing more, until all that was sent is through.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        settle(&self.publisher, &self.sid).await
    }

    /// Everything that was sent.
    pub(crate) async fn sent(&self) -> anyhow::Result<Vec<SentPacket>> {
        Ok(self.publisher.sent(&self.sid).await?)
    }

    /// Takes the track back, which ends the recording; what was recorded, and what was sent.
    pub(crate) async fn unpublish(self) -> anyhow::Result<(Recorded, Vec<SentPacket>)> {
        self.publisher.unpublish(&self.sid).await?;
        let sent = self.sent().await?;
        Ok((self.recorder.end().await?, sent))
    }
}
