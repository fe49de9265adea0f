//! Entries for fuzzers and property tests: bytes in, a panic where a promise is broken.

use trackmill::mux::recovery::{Repair, RepairError, Source};
use trackmill::mux::{mp4, ogg, wav, webm};

use crate::file::Growing;

/// Repairs `data` as a torn MP4 file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_mp4(data: &[u8]) {
    repair_twice(data, mp4::recover);
}

/// Repairs `data` as a torn Ogg file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_ogg(data: &[u8]) {
    repair_twice(data, ogg::recover);
}

/// Repairs `data` as a torn WebM file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_webm(data: &[u8]) {
    repair_twice(data, webm::recover);
}

/// Repairs `data` as a torn WAV file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_wav(data: &[u8]) {
    repair_twice(data, wav::recover);
}

fn repair_twice(data: &[u8], recover: impl Fn(&dyn Source) -> Result<Repair, RepairError>) {
    let Ok(repair) = recover(&data) else {
        return;
    };
    let (units, duration) = (repair.units, repair.duration);
    let mut file = Growing::from_bytes(data);
    file.repair(repair);
    let again = recover(&file.bytes()).expect("a repaired file is one of ours");
    assert_eq!(again.outputs, [], "a repaired file is whole");
    assert_eq!(again.keep, file.bytes().len() as u64);
    assert_eq!((again.units, again.duration), (units, duration));
}
