//! A file that is not finished yet, whether it still grows or a crash left it behind.

use bytes::Bytes;
use shiguredo_mp4::Encode;
use shiguredo_mp4::boxes::{Brand, FtypBox, MoovBox};

use super::boxes::{PLACEHOLDER, large_mdat_header};
use super::index::{Entry, Index};
use super::sample_entry::{Resolution, codec};
use super::{TIMESCALE, movie};
use crate::media::Codec;
use crate::mux::Output;

/// Everything that is needed to finish a file.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The `ftyp` box as it stands at the beginning.
    file_type: Vec<u8>,
    /// The `moov` box that the fragments extend.
    movie: MoovBox,
    codec: Codec,
    /// The size of the largest picture.
    resolution: Resolution,
    index: Index,
    /// Bytes of the file up to the end of the last fragment.
    len: u64,
}

impl Unfinished {
    /// A file without fragments, and the bytes that it begins with: `file_type`, sixteen bytes and
    /// `movie`. `None` if the movie is not one that we would write, or takes more than
    /// [`MAX_MOVIE_LEN`].
    pub(super) fn new(file_type: Vec<u8>, movie: MoovBox) -> Option<(Self, Bytes)> {
        let [track] = movie.trak_boxes.as_slice() else {
            return None;
        };
        let media = &track.mdia_box;
        let [entry] = media.minf_box.stbl_box.stsd_box.entries.as_slice() else {
            return None;
        };
        let (width, height) = entry.video_resolution()?;
        let encoded = movie.encode_to_vec().ok()?;
        let is_ours = movie.mvex_box.is_some()
            && [movie.mvhd_box.timescale, media.mdhd_box.timescale] == [TIMESCALE; 2]
            && encoded.len() <= MAX_MOVIE_LEN;
        let head = [&file_type, PLACEHOLDER.as_slice(), &encoded].concat();
        let file = Self {
            file_type,
            codec: codec(entry)?,
            movie,
            resolution: Resolution { width, height },
            index: Index::default(),
            len: head.len() as u64,
        };
        is_ours.then(|| (file, head.into()))
    }

    /// Looks at a keyframe, whose picture may be larger than all before it.
    pub(super) fn note_keyframe(&mut self, keyframe: &[u8]) {
        if let Some(resolution) = Resolution::of_keyframe(self.codec, keyframe) {
            self.resolution = self.resolution.larger(resolution);
        }
    }

    /// Adds a fragment of `header_len` bytes and the samples behind them.
    pub(super) fn push_fragment(&mut self, header_len: u64, entries: impl Iterator<Item = Entry>) {
        let data_len = self.index.push_fragment(self.len + header_len, entries);
        self.len += header_len + data_len;
    }

    /// The index of what was added.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Bytes of the file up to the end of the last fragment.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Whether no further fragment should be added: the index would come near to 4 GiB.
    pub(super) const fn is_full(&self) -> bool {
        self.index.sample_count() >= MAX_SAMPLES
    }

    /// Finishes the file: the complete index behind the fragments, and a head that hides them.
    pub(super) fn finish(self) -> [Output; 2] {
        let movie = movie::complete(self.movie, &self.index, self.resolution)
            .encode_to_vec()
            .expect("its head was encoded before and its tables are far below 4 GiB");
        let data_len = self.len - self.file_type.len() as u64;
        let head = [self.file_type, large_mdat_header(data_len).into()].concat();
        [Output::Append(movie.into()), Output::PatchHead(head.into())]
    }
}

/// The `ftyp` box of a new file.
pub(super) fn file_type(codec: Codec) -> Vec<u8> {
    let codec_brand = match codec {
        Codec::H264 => Some(Brand::AVC1),
        Codec::Av1 => Some(Brand::AV01),
        _ => None,
    };
    // Signed composition offsets and fragments that count from their `moof` came with iso6.
    let brands = [Brand::ISOM, Brand::ISO6, Brand::MP41];
    FtypBox {
        major_brand: Brand::ISOM,
        minor_version: 0x200,
        compatible_brands: brands.into_iter().chain(codec_brand).collect(),
    }
    .encode_to_vec()
    .expect("four brands are always encoded")
}

/// The longest `moov` in front; what is in it besides parameter sets takes less than 5 KiB.
pub(super) const MAX_MOVIE_LEN: usize = 64 << 10;
/// 38 days at 30 pictures a second, with an index of at most 2 GB.
const MAX_SAMPLES: u32 = 100_000_000;
