use std::fmt;
use std::sync::Arc;

/// Declares an identifier that the server or the user chose: an opaque string, cheap to clone.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_id! {
    /// The name of a room, chosen by its user.
    RoomName
}
text_id! {
    /// The server's id of a room (`RM_…`).
    RoomSid
}
text_id! {
    /// Who a participant is, from the access token; stable over reconnects.
    ParticipantIdentity
}
text_id! {
    /// The server's id of one connection of a participant (`PA_…`).
    ParticipantSid
}
text_id! {
    /// The server's id of a published track (`TR_…`).
    TrackSid
}

/// The synchronisation source of an RTP stream, [RFC 3550 §3](https://www.rfc-editor.org/rfc/rfc3550#section-3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ssrc({self})")
    }
}

/// An RTP sequence number extended by its roll-overs,
/// [RFC 3550 §A.1](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// The one that follows.
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The 16 bits that were on the wire.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the wire carries the low 16 bits"
    )]
    pub const fn wire(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
