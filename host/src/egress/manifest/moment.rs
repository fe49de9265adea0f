use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::media::NtpTimestamp;
use crate::rtp::timeline;

/// A point of wall-clock time. In JSON it has its nanoseconds since 1970, and ISO 8601 because
/// such a number is more than JavaScript can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "Text", from = "Text")]
pub struct Moment {
    /// Nanoseconds since 1970.
    pub unix_nanos: u64,
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            unix_nanos: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

impl From<NtpTimestamp> for Moment {
    fn from(ntp: NtpTimestamp) -> Self {
        Self {
            unix_nanos: ntp.unix_nanos(),
        }
    }
}

/// The wall-clock time of position 0, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The time.
    pub at: Moment,
    /// Whose clock says so.
    pub origin: AnchorOrigin,
}

/// Whose clock an [`Anchor`] is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorOrigin {
    /// The publisher's, by an RTCP sender report.
    SenderReport,
    /// Ours, when the first packet came in.
    Arrival,
}

impl From<timeline::Anchor> for Anchor {
    fn from(anchor: timeline::Anchor) -> Self {
        Self {
            at: anchor.ntp.into(),
            origin: match anchor.origin {
                timeline::AnchorOrigin::SenderReport => AnchorOrigin::SenderReport,
                timeline::AnchorOrigin::Arrival => AnchorOrigin::Arrival,
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Text {
    unix_ns: u64,
    iso8601: String,
}

impl From<Moment> for Text {
    fn from(moment: Moment) -> Self {
        let nanos = i128::from(moment.unix_nanos);
        let time = jiff::Timestamp::from_nanosecond(nanos).unwrap_or(jiff::Timestamp::MAX);
        Self {
            unix_ns: moment.unix_nanos,
            iso8601: format!("{time:.9}"),
        }
    }
}

impl From<Text> for Moment {
    fn from(text: Text) -> Self {
        Self {
            unix_nanos: text.unix_ns,
        }
    }
}

/// A duration as a number of nanoseconds, for `#[serde(with)]`.
pub(super) mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        duration: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}
