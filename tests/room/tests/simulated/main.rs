//! The simulated server against an independent subscriber, in virtual time and on loopback.

mod faults;
mod fixtures;
mod loopback;
mod pair;
mod peer;
mod shape;
mod signalling;
mod tracks;
mod visitor;
