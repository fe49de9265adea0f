//! What can be proved without a server: files, captures, virtual time. One module a subject.

mod mp4;
mod ogg;
mod wav;
mod webm;
