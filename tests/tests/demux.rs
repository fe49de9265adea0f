//! Files of sound that others wrote, played by us and by them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use trackmill::demux::SoundFile;
use trackmill::media::{AudioFormat, Channels, SampleRate};
use trackmill_tests::probe;

#[test]
fn wav_of_every_encoding_is_as_ffmpeg_has_it() {
    let folder = TempDir::new().unwrap();
    for (encoding, tolerance) in [
        ("pcm_u8", 0.0),
        ("pcm_s16le", 0.0),
        ("pcm_s24le", 0.0),
        ("pcm_s32le", 1e-7),
        ("pcm_f32le", 0.0),
        ("pcm_f64le", 1e-7),
        ("pcm_alaw", 0.0),
        ("pcm_mulaw", 0.0),
    ] {
        let path = folder.path().join(format!("{encoding}.wav"));
        let sound = ["-f", "lavfi", "-i", "sine=440:d=1.5:r=16000", "-ac", "2"];
        ffmpeg(&sound, &["-c:a", encoding], &path);

        let (format, samples) = play(&path);

        let stereo = AudioFormat::new(SampleRate::HZ_16000, Channels::Stereo);
        assert_eq!(format, stereo, "{encoding}");
        assert_eq!(samples.len(), 48_000, "{encoding}");
        let theirs = decoded_by_ffmpeg(&path, &[]);
        let off = largest_difference(&samples, &theirs);
        assert!(off <= tolerance, "{encoding}: {off}");
    }
}

#[test]
fn a_wav_file_that_went_through_a_pipe_is_played_to_its_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("piped.wav");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args([
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=1",
        "-ar",
        "48000",
    ]);
    let piped = probe::run(ffmpeg.args(["-f", "wav", "-"])).unwrap();
    std::fs::write(&path, piped.stdout).unwrap();

    let (_, samples) = play(&path);

    assert_eq!(samples.len(), 48_000);
}

#[test]
fn other_rates_are_resampled_as_ffmpeg_does() {
    let folder = TempDir::new().unwrap();
    for rate in ["44100", "32000", "22050", "11025", "96000"] {
        let path = folder.path().join("rate.wav");
        let source = format!("sine=440:d=1:r={rate}");
        ffmpeg(&["-f", "lavfi", "-i", &source], &[], &path);

        let (format, samples) = play(&path);

        assert_eq!(format.rate, SampleRate::HZ_48000);
        assert_eq!(samples.len(), 48_000, "{rate}");
        let theirs = decoded_by_ffmpeg(&path, &["-ar", "48000"]);
        // Both ends are where filters differ.
        let off = largest_difference(&samples[2_400..45_600], &theirs[2_400..45_600]);
        assert!(off < 1e-3, "{rate}: {off}");
    }
}

#[test]
fn opus_in_ogg_is_as_long_and_as_loud_as_opusdec_has_it() {
    let folder = TempDir::new().unwrap();
    let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media/opus.ogg");
    let trimmed = folder.path().join("trimmed.ogg");
    // Neither its end nor its beginning are those of a packet.
    let source = ["-f", "lavfi", "-i", "sine=440:d=1.2345:r=48000"];
    ffmpeg(&source, &["-c:a", "libopus", "-b:a", "64k"], &trimmed);
    for path in [media, trimmed] {
        let (format, samples) = play(&path);

        let wav = folder.path().join("theirs.wav");
        let mut opusdec = Command::new("opusdec");
        let opusdec = opusdec.args(["--quiet", "--float", "--rate", "48000"]);
        probe::run(opusdec.arg(&path).arg(&wav)).unwrap();
        let (theirs_format, theirs) = play(&wav);
        assert_eq!(format, theirs_format);
        assert_eq!(samples.len(), theirs.len(), "{}", path.display());
        let off = largest_difference(&samples, &theirs);
        assert!(off < 1e-3, "{}: {off}", path.display());
    }
}

fn play(path: &Path) -> (AudioFormat, Vec<f32>) {
    let file = File::open(path).expect("a file that was just written");
    let mut file = SoundFile::open(BufReader::new(file)).expect("a file of sound");
    let mut samples = Vec::new();
    while file.read(&mut samples).expect("a whole file") > 0 {}
    (file.format(), samples)
}

fn ffmpeg(input: &[&str], options: &[&str], output: &Path) {
    let mut command = Command::new("ffmpeg");
    let command = command
        .args(["-v", "error", "-y"])
        .args(input)
        .args(options);
    probe::run(command.arg(output)).expect("a file");
}

fn decoded_by_ffmpeg(path: &Path, options: &[&str]) -> Vec<f32> {
    let mut command = Command::new("ffmpeg");
    let command = command.args(["-v", "error", "-i"]).arg(path).args(options);
    let output = probe::run(command.args(["-f", "f32le", "-"])).expect("sound");
    let (samples, _) = output.stdout.as_chunks::<4>();
    samples
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}
