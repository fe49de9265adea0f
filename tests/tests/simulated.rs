//! What can be proved without a server: files, captures, virtual time. One module a subject.

mod command_line;
mod contract;
mod examples;
mod layering;
mod manifest;
mod mp4;
mod fuzz;
mod ogg;
mod recover;
mod sink;
mod wav;
mod webm;
mod depacketize;
mod encoders;
mod pipeline;
mod plugin_new;
