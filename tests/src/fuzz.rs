//! Entries for fuzzers and property tests: bytes in, a panic where a promise is broken.

use trackmill::mux::mp4;

use crate::file::Growing;

/// Repairs `data` as a torn MP4 file, if that is possible, and demands that it is whole then.
///
/// # Panics
/// If the repaired file needs another repair.
pub fn recover_mp4(data: &[u8]) {
    let Ok(repair) = mp4::recover(&data) else {
        return;
    };
    let (units, duration) = (repair.units, repair.duration);
    let mut file = Growing::from_bytes(data);
    file.repair(repair);
    let again = mp4::recover(&file.bytes()).expect("a repaired file is one of ours");
    assert_eq!(again.outputs, [], "a repaired file is whole");
    assert_eq!(again.keep, file.bytes().len() as u64);
    assert_eq!((again.units, again.duration), (units, duration));
}
