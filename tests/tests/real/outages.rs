//! Connections break and servers die; what was recorded goes on in the same file.

use trackmill_room::publisher::Publisher;
use trackmill_room::signal::Server;
use trackmill_tests::media::track;
use trackmill_tests::passthrough::{lasts_as_sent, opus_packets, opus_runs};
use trackmill_tests::probe;
use trackmill_tests::recorder::Recorder;
use trackmill_tests::servers::{LibWebRtc, LiveKit, Network, TcpProxy};

use crate::support::{send, settle};

#[tokio::test]
async fn no_packet_is_lost_while_signalling_is_cut_and_resumed() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let proxy = TcpProxy::to(livekit.port()).await?;
    let publisher = Publisher::join(&server, "resume", "alice").await?;
    let sid = publisher.publish(track("opus.ogg")?).await?;
    let url = format!("ws://127.0.0.1:{}", proxy.port());
    let through_proxy = Server { url, ..server };
    let mut recorder = Recorder::record(&through_proxy, "resume", &["--track", &sid.0])?;
    recorder.writes(1).await;

    for _ in 0..2 {
        proxy.cut().await;
        recorder.says("reconnected").await?;
        send(&publisher, &sid, 25).await?;
    }
    settle(&publisher, &sid).await?;
    publisher.unpublish(&sid).await?;
    let recorded = recorder.end().await?;

    let file = recorded.only_file()?;
    let sent = publisher.sent(&sid).await?;
    let runs = opus_runs(&file, &sent)?;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].end, sent.len());
    lasts_as_sent(&file, &sent[runs[0].start..])
}

#[tokio::test]
async fn a_killed_server_that_comes_back_is_recorded_into_the_same_file() -> anyhow::Result<()> {
    let mut livekit = LiveKit::start(Network::Open).await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "phoenix", "alice").await?;
    let before = publisher.publish(track("opus.ogg")?).await?;
    let mut recorder = Recorder::record(&server, "phoenix", &["--all"])?;
    recorder.writes(1).await;
    send(&publisher, &before, 50).await?;
    let sent_before = publisher.sent(&before).await?;

    livekit.kill()?;
    livekit.restart().await?;
    let publisher = Publisher::join(&server, "phoenix", "alice").await?;
    let after = publisher.publish(track("opus.ogg")?).await?;
    recorder.says("reconnected").await?;
    send(&publisher, &after, 250).await?;
    let recorded = recorder.stop().await?;

    let file = recorded.only_file()?;
    let packets = opus_packets(&file)?;
    let last_before = &sent_before.last().unwrap().payload;
    let seam = packets
        .iter()
        .position(|packet| packet == last_before)
        .unwrap();
    let goes_on = publisher.sent(&after).await?;
    let of_after = packets[seam + 1..]
        .iter()
        .filter(|packet| goes_on.iter().any(|sent| sent.payload == **packet));
    assert!(of_after.count() > 50, "{}", recorded.stderr);
    probe::decode(&file)?;
    Ok(())
}

#[tokio::test]
async fn media_comes_over_tcp_where_udp_is_blocked() -> anyhow::Result<()> {
    let livekit = LiveKit::start(Network::TcpOnly).await?;
    let server = livekit.server();
    let mut publisher = LibWebRtc::join(&server, "tcp", "alice", &[]).await?;
    publisher.tell("publish audio").await?;

    let options = ["--all", "--duration", "3s"];
    let recorded = Recorder::record(&server, "tcp", &options)?.end().await?;

    let file = recorded.only_file()?;
    let packets = opus_packets(&file)?;
    assert!(packets.len() > 140, "{} packets", packets.len());
    probe::decode(&file)?;
    Ok(())
}
