//! The elements of Matroska that we use,
//! [RFC 9559 §5](https://www.rfc-editor.org/rfc/rfc9559#section-5).

use super::ebml::Id;

pub(super) const VOID: Id = 0xec;

pub(super) const EBML: Id = 0x1a45_dfa3;
pub(super) const EBML_VERSION: Id = 0x4286;
pub(super) const EBML_READ_VERSION: Id = 0x42f7;
pub(super) const EBML_MAX_ID_LENGTH: Id = 0x42f2;
pub(super) const EBML_MAX_SIZE_LENGTH: Id = 0x42f3;
pub(super) const DOC_TYPE: Id = 0x4282;
pub(super) const DOC_TYPE_VERSION: Id = 0x4287;
pub(super) const DOC_TYPE_READ_VERSION: Id = 0x4285;

pub(super) const SEGMENT: Id = 0x1853_8067;

pub(super) const SEEK_HEAD: Id = 0x114d_9b74;
pub(super) const SEEK: Id = 0x4dbb;
pub(super) const SEEK_ID: Id = 0x53ab;
pub(super) const SEEK_POSITION: Id = 0x53ac;

pub(super) const INFO: Id = 0x1549_a966;
pub(super) const TIMESTAMP_SCALE: Id = 0x2a_d7b1;
pub(super) const DURATION: Id = 0x4489;
pub(super) const DATE_UTC: Id = 0x4461;
pub(super) const MUXING_APP: Id = 0x4d80;
pub(super) const WRITING_APP: Id = 0x5741;

pub(super) const TRACKS: Id = 0x1654_ae6b;
pub(super) const TRACK_ENTRY: Id = 0xae;
pub(super) const TRACK_NUMBER: Id = 0xd7;
pub(super) const TRACK_UID: Id = 0x73c5;
pub(super) const TRACK_TYPE: Id = 0x83;
pub(super) const FLAG_LACING: Id = 0x9c;
pub(super) const NAME: Id = 0x536e;
pub(super) const LANGUAGE: Id = 0x22_b59c;
pub(super) const CODEC_ID: Id = 0x86;
pub(super) const CODEC_PRIVATE: Id = 0x63a2;
pub(super) const CODEC_DELAY: Id = 0x56aa;
pub(super) const SEEK_PRE_ROLL: Id = 0x56bb;
pub(super) const VIDEO: Id = 0xe0;
pub(super) const PIXEL_WIDTH: Id = 0xb0;
pub(super) const PIXEL_HEIGHT: Id = 0xba;
pub(super) const AUDIO: Id = 0xe1;
pub(super) const SAMPLING_FREQUENCY: Id = 0xb5;
pub(super) const CHANNELS: Id = 0x9f;

pub(super) const TAGS: Id = 0x1254_c367;
pub(super) const TAG: Id = 0x7373;
pub(super) const TARGETS: Id = 0x63c0;
pub(super) const SIMPLE_TAG: Id = 0x67c8;
pub(super) const TAG_NAME: Id = 0x45a3;
pub(super) const TAG_STRING: Id = 0x4487;

pub(super) const CUES: Id = 0x1c53_bb6b;
pub(super) const CUE_POINT: Id = 0xbb;
pub(super) const CUE_TIME: Id = 0xb3;
pub(super) const CUE_TRACK_POSITIONS: Id = 0xb7;
pub(super) const CUE_TRACK: Id = 0xf7;
pub(super) const CUE_CLUSTER_POSITION: Id = 0xf1;

pub(super) const CLUSTER: Id = 0x1f43_b675;
pub(super) const TIMESTAMP: Id = 0xe7;
pub(super) const SIMPLE_BLOCK: Id = 0xa3;
pub(super) const BLOCK_GROUP: Id = 0xa0;
pub(super) const BLOCK: Id = 0xa1;
pub(super) const BLOCK_DURATION: Id = 0x9b;
pub(super) const REFERENCE_BLOCK: Id = 0xfb;
