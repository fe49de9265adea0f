//! Output templates: where a recording goes, and what it is called.
//!
//! A template is a path with tokens in braces, those of LiveKit's egress:
//!
//! | token | becomes |
//! |---|---|
//! | `{room_name}` `{room_id}` | the room's name and SID |
//! | `{track_id}` | the track's SID |
//! | `{track_type}` | `audio` or `video` |
//! | `{track_source}` | `camera`, `microphone`, `screen_share`, `screen_share_audio` or `unknown` |
//! | `{publisher_identity}` | the identity of the participant who publishes the track |
//! | `{time}` | the start in the local time zone, `2026-08-31T174523` |
//! | `{utc}` | the start in UTC with milliseconds, `20260831154523123`; LiveKit's egress writes local time here |
//! | `{retry}` | how often the recording was begun anew; 0 at first |
//!
//! A template that is empty or ends in `/` names a directory; the file is then called
//! `<track_id>-<time>.<extension>`. The extension follows from what is in the file: a known wrong one
//! is replaced (`x.mp4` for a VP8 track becomes `x.webm`). An absolute template is kept; `../` at the
//! beginning of a relative one is taken off, as LiveKit's egress does.
//!
//! Room names and identities are chosen by strangers: no value can leave the component of the path
//! it stands in.

mod component;
mod name;
mod token;

use std::fmt;
use std::path::PathBuf;

pub use name::{described, finished, manifest, spool, vacant};
pub use token::Values;

use component::Component;
use token::Token;

/// A path with tokens, see the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    is_absolute: bool,
    directories: Vec<Component>,
    /// The file name without its extension.
    stem: Component,
    /// The extension it was written with, if it is a known one.
    extension: Option<&'static str>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The text has an unknown token, an unclosed brace or a control character, or one of its
    /// components is too long.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (directory, file) = text.rsplit_once('/').unwrap_or(("", text));
        let mut names = Vec::new();
        for name in directory.split('/').chain([file]) {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        let (stem, extension) = match file {
            "" | "." | ".." => ("", None),
            _ => split_extension(names.pop().unwrap_or_default()),
        };
        Ok(Self {
            is_absolute: text.starts_with('/'),
            directories: names
                .into_iter()
                .map(|name| Component::parse(name, MAX_COMPONENT))
                .collect::<Result<_, _>>()?,
            stem: match stem {
                "" => Component::parse("{track_id}-{time}", MAX_STEM)?.with_retry(),
                stem => Component::parse(stem, MAX_STEM)?,
            },
            extension,
        })
    }

    /// The path of a track's file. `extension` has no dot.
    pub fn fill(&self, values: &Values<'_>, extension: &str) -> PathBuf {
        let mut path = PathBuf::from(self.origin());
        for directory in &self.directories {
            path.push(directory.fill(values, MAX_COMPONENT));
        }
        let stem = self.stem.fill(values, MAX_STEM);
        path.push(format!("{stem}.{extension}"));
        path
    }

    /// The extension it was written with, without the dot and in lower case, if it is a known one.
    pub const fn extension(&self) -> Option<&'static str> {
        self.extension
    }

    /// The directory that holds every file of this template: its path up to the first token. Empty
    /// for the current directory.
    pub fn root(&self) -> PathBuf {
        let fixed = self.directories.iter().map_while(Component::literal);
        [self.origin()].into_iter().chain(fixed).collect()
    }

    /// How many levels of directories lie between [`root`](Self::root) and a file.
    pub fn depth(&self) -> usize {
        let fixed = self.directories.iter().map_while(Component::literal);
        self.directories.len() - fixed.count()
    }

    const fn origin(&self) -> &'static str {
        if self.is_absolute { "/" } else { "" }
    }
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

/// A text that [`Template::parse`] reads as the same template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin())?;
        for directory in &self.directories {
            write!(f, "{directory}/")?;
        }
        if !self.stem.is_default() {
            write!(f, "{}", self.stem)?;
        }
        match self.extension {
            Some(extension) => write!(f, ".{extension}"),
            None => Ok(()),
        }
    }
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A token that does not exist.
    #[error("unknown token {{{token}}}, did you mean {{{nearest}}}?")]
    UnknownToken {
        /// As it was written.
        token: String,
        /// The known one that is most like it.
        nearest: &'static str,
    },
    /// A brace that opens and does not close.
    #[error("the {{ in {0:?} has no }} before the next /")]
    Unclosed(String),
    /// A part of the path that no file system could hold with the values in it.
    #[error("{0:?} is too long for a part of a path")]
    TooLong(String),
    /// A control character.
    #[error("{0:?} contains a control character")]
    ControlCharacter(String),
}

/// Splits a known extension off.
fn split_extension(name: &str) -> (&str, Option<&'static str>) {
    let split = name.rsplit_once('.').and_then(|(stem, written)| {
        let is_it = |known: &&&str| known.eq_ignore_ascii_case(written);
        let extension = KNOWN_EXTENSIONS.iter().find(is_it)?;
        Some((stem, Some(*extension)))
    });
    split.unwrap_or((name, None))
}

/// Bytes that Linux and macOS file systems take.
const MAX_COMPONENT: usize = 255;
/// Leaves room for `-9999`, the extension, `.part` and `.json`.
const MAX_STEM: usize = MAX_COMPONENT - 24;

/// Those LiveKit's egress knows, and those that recorders use for our containers.
const KNOWN_EXTENSIONS: [&str; 13] = [
    "raw", "ogg", "mp3", "ivf", "mp4", "ts", "webm", "m3u8", "jpeg", "opus", "wav", "pcm", "mkv",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Zoned;
    use jiff::tz::{TimeZone, offset};
    use proptest::prelude::*;

    use super::*;
    use crate::media::{ParticipantIdentity, RoomName, RoomSid, TrackKind, TrackSid, TrackSource};

    #[test]
    fn every_token_is_replaced() {
        let template = Template::parse(
            "/rec/{room_name}/{room_id}/{publisher_identity}/{track_type}-{track_source}-{track_id}-{time}-{utc}-{retry}",
        );

        let path = template.unwrap().fill(&values().borrowed(), "ogg");

        assert_eq!(
            path,
            Path::new(
                "/rec/stand-up/RM_1/alice/audio-microphone-TR_1-2026-08-31T174523-20260831154523123-0.ogg"
            )
        );
    }

    #[test]
    fn a_template_is_read_back_from_its_text() {
        for text in [
            "",
            "/",
            "rec/",
            "/rec/{room_name}/{publisher_identity}-{time}.mp4",
            "x.mp4.webm",
            "x.tar",
            "..mp4",
            "...mp4",
            ".mp4",
            "{track_id}-{time}",
            "a/../{retry}",
        ] {
            let template = Template::parse(text).unwrap();
            let again = Template::parse(&template.to_string());
            assert_eq!(again.as_ref(), Ok(&template), "{text:?} as {template}");
        }
    }

    #[test]
    fn the_extension_follows_from_the_codec() {
        for (text, expected) in [
            ("x", "x.webm"),
            ("x.webm", "x.webm"),
            ("x.mp4", "x.webm"),
            ("x.MP4", "x.webm"),
            ("x.opus", "x.webm"),
            ("x.y", "x.y.webm"),
            ("v1.2/x.tar", "v1.2/x.tar.webm"),
        ] {
            assert_eq!(fill(text, "webm"), Path::new(expected), "{text}");
        }
    }

    #[test]
    fn a_directory_gets_a_name_from_track_and_time() {
        let name = "TR_1-2026-08-31T174523.ogg";
        for (text, directory) in [
            ("", ""),
            (".", ""),
            ("..", ""),
            ("a/", "a"),
            ("a/b/..", "a"),
            ("/", "/"),
            ("a/.ogg", "a"),
        ] {
            assert_eq!(
                fill(text, "ogg"),
                Path::new(directory).join(name),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_recording_that_was_begun_anew_says_so_in_its_default_name() {
        let again = Owned {
            retry: 2,
            ..values()
        };

        let path = Template::parse("").unwrap().fill(&again.borrowed(), "ogg");

        assert_eq!(path, Path::new("TR_1-2026-08-31T174523-2.ogg"));
    }

    #[test]
    fn the_extension_it_was_written_with_is_known_and_read_back() {
        for (text, extension) in [
            ("a/x.WAV", Some("wav")),
            ("x.pcm", Some("pcm")),
            ("x.mp4.wav", Some("wav")),
            ("a.wav/", None),
            ("a.wav/x", None),
            ("x.unknown", None),
            (".wav", Some("wav")),
            ("..mp4", Some("mp4")),
            ("", None),
        ] {
            let template = Template::parse(text).unwrap();

            assert_eq!(template.extension(), extension, "{text}");
            let again = Template::parse(&template.to_string());
            assert_eq!(again.as_ref(), Ok(&template), "{text}: {template}");
        }
    }

    #[test]
    fn a_template_is_cleaned() {
        for (text, expected) in [
            ("../../x", "x.ogg"),
            ("a/../../x", "x.ogg"),
            ("/../x", "/x.ogg"),
            ("a//./b/x", "a/b/x.ogg"),
            ("{room_name}/../x", "x.ogg"),
            ("a..b/x", "a..b/x.ogg"),
        ] {
            assert_eq!(fill(text, "ogg"), Path::new(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_template_is_refused_with_a_reason() {
        for (text, reason) in [
            ("{room}", "unknown token {room}, did you mean {room_name}?"),
            (
                "{track_sid}",
                "unknown token {track_sid}, did you mean {track_id}?",
            ),
            (
                "{identity}",
                "unknown token {identity}, did you mean {publisher_identity}?",
            ),
            ("{}", "unknown token {}, did you mean {utc}?"),
            ("{time", "the { in \"{time\" has no } before the next /"),
            ("{ti/me}", "the { in \"{ti\" has no } before the next /"),
            ("a\nb/x", "\"a\\nb\" contains a control character"),
        ] {
            assert_eq!(
                Template::parse(text).unwrap_err().to_string(),
                reason,
                "{text}"
            );
        }
        assert_eq!(
            Template::parse(&"x".repeat(256)),
            Err(TemplateError::TooLong("x".repeat(256)))
        );
    }

    #[test]
    fn the_root_ends_at_the_first_token() {
        for (text, root, depth) in [
            ("/rec/a/{room_name}/b/x", "/rec/a", 2),
            ("x", "", 0),
            ("/", "/", 0),
            ("a/", "a", 0),
            ("a-{time}/x", "", 1),
        ] {
            let template = Template::parse(text).unwrap();

            assert_eq!(template.root(), Path::new(root), "{text}");
            assert_eq!(template.depth(), depth, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place(
            room in any::<String>(),
            identity in r"(\.|/|\\|\x00|a|é|𝄞){0,300}",
        ) {
            let owned = Owned { room: room.as_str().into(), publisher: identity.as_str().into(), ..values() };
            let template = Template::parse("/rec/{room_name}/.{publisher_identity}/{publisher_identity}{room_name}").unwrap();

            let path = template.fill(&owned.borrowed(), "ogg");

            let components: Vec<_> = path.components().collect();
            prop_assert_eq!(components.len(), 5, "{:?}", path);
            prop_assert!(path.starts_with("/rec"));
            for name in path.iter() {
                let name = name.to_str().unwrap();
                prop_assert!(name.len() <= MAX_COMPONENT && name != ".." && name != ".");
                prop_assert!(name == "/" || !name.contains(|c: char| c == '/' || c.is_control()));
            }
            prop_assert!(spool(&manifest(&path)).file_name().unwrap().len() <= MAX_COMPONENT);
        }

        #[test]
        fn a_file_lies_below_the_root_of_its_template_whatever_the_text(text in "[a.{}/ _]{0,40}|[{]time[}][{]utc[}]x{0,200}") {
            if let Ok(template) = Template::parse(&text) {
                let path = template.fill(&values().borrowed(), "ogg");

                prop_assert!(path.starts_with(template.root()));
                prop_assert_eq!(path.is_absolute(), text.starts_with('/'));
            }
        }
    }

    fn fill(text: &str, extension: &str) -> PathBuf {
        let template = Template::parse(text).unwrap();
        template.fill(&values().borrowed(), extension)
    }

    /// Values that own what they refer to.
    struct Owned {
        room: RoomName,
        room_sid: RoomSid,
        track: TrackSid,
        publisher: ParticipantIdentity,
        started_at: Zoned,
        retry: u32,
    }

    impl Owned {
        fn borrowed(&self) -> Values<'_> {
            Values {
                room_name: &self.room,
                room_sid: &self.room_sid,
                track: &self.track,
                kind: TrackKind::Audio,
                source: TrackSource::Microphone,
                publisher: &self.publisher,
                started_at: &self.started_at,
                retry: self.retry,
            }
        }
    }

    /// In a zone that is two hours ahead of UTC.
    fn values() -> Owned {
        let started_at: jiff::Timestamp = "2026-08-31T15:45:23.123456Z".parse().unwrap();
        Owned {
            room: "stand-up".into(),
            room_sid: "RM_1".into(),
            track: "TR_1".into(),
            publisher: "alice".into(),
            started_at: started_at.to_zoned(TimeZone::fixed(offset(2))),
            retry: 0,
        }
    }
}
