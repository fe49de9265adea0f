//! What depacketizers, muxers and the injected-frame filter must know of the inside of access
//! units: NAL units, parameter sets, frame headers. Reads bytes, keeps nothing.
//!
//! Every function answers `None` to bytes that it cannot read to the end of what it promises; none
//! panics, and none takes longer than a few passes over its input.

pub mod av1;
pub mod bits;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod opus;
pub mod vp8;
pub mod vp9;
