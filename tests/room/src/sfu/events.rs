//! What happens on a subscriber's peer connection, and what the server does about it.

use std::time::Instant;

use str0m::Event;
use str0m::channel::{ChannelConfig, Reliability};
use str0m::rtp::RawPacket;
use str0m::rtp::rtcp::{Nack, Rtcp};

use super::interface::{SfuEvent, SfuOutput};
use super::peer::{Channels, Connection, SfuPeer};
use super::sender::Sender;
use crate::publisher::TrackSid;

impl SfuPeer {
    /// Takes everything out of the engine.
    pub(super) fn collect(&mut self, now: Instant) {
        let mut repaired = false;
        while let Some(event) = self.transport.poll_event() {
            repaired |= self.notice(&event);
        }
        if repaired {
            self.transport.handle_timeout(now);
        }
        while let Some(datagram) = self.transport.poll_datagram() {
            self.outputs.push_back(SfuOutput::Datagram(datagram));
        }
    }

    /// Turns an event of the engine into ours; returns whether there is something new to send.
    fn notice(&mut self, event: &Event) -> bool {
        if let Some(RawPacket::RtcpRx(Rtcp::Nack(nack))) = event.as_raw_packet() {
            return self.repair(nack);
        }
        match event {
            Event::Connected => {
                self.connection = Connection::Connected;
                self.create_channels();
                self.push(SfuEvent::Connected);
                return true;
            }
            Event::IceConnectionStateChange(state) => self.push(SfuEvent::Ice(*state)),
            Event::ChannelOpen(id, label) => {
                self.open_channels.insert(label.clone(), *id);
                self.push(SfuEvent::ChannelOpen(label.clone()));
            }
            Event::KeyframeRequest(request) => {
                let sid = self.sid_of(|sender| sender.mid == request.mid);
                if let Some(sid) = sid {
                    self.push(SfuEvent::KeyframeRequested(sid));
                }
            }
            Event::Closed => {
                self.connection = Connection::Closed;
                self.push(SfuEvent::Closed);
            }
            _ => {}
        }
        false
    }

    fn create_channels(&mut self) {
        if self.channels == Channels::Created {
            return;
        }
        self.channels = Channels::Created;
        let mut direct = self.transport.rtc().direct_api();
        direct.create_data_channel(ChannelConfig {
            label: "_reliable".into(),
            ..ChannelConfig::default()
        });
        direct.create_data_channel(ChannelConfig {
            label: "_lossy".into(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            ..ChannelConfig::default()
        });
    }

    fn repair(&mut self, nack: &Nack) -> bool {
        let Some(sid) = self.sid_of(|sender| sender.ssrc == nack.ssrc) else {
            return false;
        };
        let wanted = nack.reports.iter();
        let wanted = wanted
            .map(|entry| 1 + entry.blp.count_ones() as usize)
            .sum();
        self.push(SfuEvent::Nacked(sid.clone(), wanted));
        let mut direct = self.transport.rtc().direct_api();
        let stream = direct.stream_tx(&nack.ssrc);
        let (Some(stream), Some(sender)) = (stream, self.senders.get_mut(&sid)) else {
            return false;
        };
        sender.resend(stream, nack);
        true
    }

    fn sid_of(&self, is_it: impl Fn(&Sender) -> bool) -> Option<TrackSid> {
        let mut senders = self.senders.iter();
        senders
            .find(|(_, sender)| is_it(sender))
            .map(|(sid, _)| sid.clone())
    }

    fn push(&mut self, event: SfuEvent) {
        self.outputs.push_back(SfuOutput::Event(event));
    }
}
