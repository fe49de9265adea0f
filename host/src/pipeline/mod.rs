//! One track: joins RTP, depacketizer and muxer.
