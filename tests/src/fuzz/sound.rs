use std::io::Cursor;

use trackmill::bitstream::opus::Toc;
use trackmill::codec::decoder;
use trackmill::demux::SoundFile;
use trackmill::media::{AudioFormat, Channels, Codec, SampleRate};

/// Decodes a stream of Opus with gaps, and checks that time passes as it should.
///
/// ```text
/// format (rate: modulo 6; 0x80: stereo) | gap (2.5 ms each), length (u16 LE), packet | gap, …
/// ```
///
/// The last packet may be cut short.
///
/// # Panics
/// The decoder is wrong.
pub fn decode_opus(data: &[u8]) {
    let Some((choice, mut rest)) = data.split_first() else {
        return;
    };
    let format = format(*choice);
    let mut decoder = decoder(Codec::Opus, format).expect("it is sound, and at every rate");
    let mut out = Vec::new();
    let mut expected = 0.0;
    while let Some((gap, packet)) = split_packet(&mut rest) {
        out.clear();
        let gap = usize::from(gap) * format.rate.get() as usize / 400;
        let concealed = decoder.conceal(gap, Some(packet), &mut out);
        assert!(concealed.is_ok(), "{concealed:?}");
        assert_eq!(out.len(), format.values(gap), "a gap is as long as it is");
        out.clear();
        let toc = Toc::parse(packet).filter(|_| decoder.decode(packet, &mut out).is_ok());
        let ticks = toc.map_or(0, Toc::duration);
        expected += f64::from(ticks) * f64::from(format.rate.get()) / 48_000.0;
        let found = out.len() / format.channels.count();
        expected -= f64::from(u32::try_from(found).expect("a packet is short"));
        assert!(expected.abs() <= 1.0, "{found} samples for {ticks} ticks");
        assert!(out.iter().all(|sample| sample.is_finite()), "no sound");
    }
    assert!(decoder.delay() <= format.rate.get() as usize / 25);
}

/// Plays `data` as a file of sound, if it is one, up to its end or its first damage.
///
/// # Panics
/// What comes out are not whole samples, or no numbers.
pub fn read_sound(data: &[u8]) {
    let Ok(mut file) = SoundFile::open(Cursor::new(data)) else {
        return;
    };
    let format = file.format();
    let (mut out, mut all) = (Vec::new(), 0);
    while let Ok(values @ 1..) = file.read(&mut out) {
        assert_eq!(values, out.len());
        assert!(values.is_multiple_of(format.channels.count()));
        assert!(out.iter().all(|sample| sample.is_finite()), "no sound");
        all += values;
        out.clear();
    }
    // A byte is at most 120 ms of Opus, or a sample at a twelfth of the rate.
    assert!(all <= (data.len() + 1) * 5_760 * 2, "{all} values");
}

fn format(choice: u8) -> AudioFormat {
    let rate = usize::from(choice & 0x7f) % SampleRate::ALL.len();
    let rate = SampleRate::ALL.get(rate).expect("it is below the length");
    let channels = if choice & 0x80 == 0 {
        Channels::Mono
    } else {
        Channels::Stereo
    };
    AudioFormat::new(*rate, channels)
}

fn split_packet<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let ([gap, l0, l1], behind) = rest.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_le_bytes([*l0, *l1])).min(behind.len());
    let (packet, behind) = behind.split_at(length);
    *rest = behind;
    Some((*gap, packet))
}
