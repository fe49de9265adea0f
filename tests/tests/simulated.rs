//! What can be proved without a server: files, captures, virtual time. One module a subject.

mod codec;
mod command_line;
mod layering;
mod manifest;
mod mp4;
mod fuzz;
mod ogg;
mod pcm;
mod recover;
mod sink;
mod wav;
mod webm;
mod websocket;
mod depacketize;
mod encoders;
mod pipeline;
mod plugins;
