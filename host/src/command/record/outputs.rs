//! Where media goes, as the command line says it.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use super::args::duration;
use crate::dial::{EnvironmentError, Proxy, ProxyError, Tls};
use crate::egress::{Destination, Form, Place, Stream};
use crate::media::{Channels, SampleRate};
use crate::mux::Container;
use crate::pipeline::decoded::{OnMute, Work};
use crate::sink::SyncPolicy;
use crate::sink::path::{Template, TemplateError};
use crate::sink::websocket::{
    FrameDuration, HeaderError, Headers, Query, Server, Settings, Target, TargetError, Texts,
    Wanted,
};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Where files go: a path with {room_name}, {room_id}, {track_id}, {track_type}, {track_source},
    /// {publisher_identity}, {time}, {utc}; the codec gives the extension, but .wav and .pcm decode
    /// the sound
    #[arg(
        long,
        short,
        value_name = "TEMPLATE",
        default_value = "{track_id}-{time}"
    )]
    output: String,
    /// Send sound to a WebSocket server instead, one connection a track: ws[s]://host[:port]/path.
    /// The keys format, sample_rate, channels and frame of its query win over the options
    #[arg(long, value_name = "URL", conflicts_with = "output")]
    to: Option<Hidden>,
    /// … with this header in the request, e.g. 'Authorization: Bearer …'; may be repeated
    #[arg(long, value_name = "NAME: VALUE", requires = "to")]
    header: Vec<Hidden>,
    /// … by this subprotocol, the best first; may be repeated
    #[arg(long, value_name = "NAME", requires = "to")]
    subprotocol: Vec<String>,
    /// … as this: signed 16-bit little-endian samples, or Opus packets as they came
    #[arg(long, value_enum, requires = "to", default_value = "pcm")]
    format: Encoding,
    /// Samples a second, of a stream or of a .wav or .pcm file; 48000 if not given
    #[arg(long, value_name = "HZ", value_parser = sample_rate)]
    sample_rate: Option<SampleRate>,
    /// Channels, of a stream or of a .wav or .pcm file; those of the track if not given
    #[arg(long, value_name = "1|2", value_parser = channels)]
    channels: Option<Channels>,
    /// Milliseconds of sound in a message: 10, 20, 40 or 60; 20 if not given
    #[arg(long, value_name = "MS", value_parser = frame, requires = "to")]
    frame: Option<FrameDuration>,
    /// What a server gets while the track is muted: silence in real time, or nothing
    #[arg(long, value_enum, requires = "to", default_value = "silence")]
    on_mute: WhileMuted,
    /// Which text messages a server gets: {"muted":…} only, also what plugins say, or also start,
    /// gap, dropped and end
    #[arg(long, value_enum, requires = "to", default_value = "plugins")]
    texts: Told,
    /// Send exactly what LiveKit's own egress sends: 48 kHz, two channels, 10 ms, {"muted":…} as
    /// the only text, the URL as it is
    #[arg(
        long,
        requires = "to",
        conflicts_with_all = ["format", "sample_rate", "channels", "frame", "texts", "on_mute"]
    )]
    livekit: bool,
    /// Leave the query of the URL alone: its keys mean nothing to trackmill, and whose sound it is
    /// is not appended
    #[arg(long, requires = "to")]
    leave_query: bool,
    /// The HTTP proxy that leads to the server: http://[user:password@]host:port; '' for none. If it is
    /// not given, HTTPS_PROXY (wss), HTTP_PROXY (ws), ALL_PROXY and NO_PROXY say
    #[arg(long, value_name = "URL", requires = "to")]
    proxy: Option<Hidden>,
    /// How much sound may wait for a server that is slow or gone, before the oldest is dropped
    #[arg(long, value_name = "TIME", requires = "to", default_value = "10s", value_parser = duration)]
    buffer: Duration,
    /// How long to try to connect again when the connection breaks
    #[arg(long, value_name = "TIME", requires = "to", default_value = "60s", value_parser = duration)]
    reconnect_window: Duration,
}

/// What messages hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Encoding {
    Pcm,
    Opus,
}

/// What goes on while a track is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhileMuted {
    Silence,
    Pause,
}

/// What a server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Told {
    Livekit,
    Plugins,
    All,
}

/// A text that may hold a secret.
#[derive(Clone)]
struct Hidden(String);

/// Outputs that make no sense. Never shows a value that may be a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum OutputError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(
        "'--sample-rate' and '--channels' are for sound that is decoded: give '--to', or an '--output' that ends in .wav or .pcm"
    )]
    Untouched,
    #[error(
        "'--format opus' sends packets as they came: leave out '--sample-rate', '--channels' and '--frame'"
    )]
    OpusAsItCame,
    #[error("'--sample-rate {0}' is for files only: a stream has 8000, 16000, 24000 or 48000")]
    Rate(u32),
}

impl OutputArgs {
    /// Reads the arguments, and what of the environment they leave open.
    pub(super) fn destination(&self) -> Result<Destination, OutputError> {
        self.destination_in(variable)
    }

    fn destination_in(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Destination, OutputError> {
        let Some(Hidden(url)) = &self.to else {
            return Ok(Destination::Files(self.place()?));
        };
        let target = self.target(url)?;
        let proxy = self.proxy(&target, variable)?;
        let stream = self.stream(target, proxy)?;
        Ok(Destination::Stream(Box::new(stream)))
    }

    fn place(&self) -> Result<Place, OutputError> {
        let template: Template = self.output.parse()?;
        Ok(Place {
            form: self.form(template.extension())?,
            template,
            sync: SyncPolicy::default(),
        })
    }

    /// What files of sound hold, by the extension that was asked for.
    fn form(&self, extension: Option<&str>) -> Result<Form, OutputError> {
        let format = Work {
            rate: self.sample_rate,
            channels: self.channels,
        };
        let pcm = |container| Ok(Form::Pcm { container, format });
        match extension {
            Some("wav") => pcm(Container::Wav),
            Some("pcm") => pcm(Container::Pcm),
            _ if format == Work::default() => Ok(Form::AsItCame),
            _ => Err(OutputError::Untouched),
        }
    }

    fn target(&self, url: &str) -> Result<Target, OutputError> {
        let query = if self.leave_query || self.livekit {
            Query::Theirs
        } else {
            Query::Ours
        };
        Ok(Target::parse(url, query)?.with_headers(self.headers()?))
    }

    fn stream(&self, target: Target, proxy: Option<Proxy>) -> Result<Stream, OutputError> {
        Ok(Stream {
            wanted: target.wishes().applied_to(self.wanted()?),
            server: Server {
                target,
                tls: Tls::system(),
                proxy,
            },
            on_mute: self.on_mute.into(),
            settings: Settings {
                buffer: self.buffer,
                reconnect_window: self.reconnect_window,
                texts: self.texts(),
                ..Settings::default()
            },
        })
    }

    /// The proxy that was named, or that of the environment. An empty name is none.
    fn proxy(
        &self,
        target: &Target,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, OutputError> {
        match &self.proxy {
            Some(Hidden(url)) if url.trim().is_empty() => Ok(None),
            Some(Hidden(url)) => Ok(Some(Proxy::parse(url)?)),
            None => Ok(Proxy::of_environment(target.endpoint(), variable)?),
        }
    }

    fn wanted(&self) -> Result<Wanted, OutputError> {
        if self.livekit {
            return Ok(Wanted::LIVEKIT);
        }
        let says_nothing_of_pcm =
            self.sample_rate.is_none() && self.channels.is_none() && self.frame.is_none();
        match self.format {
            Encoding::Opus if says_nothing_of_pcm => Ok(Wanted::Opus),
            Encoding::Opus => Err(OutputError::OpusAsItCame),
            Encoding::Pcm => Ok(Wanted::Pcm {
                rate: self.stream_rate()?,
                channels: self.channels,
                frame: self.frame.unwrap_or_default(),
            }),
        }
    }

    fn stream_rate(&self) -> Result<SampleRate, OutputError> {
        let rate = self.sample_rate.unwrap_or(SampleRate::HZ_48000);
        match rate.get() {
            8_000 | 16_000 | 24_000 | 48_000 => Ok(rate),
            other => Err(OutputError::Rate(other)),
        }
    }

    fn headers(&self) -> Result<Headers, HeaderError> {
        let mut headers = Headers::default();
        for Hidden(line) in &self.header {
            headers.add(line)?;
        }
        let names: Vec<&str> = self.subprotocol.iter().map(String::as_str).collect();
        if !names.is_empty() {
            headers.ask_for_subprotocols(&names)?;
        }
        Ok(headers)
    }

    const fn texts(&self) -> Texts {
        match self.texts {
            _ if self.livekit => Texts::LiveKit,
            Told::Livekit => Texts::LiveKit,
            Told::Plugins => Texts::Plugins,
            Told::All => Texts::All,
        }
    }
}

impl From<WhileMuted> for OnMute {
    fn from(choice: WhileMuted) -> Self {
        match choice {
            WhileMuted::Silence => Self::Silence,
            WhileMuted::Pause => Self::Pause,
        }
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is what the command line leaves open"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn sample_rate(text: &str) -> Result<SampleRate, String> {
    let rate = text.parse().ok().and_then(SampleRate::new);
    rate.ok_or_else(|| "expected 8000, 12000, 16000, 24000, 44100 or 48000".to_owned())
}

fn channels(text: &str) -> Result<Channels, String> {
    let channels = text.parse().ok().and_then(Channels::new);
    channels.ok_or_else(|| "expected 1 or 2".to_owned())
}

fn frame(text: &str) -> Result<FrameDuration, String> {
    let frame = text.parse().ok().and_then(FrameDuration::from_millis);
    frame.ok_or_else(|| "expected 10, 20, 40 or 60".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_stream_is_what_its_options_and_its_url_say() {
        let pcm = |rate, channels, frame| Wanted::Pcm {
            rate,
            channels,
            frame,
        };
        let full = SampleRate::HZ_48000;
        let speech = (SampleRate::HZ_16000, Some(Channels::Mono));
        let phone = (SampleRate::HZ_8000, Some(Channels::Stereo));
        for (options, wanted) in [
            ("--to ws://h", Wanted::default()),
            (
                "--to ws://h --sample-rate 16000 --channels 1 --frame 40",
                pcm(speech.0, speech.1, FrameDuration::Ms40),
            ),
            (
                "--to ws://h?sample_rate=8000 --sample-rate 16000 --channels 2",
                pcm(phone.0, phone.1, FrameDuration::Ms20),
            ),
            ("--to ws://h --format opus", Wanted::Opus),
            ("--to ws://h?format=opus", Wanted::Opus),
            (
                "--to ws://h?frame=10 --format opus",
                pcm(full, None, FrameDuration::Ms10),
            ),
            ("--to ws://h?frame=60 --livekit", Wanted::LIVEKIT),
            (
                "--to ws://h?frame=60 --leave-query",
                pcm(full, None, FrameDuration::Ms20),
            ),
        ] {
            assert_eq!(stream(options).wanted, wanted, "{options}");
        }
    }

    #[test]
    fn a_stream_behaves_as_its_options_say() {
        let stream = stream(
            "--to wss://h --on-mute pause --texts all --buffer 2s --reconnect-window 5m \
             --proxy http://me:sesame@proxy:3128 --header X-Key:sesame --subprotocol pcm",
        );

        assert_eq!(stream.on_mute, OnMute::Pause);
        assert_eq!(stream.settings.texts, Texts::All);
        assert_eq!(stream.settings.buffer, Duration::from_secs(2));
        assert_eq!(stream.settings.reconnect_window, Duration::from_secs(300));
        let shown = format!("{stream:?}");
        for word in ["proxy:3128", "x-key", "sec-websocket-protocol"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        assert!(!shown.contains("sesame"), "{shown}");
    }

    #[test]
    fn files_hold_samples_if_their_name_says_so() {
        let format = Work {
            rate: Some(SampleRate::HZ_44100),
            channels: Some(Channels::Mono),
        };
        let pcm = |container, format| Form::Pcm { container, format };
        for (options, form) in [
            ("", Form::AsItCame),
            ("--output x.ogg", Form::AsItCame),
            ("--output x.wav", pcm(Container::Wav, Work::default())),
            (
                "--output a/{time}.PCM --sample-rate 44100 --channels 1",
                pcm(Container::Pcm, format),
            ),
        ] {
            let Ok(Destination::Files(place)) = destination(options) else {
                panic!("{options}: these are files");
            };
            assert_eq!(place.form, form, "{options}");
        }
    }

    #[test]
    fn outputs_that_make_no_sense_are_refused_with_the_reason_and_without_secrets() {
        for (options, complaint) in [
            ("--sample-rate 16000", "ends in .wav or .pcm"),
            ("--output x.ogg --channels 1", "ends in .wav or .pcm"),
            ("--to ws://h --format opus --frame 10", "leave out"),
            (
                "--to ws://h --sample-rate 44100",
                "8000, 16000, 24000 or 48000",
            ),
            ("--to http://h", "wss:// or ws://"),
            ("--to ws://me:sesame@h", "Authorization"),
            ("--to ws://h?channels=9&key=sesame", "channels=9"),
            ("--to ws://h --header sesame", "no colon"),
            ("--to ws://h --subprotocol a,b", "subprotocol"),
            ("--to ws://h --proxy socks5://me:sesame@p", "socks5://"),
        ] {
            let error = destination(options).unwrap_err().to_string();

            assert!(error.contains(complaint), "{options}: {error}");
            assert!(!error.contains("sesame"), "{options}: {error}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (options, complaint) in [
            ("--to ws://h --output x", "'--output <TEMPLATE>'"),
            ("--header A:b", "--to <URL>"),
            ("--frame 20", "--to <URL>"),
            ("--livekit", "--to <URL>"),
            ("--to ws://h --livekit --frame 20", "'--frame <MS>'"),
            ("--to ws://h --frame 15", "10, 20, 40 or 60"),
            ("--to ws://h --channels 3", "1 or 2"),
            ("--to ws://h --sample-rate 96000", "44100 or 48000"),
        ] {
            let error = parse(options).unwrap_err().to_string();

            assert!(error.contains(complaint), "{options}: {error}");
        }
    }

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        output: OutputArgs,
    }

    fn stream(options: &str) -> Stream {
        match destination(options) {
            Ok(Destination::Stream(stream)) => *stream,
            other => panic!("{options}: {other:?}"),
        }
    }

    fn destination(options: &str) -> anyhow::Result<Destination> {
        Ok(parse(options)?.destination_in(|_| None)?)
    }

    fn parse(options: &str) -> Result<OutputArgs, clap::Error> {
        let words = ["record"].into_iter().chain(options.split_whitespace());
        Ok(Line::try_parse_from(words)?.output)
    }
}
