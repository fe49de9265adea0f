//! Elementary streams: made by ffmpeg, taken apart, and given back to ffmpeg to be judged.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use trackmill::bitstream::nal;
use trackmill::media::AccessUnit;

/// The frames of a test picture, encoded: `encoder` are ffmpeg's options from `-c:v` on, `format`
/// its name of the elementary stream (`h264`, `hevc`, `ivf`).
///
/// # Errors
/// ffmpeg is missing or fails.
pub fn encode(frames: u32, encoder: &[&str], format: &str) -> anyhow::Result<Vec<u8>> {
    let frames = frames.to_string();
    let source = "testsrc2=size=322x182:rate=30";
    let mut arguments = vec!["-f", "lavfi", "-i", source, "-frames:v", &frames];
    arguments.extend(["-pix_fmt", "yuv420p"]);
    arguments.extend(encoder);
    arguments.extend(["-f", format, "pipe:1"]);
    ffmpeg(&arguments)
}

/// A checksum of each frame that a strict decoder makes of an elementary stream.
///
/// # Errors
/// ffmpeg is missing, or finds an error in the stream.
pub fn decode(stream: &[u8], format: &str) -> anyhow::Result<Vec<String>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(stream)?;
    let path = file.path().to_str().context("a path in UTF-8")?;
    let mut arguments = vec![
        "-xerror",
        "-err_detect",
        "explode",
        "-f",
        format,
        "-i",
        path,
    ];
    // Each decoded frame as it is: neither repeated, nor dropped, nor scaled to the size of the first.
    arguments.extend([
        "-autoscale",
        "0",
        "-vsync",
        "passthrough",
        "-f",
        "framecrc",
        "pipe:1",
    ]);
    let report = String::from_utf8(ffmpeg(&arguments)?)?;
    let lines = report.lines().filter(|line| !line.starts_with('#'));
    let checksums = lines.filter_map(|line| line.rsplit(',').next());
    Ok(checksums
        .map(|checksum| checksum.trim().to_owned())
        .collect())
}

/// Units of H.264 or H.265 with start codes in place of lengths.
pub fn annex_b(units: &[AccessUnit]) -> Vec<u8> {
    let nals = units.iter().flat_map(|unit| nal::units(&unit.data));
    nals.flat_map(|nal| [&[0, 0, 0, 1], nal].concat()).collect()
}

/// The NAL units of an Annex B stream, grouped at those that `begins_picture`.
pub fn split_annex_b(stream: &[u8], begins_picture: fn(&[u8]) -> bool) -> Vec<Vec<Vec<u8>>> {
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    for (index, window) in stream.windows(3).enumerate() {
        if window == [0, 0, 1] {
            ends.push(index);
            starts.push(index + 3);
        }
    }
    ends.push(stream.len());
    let mut pictures: Vec<Vec<Vec<u8>>> = Vec::new();
    for (start, end) in starts.iter().zip(ends.iter().skip(1)) {
        let nal = stream.get(*start..*end).unwrap_or_default();
        // A start code of four bytes has its first zero here.
        let nal = nal.strip_suffix(&[0]).unwrap_or(nal).to_vec();
        match pictures.last_mut() {
            Some(picture) if !begins_picture(&nal) => picture.push(nal),
            _ => pictures.push(vec![nal]),
        }
    }
    pictures
}

/// Frames in an IVF file; `fourcc` is `VP80`, `VP90` or `AV01`.
///
/// # Panics
/// A frame has more than 4 GiB.
pub fn ivf<'a>(fourcc: [u8; 4], frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = b"DKIF\0\0\x20\0".to_vec();
    file.extend(fourcc);
    // 64x64, 30 frames a second; decoders take the size from the frames.
    file.extend([
        64, 0, 64, 0, 30, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    for (time, frame) in (0_u64..).zip(frames) {
        let size = u32::try_from(frame.len()).expect("a frame of less than 4 GiB");
        file.extend(size.to_le_bytes());
        file.extend(time.to_le_bytes());
        file.extend_from_slice(frame);
    }
    file
}

/// The frames of an IVF file.
///
/// # Errors
/// It is cut short.
pub fn split_ivf(file: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut rest = file.get(32..).context("the header of the file")?;
    let mut frames = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<12>() {
        let [s0, s1, s2, s3, ..] = *header;
        let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3]))?;
        ensure!(behind.len() >= size, "a frame is cut short");
        let (frame, behind) = behind.split_at(size);
        frames.push(frame.to_vec());
        rest = behind;
    }
    Ok(frames)
}

fn ffmpeg(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("running ffmpeg, which these tests need: install it (apt-get install ffmpeg)")?;
    if !output.status.success() {
        bail!(
            "ffmpeg {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}
