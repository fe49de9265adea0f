//! Bad networks in virtual time: what is missing is counted, and the rest is where it belongs
//! (media.md §2, T3, O3).

use std::collections::BTreeSet;
use std::time::Duration;

use trackmill::media::{Codec, Pts, TrackKind};
use trackmill::pipeline::{Settings, Summary};
use trackmill::rtp::RtpPacket;
use trackmill_room::network::{Conditions, Network};

use super::publisher::Publisher;
use super::recording::{File, Recording};
use super::sound::heard;
use super::{OnDisk, seconds};

/// T3, O3: whatever a network does to sound, each packet that came in time is in the file at its
/// time, gaps are filled, and what is missing is counted to the packet.
#[test]
fn t3_sound_holds_its_time_over_every_network() {
    for (number, conditions) in networks().into_iter().enumerate() {
        let mut recording = Recording::new(TrackKind::Audio);
        let mut publisher = Publisher::sound(recording.start);
        let sent = publisher.sounds(1_500);
        let carried = carry(&sent, conditions, number as u64);
        recording.packets(carried.arrived.iter().cloned());

        let (file, summary) = recording.finish_one();

        let case = format!("{conditions:?}");
        carried.assert_counted(&summary, Settings::default().audio.max_delay, &case);
        assert_eq!(summary.units.written, summary.received, "{case}");
        assert_in_time(&file, &sent, summary.received, &case);
    }
}

/// T3: three seconds without a packet are three seconds of silence.
#[test]
fn t3_an_outage_is_as_long_in_the_file() {
    let mut recording = Recording::new(TrackKind::Audio);
    let mut publisher = Publisher::sound(recording.start);
    let sent = publisher.sounds(500);
    let is_out = 200..350;
    let came = (0..)
        .zip(&sent)
        .filter(|(index, _)| !is_out.contains(index));
    recording.packets(came.map(|(_, packet)| packet.clone()));

    let (file, summary) = recording.finish_one();

    assert_eq!((summary.lost, summary.late), (150, 0));
    assert_eq!(summary.gaps.count, 1);
    assert_eq!(summary.gaps.first[0].at, Pts(199 * 960));
    assert_eq!(summary.gaps.first[0].duration, Duration::from_secs(3));
    assert_in_time(&file, &sent, 350, "outage");
    let (heard, _) = heard(&file.bytes);
    let silent: Vec<_> = heard.iter().filter(|heard| heard.is_filler()).collect();
    assert!(
        silent
            .iter()
            .all(|heard| heard.packet[..] == [0xf8, 0xff, 0xfe])
    );
    assert_eq!(silent.len(), 150);
}

/// O3: up to 120 ms the decoder is asked to conceal, as the packets around were coded.
#[test]
fn o3_a_short_loss_is_concealed_and_a_long_one_is_silent() {
    for (lost, filler) in [(1, &[0x78][..]), (6, &[0x78]), (7, &[0xf8, 0xff, 0xfe])] {
        let mut recording = Recording::new(TrackKind::Audio);
        let mut publisher = Publisher::sound(recording.start);
        recording.packets(publisher.sounds(20));
        publisher.sounds(lost);
        recording.packets(publisher.sounds(40));

        let (file, summary) = recording.finish_one();

        let (heard, _) = heard(&file.bytes);
        let filled: Vec<_> = heard[20..20 + lost]
            .iter()
            .map(|heard| &heard.packet[..])
            .collect();
        assert_eq!(filled, vec![filler; lost]);
        assert_eq!(heard.len(), 60 + lost);
        assert_eq!(summary.lost, lost as u64);
    }
}

/// T3, M5: whatever a network does to pictures, what came is shown at its time and counted.
#[test]
fn t3_pictures_hold_their_time_over_every_network() {
    for codec in [Codec::Vp8, Codec::H264] {
        for (number, conditions) in networks().into_iter().enumerate() {
            let mut recording = Recording::new(TrackKind::Video);
            let mut publisher = Publisher::video(codec, recording.start);
            let sent = publisher.pictures(300);
            let carried = carry(&sent, conditions, number as u64);
            recording.packets(carried.arrived.iter().cloned());

            let (file, summary) = recording.finish_one();

            let case = format!("{codec}: {conditions:?}");
            carried.assert_counted(&summary, Settings::default().video.max_delay, &case);
            if summary.lost == 0 {
                assert_eq!(
                    (summary.units.written, summary.units.damaged),
                    (300, 0),
                    "{case}"
                );
            }
            assert_shown_in_time(&file, &summary, &case);
        }
    }
}

/// What a network made of what was sent.
struct Carried {
    /// In order of arrival.
    arrived: Vec<RtpPacket>,
    sent: Vec<RtpPacket>,
}

/// Carries all packets, of which those of the first and the last unit always come: they say what is
/// missing between them, and where it begins and ends.
fn carry(sent: &[RtpPacket], conditions: Conditions, seed: u64) -> Carried {
    let mut network = Network::new(conditions, seed);
    let mut sure = Network::new(
        Conditions {
            delay: conditions.delay,
            ..Conditions::default()
        },
        seed,
    );
    let edges = [sent[0].timestamp, sent[sent.len() - 1].timestamp];
    for packet in sent {
        let is_edge = edges.contains(&packet.timestamp);
        let network = if is_edge { &mut sure } else { &mut network };
        network.send(packet.clone(), packet.arrival);
    }
    let mut arrived = Vec::new();
    while let Some(at) = [network.next_at(), sure.next_at()]
        .into_iter()
        .flatten()
        .min()
    {
        let packet = sure.receive(at).or_else(|| network.receive(at));
        let packet = packet.expect("it is due");
        arrived.push(RtpPacket {
            arrival: at,
            ..packet
        });
    }
    Carried {
        arrived,
        sent: sent.to_vec(),
    }
}

impl Carried {
    /// Every packet that was sent is received, lost or both late and lost; all by name.
    fn assert_counted(&self, summary: &Summary, max_delay: Duration, case: &str) {
        let came: BTreeSet<_> = self
            .arrived
            .iter()
            .map(|packet| packet.sequence_number)
            .collect();
        let never = (self.sent.len() - came.len()) as u64;
        let copies = (self.arrived.len() - came.len()) as u64;
        assert!(
            max_delay >= Duration::from_millis(400),
            "no packet is that late"
        );
        assert_eq!(summary.lost, never, "lost: {case}");
        assert_eq!(summary.received, came.len() as u64, "received: {case}");
        assert_eq!(summary.duplicates, copies, "duplicates: {case}");
        assert_eq!(summary.late, 0, "late: {case}");
        let listed: u64 = summary.gaps.first.iter().map(|gap| gap.packets).sum();
        assert_eq!(listed, never, "gaps: {case}");
    }
}

/// Loss, and what else a network may do within the jitter delay.
fn networks() -> Vec<Conditions> {
    let clean = Conditions {
        delay: Duration::from_millis(40),
        ..Conditions::default()
    };
    let mut networks: Vec<_> = [0.0, 0.01, 0.05, 0.1]
        .map(|loss| Conditions { loss, ..clean })
        .into();
    networks.push(Conditions {
        reordered: 0.1,
        ..clean
    });
    networks.push(Conditions {
        jitter: Duration::from_millis(200),
        ..clean
    });
    networks.push(Conditions {
        duplicates: 0.1,
        ..clean
    });
    networks.push(Conditions {
        loss: 0.05,
        duplicates: 0.05,
        reordered: 0.05,
        jitter: Duration::from_millis(200),
        ..clean
    });
    networks
}

/// Every packet of the file that was published is at its time, and `count` of them are there.
fn assert_in_time(file: &File, sent: &[RtpPacket], count: u64, case: &str) {
    let (heard, end) = heard(&file.bytes);
    let mut found = 0;
    for heard in heard.iter().filter(|heard| !heard.is_filler()) {
        let index = sent
            .iter()
            .position(|packet| packet.payload == heard.packet);
        let wanted = index.expect("it was published") as u64 * 960;
        assert!(heard.at.0.abs_diff(wanted) <= 960, "{case}: {heard:?}");
        found += 1;
    }
    assert_eq!(found, count, "{case}");
    assert!(end.0.abs_diff(sent.len() as u64 * 960) <= 960, "{case}");
}

/// Every picture of the file is at a multiple of 1/30 s, and the file is as long as was sent.
fn assert_shown_in_time(file: &File, summary: &Summary, case: &str) {
    let probed = OnDisk::new(file).probe();
    let packets = probed["packets"].as_array().expect("packets");
    assert_eq!(packets.len() as u64, summary.units.written, "{case}");
    for packet in packets {
        let time = seconds(&packet["pts_time"]) * 30.0;
        assert!((time - time.round()).abs() < 0.05, "{case}: {time}");
    }
    let played = seconds(&probed["format"]["duration"]);
    let said = summary.duration.as_secs_f64();
    assert!((played - said).abs() < 0.002, "{case}: {played} {said}");
    assert!((played - 10.0).abs() < 0.002, "{case}: {played}");
}
