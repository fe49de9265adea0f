use jiff::Zoned;
use jiff::tz::TimeZone;

use super::TemplateError;
use crate::media::{ParticipantIdentity, RoomName, RoomSid, TrackKind, TrackSid, TrackSource};

/// What the tokens of a [`Template`](super::Template) become.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// `{room_name}`
    pub room_name: &'a RoomName,
    /// `{room_id}`
    pub room_sid: &'a RoomSid,
    /// `{track_id}`
    pub track: &'a TrackSid,
    /// `{track_type}`
    pub kind: TrackKind,
    /// `{track_source}`
    pub source: TrackSource,
    /// `{publisher_identity}`
    pub publisher: &'a ParticipantIdentity,
    /// `{time}` in its own time zone, `{utc}` in UTC.
    pub started_at: &'a Zoned,
    /// `{retry}`; ends the default name if it is not 0.
    pub retry: u32,
}

impl Values<'_> {
    pub(super) fn value(&self, token: Token) -> String {
        match token {
            Token::RoomName => self.room_name.to_string(),
            Token::RoomId => self.room_sid.to_string(),
            Token::Time => self.started_at.strftime("%Y-%m-%dT%H%M%S").to_string(),
            Token::Utc => utc(self.started_at),
            Token::Retry => self.retry.to_string(),
            Token::TrackId => self.track.to_string(),
            Token::TrackType => self.kind.to_string(),
            Token::TrackSource => self.source.to_string(),
            Token::PublisherIdentity => self.publisher.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    RoomName,
    RoomId,
    Time,
    Utc,
    Retry,
    TrackId,
    TrackType,
    TrackSource,
    PublisherIdentity,
}

impl Token {
    const ALL: [Self; 9] = [
        Self::RoomName,
        Self::RoomId,
        Self::Time,
        Self::Utc,
        Self::Retry,
        Self::TrackId,
        Self::TrackType,
        Self::TrackSource,
        Self::PublisherIdentity,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::RoomName => "room_name",
            Self::RoomId => "room_id",
            Self::Time => "time",
            Self::Utc => "utc",
            Self::Retry => "retry",
            Self::TrackId => "track_id",
            Self::TrackType => "track_type",
            Self::TrackSource => "track_source",
            Self::PublisherIdentity => "publisher_identity",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, TemplateError> {
        let known = Self::ALL.into_iter().find(|token| token.name() == name);
        known.ok_or_else(|| TemplateError::UnknownToken {
            token: name.into(),
            nearest: nearest(name),
        })
    }
}

/// `{room}` means `{room_name}`, although fewer letters separate it from `{time}`.
fn nearest(name: &str) -> &'static str {
    let names = || Token::ALL.into_iter().map(Token::name);
    let holds_it = |known: &&str| !name.is_empty() && known.contains(name);
    let by_letters = || names().min_by_key(|known| edit_distance(name, known));
    names()
        .find(holds_it)
        .or_else(by_letters)
        .unwrap_or_default()
}

/// Letters to change, add or take away to make `b` of `a` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for ((diagonal, above), to) in row.iter().zip(row.iter().skip(1)).zip(b.chars()) {
            let changed = diagonal + usize::from(from != to);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn utc(at: &Zoned) -> String {
    let at = at.with_time_zone(TimeZone::UTC);
    at.strftime("%Y%m%d%H%M%S%3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }
}
