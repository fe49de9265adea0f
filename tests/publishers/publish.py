"""A libwebrtc publisher for the tests: a beep and a moving picture that shows its number.

Commands come on standard input, one a line; what happened goes to standard output, one JSON object
a line with the wall time in seconds as `at`:

    publish audio|video   mute audio|video   unmute audio|video   unpublish audio|video   leave
    data reliable|lossy TOPIC PAYLOAD   attributes KEY VALUE

Topic, payload, key and value are one word each.

The end of standard input is an abrupt end: the process exits without a word to the server.

A picture's number is twelve squares in its upper left corner, black for 0 and white for 1, the lowest
bit first. When each picture was captured is said at the end, as `captured` by number.
"""

import argparse
import array
import asyncio
import json
import math
import os
import sys
import time

from livekit import rtc

RATE = 48_000
WIDTH, HEIGHT, FRAMES_PER_SECOND = 1280, 720, 15
BITS, SQUARE = 12, 64
CODECS = {
    "vp8": rtc.VideoCodec.VP8,
    "h264": rtc.VideoCodec.H264,
    "vp9": rtc.VideoCodec.VP9,
    "av1": rtc.VideoCodec.AV1,
}


def say(event, **fields):
    print(json.dumps({"event": event, "at": time.time(), **fields}), flush=True)


def beeps(dtx):
    """Ten milliseconds of sound, again and again; with DTX every third second is silent."""
    at = 0
    while True:
        silent = dtx and at // RATE % 3 == 2
        samples = array.array("h", bytes(2 * RATE // 100))
        if not silent:
            for index in range(len(samples)):
                samples[index] = int(8_000 * math.sin(2 * math.pi * 440 * (at + index) / RATE))
        at += len(samples)
        yield rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples))


def pictures():
    """Slanted stripes that move, a few pictures long; made beforehand, for encoding takes the time."""
    frames = []
    for shift in range(0, 256, 32):
        row = bytes((2 * column + shift) & 255 for column in range(WIDTH + HEIGHT))
        luma = b"".join(row[line : line + WIDTH] for line in range(HEIGHT))
        chroma = bytes([128]) * (WIDTH * HEIGHT // 2)
        data = bytearray(luma + chroma)
        frames.append(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data))
    return frames


def number(frame, count):
    """Writes a number onto a picture."""
    row = b"".join(bytes([235 if count >> bit & 1 else 16]) * SQUARE for bit in range(BITS))
    for line in range(SQUARE):
        frame.data[line * WIDTH : line * WIDTH + len(row)] = row


class Audio:
    def __init__(self, options):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        self.track = rtc.LocalAudioTrack.create_audio_track("audio", self.source)
        self.options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=options.dtx
        )
        self.frames = beeps(options.dtx)

    async def capture(self):
        for frame in self.frames:
            await self.source.capture_frame(frame)


class Video:
    def __init__(self, options):
        self.source = rtc.VideoSource(WIDTH, HEIGHT)
        self.track = rtc.LocalVideoTrack.create_video_track("video", self.source)
        self.options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            simulcast=options.simulcast,
            video_codec=CODECS[options.codec],
        )
        self.frames = pictures()
        self.captured = []

    async def capture(self):
        start, count = time.monotonic(), 0
        while True:
            frame = self.frames[count % len(self.frames)]
            number(frame, count)
            self.captured.append(time.time())
            self.source.capture_frame(frame)
            count += 1
            due = start + count / FRAMES_PER_SECOND
            await asyncio.sleep(max(0, due - time.monotonic()))


class Publisher:
    def __init__(self, room, options):
        self.room, self.options, self.published = room, options, {}

    async def obey(self, command, *kinds):
        if command == "leave":
            await self.room.disconnect()
            video = self.published.get("video")
            say("left", captured=video[1].captured if video else [])
            return False
        if command in ("data", "attributes"):
            await getattr(self, command)(*kinds)
            return True
        for kind in kinds:
            await getattr(self, command)(kind)
        return True

    async def data(self, channel, topic, payload):
        await self.room.local_participant.publish_data(
            payload, reliable=channel == "reliable", topic=topic
        )
        say("data", topic=topic)

    async def attributes(self, key, value):
        await self.room.local_participant.set_attributes({key: value})
        say("attributes", key=key)

    async def publish(self, kind):
        media = {"audio": Audio, "video": Video}[kind](self.options)
        publication = await self.room.local_participant.publish_track(media.track, media.options)
        say("publish", kind=kind, sid=publication.sid)
        capture = asyncio.create_task(media.capture())
        self.published[kind] = publication, media, capture

    async def unpublish(self, kind):
        publication, _, capture = self.published.pop(kind)
        capture.cancel()
        say("capture_ended", kind=kind)
        await self.room.local_participant.unpublish_track(publication.sid)
        say("unpublish", kind=kind)

    async def mute(self, kind):
        self.published[kind][1].track.mute()
        say("mute", kind=kind)

    async def unmute(self, kind):
        self.published[kind][1].track.unmute()
        say("unmute", kind=kind)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--codec", choices=CODECS, default="vp8")
    parser.add_argument("--simulcast", action="store_true")
    parser.add_argument("--dtx", action="store_true")
    return parser.parse_args()


async def main():
    options = arguments()
    # Nobody else on the machine should see the token in the list of processes.
    token = os.environ["LIVEKIT_TOKEN"]
    room = rtc.Room()
    for event in ("reconnecting", "reconnected", "disconnected"):
        room.on(event, lambda *_, event=event: say(event))
    await room.connect(options.url, token, rtc.RoomOptions(auto_subscribe=False))
    say("joined")
    publisher = Publisher(room, options)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := (await commands.readline()).decode().split():
        if not await publisher.obey(*line):
            return
    os._exit(1)


asyncio.run(main())
