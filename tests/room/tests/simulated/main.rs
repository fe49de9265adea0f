//! The simulated server against an independent subscriber, in virtual time and on loopback.

mod fixtures;
mod loopback;
mod pair;
mod peer;
mod shape;
mod signalling;
mod visitor;
