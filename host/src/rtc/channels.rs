use str0m::channel::ChannelId;

/// The data channels that carry messages of the room, by what the engine calls them. The server opens
/// others too, with other contents.
#[derive(Debug, Default)]
pub(crate) struct Channels(Vec<ChannelId>);

impl Channels {
    /// A channel is open.
    pub(crate) fn opened(&mut self, id: ChannelId, label: &str) {
        if LABELS.contains(&label) && self.0.len() < MAX_CHANNELS {
            self.0.push(id);
        }
    }

    /// A channel is closed.
    pub(crate) fn closed(&mut self, id: ChannelId) {
        self.0.retain(|open| *open != id);
    }

    /// Whether what comes over a channel is for the room.
    pub(crate) fn carry_messages(&self, id: ChannelId) -> bool {
        self.0.contains(&id)
    }
}

/// The second sends each packet once.
const LABELS: [&str; 2] = ["_reliable", "_lossy"];
/// More than a server opens when it hands us on to another.
const MAX_CHANNELS: usize = 8;
