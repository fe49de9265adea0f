//! `moov`, once as the head of the fragments and once as the index of the finished file.

use std::num::NonZeroU32;
use std::time::Duration;

use shiguredo_mp4::boxes::{
    Co64Box, CttsBox, CttsEntry, DinfBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader, MinfBox, MoovBox,
    MvexBox, MvhdBox, StblBox, StscBox, StscEntry, StsdBox, StssBox, StszBox, SttsBox, SttsEntry,
    TkhdBox, TrakBox, TrexBox, VmhdBox,
};
use shiguredo_mp4::{Either, FixedPointNumber, LanguageCode, Mp4FileTime, SampleFlags};

use super::index::Index;
use super::sample_entry::{self, Resolution, Stream};
use super::{TIMESCALE, TRACK_ID, tags};
use crate::media::NtpTimestamp;
use crate::mux::Metadata;

/// The movie without samples that fragments extend.
pub(super) fn without_samples(
    metadata: &Metadata,
    started_at: NtpTimestamp,
    stream: &Stream,
) -> MoovBox {
    let created = Mp4FileTime::from_unix_time(Duration::from_nanos(started_at.unix_nanos()));
    MoovBox {
        mvhd_box: movie_header(created),
        trak_boxes: vec![track(created, stream)],
        mvex_box: Some(MvexBox {
            mehd_box: None,
            trex_boxes: vec![NO_DEFAULTS],
            unknown_boxes: Vec::new(),
        }),
        unknown_boxes: vec![tags::user_data(metadata)],
    }
}

/// Turns the movie of the fragments into that of the finished file, whose largest picture has
/// `resolution`.
///
/// The track gets the size of the largest picture, because a stream often begins on a small
/// simulcast layer: ISO/IEC 14496-12 §12.1.3 asks the sample entry for the maximum, and players
/// scale every picture to the size in `tkhd`.
pub(super) fn complete(mut movie: MoovBox, index: &Index, resolution: Resolution) -> MoovBox {
    movie.mvex_box = None;
    movie.mvhd_box.duration = index.duration();
    for track in &mut movie.trak_boxes {
        set_size(&mut track.tkhd_box, resolution);
        track.tkhd_box.duration = index.duration();
        track.mdia_box.mdhd_box.duration = index.duration();
        let table = &mut track.mdia_box.minf_box.stbl_box;
        for entry in &mut table.stsd_box.entries {
            sample_entry::set_size(entry, resolution);
        }
        fill(table, index);
    }
    movie
}

fn movie_header(created: Mp4FileTime) -> MvhdBox {
    MvhdBox {
        creation_time: created,
        modification_time: created,
        timescale: TIMESCALE,
        duration: 0,
        rate: MvhdBox::DEFAULT_RATE,
        volume: MvhdBox::DEFAULT_VOLUME,
        matrix: MvhdBox::DEFAULT_MATRIX,
        next_track_id: TRACK_ID + 1,
    }
}

fn track(created: Mp4FileTime, stream: &Stream) -> TrakBox {
    TrakBox {
        tkhd_box: track_header(created, stream.resolution),
        edts_box: None,
        mdia_box: MdiaBox {
            mdhd_box: MdhdBox {
                creation_time: created,
                modification_time: created,
                timescale: TIMESCALE,
                duration: 0,
                language: LanguageCode::UNDEFINED,
            },
            hdlr_box: HdlrBox {
                handler_type: HdlrBox::HANDLER_TYPE_VIDE,
                name: b"trackmill video\0".to_vec(),
            },
            minf_box: MinfBox {
                media_header: Some(MediaHeader::Vmhd(VmhdBox::default())),
                dinf_box: DinfBox::LOCAL_FILE,
                stbl_box: empty_table(stream),
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    }
}

fn track_header(created: Mp4FileTime, resolution: Resolution) -> TkhdBox {
    let mut header = TkhdBox {
        flag_track_enabled: true,
        flag_track_in_movie: true,
        flag_track_in_preview: true,
        flag_track_size_is_aspect_ratio: false,
        creation_time: created,
        modification_time: created,
        track_id: TRACK_ID,
        duration: 0,
        layer: TkhdBox::DEFAULT_LAYER,
        alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
        volume: TkhdBox::DEFAULT_VIDEO_VOLUME,
        matrix: TkhdBox::DEFAULT_MATRIX,
        width: FixedPointNumber::default(),
        height: FixedPointNumber::default(),
    };
    set_size(&mut header, resolution);
    header
}

fn set_size(header: &mut TkhdBox, resolution: Resolution) {
    let fixed = |length: u16| FixedPointNumber::new(i16::try_from(length).unwrap_or(i16::MAX), 0);
    header.width = fixed(resolution.width);
    header.height = fixed(resolution.height);
}

fn empty_table(stream: &Stream) -> StblBox {
    StblBox {
        stsd_box: StsdBox {
            entries: vec![stream.sample_entry.clone()],
        },
        stts_box: SttsBox {
            entries: Vec::new(),
        },
        ctts_box: None,
        cslg_box: None,
        stsc_box: StscBox {
            entries: Vec::new(),
        },
        stsz_box: StszBox::Variable {
            entry_sizes: Vec::new(),
        },
        stco_or_co64_box: Either::B(Co64Box {
            chunk_offsets: Vec::new(),
        }),
        stss_box: None,
        sdtp_box: None,
        unknown_boxes: Vec::new(),
    }
}

/// Writes the index into the sample table: one chunk a fragment.
fn fill(table: &mut StblBox, index: &Index) {
    table.stts_box = durations(index);
    table.ctts_box = composition_offsets(index);
    table.stsc_box = samples_per_chunk(index);
    table.stsz_box = StszBox::Variable {
        entry_sizes: index.samples().map(|sample| sample.size).collect(),
    };
    table.stco_or_co64_box = Either::B(Co64Box {
        chunk_offsets: index.fragments().map(|fragment| fragment.offset).collect(),
    });
    table.stss_box = Some(keyframes(index));
}

fn durations(index: &Index) -> SttsBox {
    let runs = runs(index.samples().map(|sample| sample.timing.duration));
    SttsBox {
        entries: runs
            .map(|(sample_count, sample_delta)| SttsEntry {
                sample_count,
                sample_delta,
            })
            .collect(),
    }
}

/// `None` where all are zero: no B-frames.
fn composition_offsets(index: &Index) -> Option<CttsBox> {
    let offsets = || index.samples().map(|s| s.timing.composition_offset);
    offsets().any(|offset| offset != 0).then(|| CttsBox {
        version: 1,
        entries: runs(offsets())
            .map(|(sample_count, offset)| CttsEntry {
                sample_count,
                sample_offset: offset.into(),
            })
            .collect(),
    })
}

fn samples_per_chunk(index: &Index) -> StscBox {
    let mut first_chunk = NonZeroU32::MIN;
    let mut entries = Vec::new();
    for (chunks, sample_per_chunk) in runs(index.fragments().map(|f| f.sample_count)) {
        entries.push(StscEntry {
            first_chunk,
            sample_per_chunk,
            sample_description_index: NonZeroU32::MIN,
        });
        first_chunk = first_chunk.saturating_add(chunks);
    }
    StscBox { entries }
}

fn keyframes(index: &Index) -> StssBox {
    let numbers = (1..).filter_map(NonZeroU32::new);
    StssBox {
        sample_numbers: numbers
            .zip(index.samples())
            .filter(|(_, sample)| sample.timing.is_keyframe)
            .map(|(number, _)| number)
            .collect(),
    }
}

/// Run-length coding: how many equal items follow each other.
fn runs<T: PartialEq>(items: impl Iterator<Item = T>) -> impl Iterator<Item = (u32, T)> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        let item = items.next()?;
        let mut count = 1;
        while items.next_if_eq(&item).is_some() {
            count += 1;
        }
        Some((count, item))
    })
}

/// Fragments say everything themselves.
const NO_DEFAULTS: TrexBox = TrexBox {
    track_id: TRACK_ID,
    default_sample_description_index: 1,
    default_sample_duration: 0,
    default_sample_size: 0,
    default_sample_flags: SampleFlags::empty(),
};

#[cfg(test)]
mod tests {
    use super::super::index::Entry;
    use super::super::timeline::Timing;
    use super::*;

    #[test]
    fn equal_durations_take_one_entry() {
        let index = index(&[3_000, 3_000, 3_000, 2_999], 4);

        let entries = durations(&index).entries;

        let pairs: Vec<_> = entries
            .iter()
            .map(|e| (e.sample_count, e.sample_delta))
            .collect();
        assert_eq!(pairs, [(3, 3_000), (1, 2_999)]);
    }

    #[test]
    fn chunks_of_equal_length_take_one_entry() {
        let index = index(&[3_000; 7], 3);

        let entries = samples_per_chunk(&index).entries;

        let pairs: Vec<_> = entries
            .iter()
            .map(|e| (e.first_chunk.get(), e.sample_per_chunk))
            .collect();
        assert_eq!(pairs, [(1, 3), (3, 1)]);
    }

    #[test]
    fn a_stream_without_b_frames_has_no_composition_offsets() {
        assert_eq!(composition_offsets(&index(&[3_000; 9], 3)), None);
    }

    fn index(durations: &[u32], fragment_len: usize) -> Index {
        let mut index = Index::default();
        for (number, fragment) in durations.chunks(fragment_len).enumerate() {
            let entries = fragment.iter().map(|duration| Entry {
                size: 100,
                timing: Timing {
                    duration: *duration,
                    composition_offset: 0,
                    is_keyframe: true,
                },
            });
            index.push_fragment(10_000 * number as u64, entries);
        }
        index
    }
}
