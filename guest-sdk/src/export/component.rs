//! The exports of a component: plain calls into a [`Session`].

use std::cell::RefCell;
use std::marker::PhantomData;

use super::{Plugin, Session, convert, log_panics};
use crate::bindings::imports::trackmill::plugin::types as wit;
use crate::bindings::{inspector, plugin, transformer};
use crate::{Error, Format, Frame, Track, TrackEvent, Verdict, imports};

use inspector::exports::trackmill::plugin::track_inspector;
use plugin::exports::trackmill::plugin::plugin as identity;
use transformer::exports::trackmill::plugin::track_transformer;

/// All exports of a plugin.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

/// A session as the host holds it.
#[expect(
    missing_debug_implementations,
    reason = "the plugin inside need not have one"
)]
pub struct Exported<P: Plugin> {
    running: RefCell<Running<P::Session>>,
}

struct Running<S> {
    session: S,
    format: Format,
}

impl<P: Plugin> identity::Guest for Component<P> {
    fn describe() -> identity::Declaration {
        log_panics();
        let kinds = P::Session::KINDS.iter().copied();
        identity::Declaration {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            wants: P::Session::WANTS.into(),
            kinds: kinds.map(Into::into).collect(),
            latency_samples: P::Session::latency(),
            config_schema: P::Session::CONFIG_SCHEMA.map(str::to_owned),
        }
    }
}

impl<P: Plugin> track_transformer::Guest for Component<P> {
    type Session = Exported<P>;
}

impl<P: Plugin> track_inspector::Guest for Component<P> {
    type Session = Exported<P>;
}

impl<P: Plugin> track_transformer::GuestSession for Exported<P> {
    fn open(
        track: wit::TrackInfo,
        format: Option<wit::PcmFormat>,
    ) -> Result<track_transformer::Session, wit::PluginError> {
        Ok(track_transformer::Session::new(Self::start(track, format)?))
    }

    fn process(&self, frame: wit::AudioFrame) -> Result<wit::Verdict, wit::PluginError> {
        let (verdict, frame) = self.running.borrow_mut().process(frame)?;
        Ok(match verdict {
            Verdict::Unchanged => wit::Verdict::Pass,
            Verdict::Changed => wit::Verdict::Replace(wit::Samples::Float32(frame.samples)),
            Verdict::Silence => wit::Verdict::Silence,
            Verdict::Drop => wit::Verdict::Drop,
        })
    }

    fn on_event(&self, event: wit::TrackEvent) -> Result<wit::EventVerdict, wit::PluginError> {
        Ok(self.running.borrow_mut().on_event(event)?.into())
    }

    fn finish(&self) -> Result<Option<wit::Samples>, wit::PluginError> {
        let tail = self.running.borrow_mut().session.finish()?;
        Ok(tail.map(wit::Samples::Float32))
    }
}

impl<P: Plugin> track_inspector::GuestSession for Exported<P> {
    fn open(
        track: wit::TrackInfo,
        format: Option<wit::PcmFormat>,
    ) -> Result<track_inspector::Session, wit::PluginError> {
        Ok(track_inspector::Session::new(Self::start(track, format)?))
    }

    fn inspect(&self, frame: wit::AudioFrame) -> Result<(), wit::PluginError> {
        self.running.borrow_mut().process(frame)?;
        Ok(())
    }

    fn on_event(&self, event: wit::TrackEvent) -> Result<(), wit::PluginError> {
        self.running.borrow_mut().on_event(event)?;
        Ok(())
    }

    fn finish(&self) -> Result<(), wit::PluginError> {
        self.running.borrow_mut().session.finish()?;
        Ok(())
    }
}

impl<P: Plugin> Exported<P> {
    fn start(track: wit::TrackInfo, format: Option<wit::PcmFormat>) -> Result<Self, Error> {
        log_panics();
        let format = format.map_or(Format::NONE, Into::into);
        let session = P::Session::open(&Track::from(track), format, &imports::config())?;
        Ok(Self {
            running: RefCell::new(Running { session, format }),
        })
    }
}

impl<S: Session> Running<S> {
    fn process(&mut self, frame: wit::AudioFrame) -> Result<(Verdict, Frame), Error> {
        let mut frame = convert::frame(frame, self.format);
        let verdict = self.session.process(&mut frame)?;
        Ok((verdict, frame))
    }

    fn on_event(&mut self, event: wit::TrackEvent) -> Result<crate::EventVerdict, Error> {
        let event = TrackEvent::from(event);
        if let TrackEvent::FormatChanged(format) = event {
            self.format = format;
        }
        self.session.on_event(&event)
    }
}
