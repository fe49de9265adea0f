//! A simulated LiveKit room.
