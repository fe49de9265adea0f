//! LiveKit signalling: join, subscribe, offer and answer, resume, reconnect.
