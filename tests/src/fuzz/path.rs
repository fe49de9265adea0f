use std::path::Component;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use trackmill::media::{TrackKind, TrackSource};
use trackmill::sink::path::{Template, Values};

/// An output template and a value that a stranger chose, behind its first NUL.
///
/// # Panics
/// The value leaves its place in the path, no file system could hold the path, or the template is
/// another one when it is read back from its text.
pub fn path_template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (template, hostile) = text.split_once('\0').unwrap_or((&text, "../../etc"));
    let Ok(template) = Template::parse(template) else {
        return;
    };
    let again = Template::parse(&template.to_string());
    assert_eq!(again.as_ref(), Ok(&template));
    let started_at = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let values = Values {
        room_name: &hostile.into(),
        room_sid: &hostile.into(),
        track: &hostile.into(),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        publisher: &hostile.into(),
        started_at: &started_at,
        retry: 0,
    };
    let path = template.fill(&values, "ogg");
    assert!(path.starts_with(template.root()), "{}", path.display());
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => assert!(name.len() <= 255, "{}", name.len()),
            other => panic!("{other:?} in {}", path.display()),
        }
    }
}
