//! What depacketizers, muxers and the injected-frame filter must know of the inside of access
//! units: NAL units, parameter sets, frame headers. Reads bytes, keeps nothing.
