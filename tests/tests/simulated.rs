//! What can be proved without a server: files, captures, virtual time. One module a subject.

mod manifest;
mod mp4;
mod ogg;
mod fuzz;
mod sink;
mod wav;
mod webm;
mod depacketize;
mod encoders;
