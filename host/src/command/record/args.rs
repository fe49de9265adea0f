use std::time::Duration;

use clap::{ArgGroup, ValueEnum};

use super::follow::{self, Selection, Takes};
use super::outputs::{OutputArgs, OutputError};
use super::plugins::{PluginArgs, PluginError, Wanted};
use crate::egress::{Destination, EgressId};
use crate::media::{ParticipantIdentity, RoomName, TrackSource};
use crate::room::{self, Credentials};
use crate::signal::{self, AccessToken, ApiKey, ServerUrl, ServerUrlError, TokenError};

/// Record tracks of a LiveKit room into files, untouched.
#[derive(Clone, Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line are bools"
)]
#[command(group(ArgGroup::new("selection").required(true).args(["track", "participant", "all"])))]
pub struct Args {
    /// The LiveKit server, e.g. wss://example.livekit.cloud
    #[arg(long, env = "LIVEKIT_URL", value_name = "URL")]
    url: Option<String>,
    /// The server's API key
    #[arg(long, env = "LIVEKIT_API_KEY", value_name = "KEY")]
    api_key: Option<String>,
    /// The server's API secret
    #[arg(
        long,
        env = "LIVEKIT_API_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    api_secret: Option<String>,
    /// An access token, instead of key and secret
    #[arg(
        long,
        env = "LIVEKIT_TOKEN",
        value_name = "JWT",
        hide_env_values = true
    )]
    token: Option<String>,
    /// The room; not needed with a token
    #[arg(long, value_name = "NAME")]
    room: Option<String>,
    /// Record one track
    #[arg(long, value_name = "TR_…")]
    track: Option<String>,
    /// Record what a participant publishes
    #[arg(long, value_name = "IDENTITY")]
    participant: Option<String>,
    /// … only this source of it
    #[arg(long, value_enum, requires = "participant", conflicts_with_all = ["track", "all"])]
    source: Option<Source>,
    /// Record everything, also what is published later
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    plugins: PluginArgs,
    /// Stop after this long, from the first packet, e.g. 90s, 30m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// How long to wait for the first track
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    wait: Duration,
    /// Print the manifest of each file or stream on standard output at the end, one JSON object a line
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What a track shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Source {
    Microphone,
    Camera,
    ScreenShare,
    ScreenShareAudio,
}

/// What is to be done: arguments that make sense.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) room: room::Config,
    pub(super) selection: Selection,
    pub(super) follow: follow::Settings,
    pub(super) destination: Destination,
    pub(super) plugins: Option<Wanted>,
    pub(super) report: Report,
}

/// What the user wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) progress: bool,
    pub(super) json: bool,
}

/// Arguments that make no sense together, or of which one cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error(transparent)]
    Url(#[from] ServerUrlError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Plugin(#[from] PluginError),
    #[error("the argument '{0}' is missing: give {0} or set {1}")]
    Missing(&'static str, &'static str),
    #[error(
        "the argument '{0}' is missing: give {0} or set {1}, or give --token or set LIVEKIT_TOKEN"
    )]
    MissingKey(&'static str, &'static str),
    #[error("the argument '--room' is missing: name the room to record")]
    MissingRoom,
    #[error("the token is for room {token}, not for {asked}")]
    OtherRoom { token: RoomName, asked: String },
}

impl Args {
    /// Reads the arguments.
    pub(super) fn job(self) -> Result<Job, UsageError> {
        let url = given(self.url.as_ref());
        let url = url.ok_or(UsageError::Missing("--url", "LIVEKIT_URL"))?;
        let destination = self.output.destination()?;
        Ok(Job {
            room: room::Config {
                url: ServerUrl::parse(&url)?,
                credentials: self.credentials()?,
                signal: signal::Settings::default(),
            },
            follow: follow::Settings {
                wait: self.wait,
                duration: self.duration,
                takes: match destination {
                    Destination::Files(_) => Takes::Everything,
                    Destination::Stream(_) => Takes::Sound,
                },
                return_window: RETURN_WINDOW,
            },
            destination,
            plugins: self.plugins.clone().wanted()?,
            report: Report {
                progress: !self.quiet,
                json: self.json,
            },
            selection: self.selection(),
        })
    }

    fn credentials(&self) -> Result<Credentials, UsageError> {
        let room = given(self.room.as_ref());
        if let Some(token) = given(self.token.as_ref()) {
            let token = AccessToken::from(token);
            let claims = token.claims()?;
            if let Some(asked) = room.filter(|room| *room != *claims.room.as_str()) {
                let token = claims.room;
                return Err(UsageError::OtherRoom { token, asked });
            }
            return Ok(Credentials::Token(token));
        }
        let missing = UsageError::MissingKey;
        let key = given(self.api_key.as_ref());
        let secret = given(self.api_secret.as_ref());
        let key = ApiKey {
            key: key.ok_or_else(|| missing("--api-key", "LIVEKIT_API_KEY"))?,
            secret: secret.ok_or_else(|| missing("--api-secret", "LIVEKIT_API_SECRET"))?,
        };
        Ok(Credentials::Key {
            key,
            room: room.ok_or(UsageError::MissingRoom)?.into(),
            identity: EgressId::random().as_str().into(),
        })
    }

    fn selection(self) -> Selection {
        match (self.track, self.participant) {
            (Some(track), _) => Selection::Track(track.into()),
            (None, Some(identity)) => Selection::Participant {
                identity: ParticipantIdentity::from(identity),
                source: self.source.map(TrackSource::from),
            },
            (None, None) => Selection::All,
        }
    }
}

impl From<Source> for TrackSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Microphone => Self::Microphone,
            Source::Camera => Self::Camera,
            Source::ScreenShare => Self::ScreenShare,
            Source::ScreenShareAudio => Self::ScreenShareAudio,
        }
    }
}

/// What was given; a variable that is set to nothing counts as not set.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// Reads `90s`, `1h30m`, `500ms`, or a bare number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "expected a time such as 90s, 30m or 1h30m".to_owned())?;
    Duration::try_from(span).map_err(|_| "a time cannot be negative".to_owned())
}

/// Long enough for a publisher that reconnects fully: it gives up resuming after some seconds.
const RETURN_WINDOW: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command::{Cli, Command};

    #[test]
    fn what_is_missing_is_named_with_the_variable_that_would_give_it() {
        for (take, named) in [
            (take_url as fn(&mut Args), "LIVEKIT_URL"),
            (|args| args.api_key = None, "LIVEKIT_API_KEY"),
            (
                |args| args.api_secret = Some(String::new()),
                "LIVEKIT_API_SECRET",
            ),
            (|args| args.room = None, "--room"),
        ] {
            let mut args = complete();
            take(&mut args);

            let error = args.job().unwrap_err().to_string();

            assert!(error.contains(named), "no {named} in: {error}");
        }
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_not_set() {
        let mut args = complete();
        args.token = Some(String::new());

        let credentials = args.job().unwrap().room.credentials;

        assert!(matches!(credentials, Credentials::Key { .. }));
    }

    fn take_url(args: &mut Args) {
        args.url = None;
    }

    /// All that is needed to record with a key, whatever the environment says.
    fn complete() -> Args {
        let command = Cli::parse_from(["trackmill", "record", "--all"]).command;
        let Command::Record(args) = command else {
            panic!("it is `record`");
        };
        let given = |text: &str| Some(text.to_owned());
        Args {
            url: given("ws://localhost"),
            api_key: given("key"),
            api_secret: given("secret"),
            token: None,
            room: given("room"),
            ..*args
        }
    }
}
