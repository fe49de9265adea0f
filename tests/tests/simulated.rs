//! What can be proved without a real server: files, captures, virtual time, the simulated room. One
//! module a subject.

mod codec;
mod command_line;
mod contract;
mod demux;
mod examples;
mod layering;
mod manifest;
mod messages;
mod mp4;
mod fuzz;
mod filters;
mod ogg;
mod pcm;
mod recover;
mod sink;
mod wav;
mod webm;
mod websocket;
mod depacketize;
mod encoders;
mod faults;
mod pipeline;
mod repair;
mod plugin_bench;
mod plugin_check;
mod plugin_new;
mod plugin_run;
mod plugins;
