//! What can be proved without a server: files, captures, virtual time. One module a subject.

mod depacketize;
mod encoders;
