"""A receiver of sound for the tests, as its author would write it: a server on `websockets`.

What every connection gets is appended to `FOLDER/<connection>.sound`, and when: a line a message in
`FOLDER/<connection>.times`, its wall time in seconds and its length. What happens goes to standard
output, one JSON object a line with the wall time as `at`: listening, connected, text (with the bytes of
sound before it), closed.

Commands come on standard input, one a line:

    stall SECONDS    nothing is read meanwhile     refuse STATUS    no connection is let in (0: each is)
    pace MESSAGES    so many are read a second     close CODE WORDS    to all connections
    abort            the sockets are closed without a word

The end of standard input ends the process.
"""

import argparse
import asyncio
import http
import json
import os
import socket
import sys
import time
from pathlib import Path

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def say(event, **fields):
    print(json.dumps({"event": event, "at": time.time(), **fields}), flush=True)


class Receiver:
    def __init__(self, folder):
        self.folder = folder
        self.connections = {}
        self.count = 0
        self.status = 0
        self.resume_at = 0.0
        self.pause = 0.0

    async def admit(self, connection, request):
        if self.status:
            return connection.respond(http.HTTPStatus(self.status), "no\n")
        return None

    async def receive(self, connection):
        number = self.count
        self.count += 1
        self.connections[number] = connection
        request = connection.request
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        say("connected", connection=number, path=request.path, headers=headers)
        with (
            open(self.folder / f"{number}.sound", "wb", buffering=0) as sound,
            open(self.folder / f"{number}.times", "w", buffering=1) as times,
        ):
            await self.listen(number, connection, sound, times)
        del self.connections[number]
        frame = connection.protocol.close_rcvd
        code, reason = (frame.code, frame.reason) if frame else (None, "")
        say("closed", connection=number, code=code, reason=reason)

    async def listen(self, number, connection, sound, times):
        try:
            while True:
                await asyncio.sleep(max(self.pause, self.resume_at - time.monotonic()))
                message = await connection.recv()
                if isinstance(message, str):
                    say("text", connection=number, after=sound.tell(), text=message)
                else:
                    sound.write(message)
                    times.write(f"{time.time():.6f} {len(message)}\n")
        except ConnectionClosed:
            pass

    async def obey(self, command, *words):
        if command == "stall":
            self.resume_at = time.monotonic() + float(words[0])
        elif command == "pace":
            self.pause = 1 / float(words[0])
        elif command == "refuse":
            self.status = int(words[0])
        elif command == "close":
            for connection in list(self.connections.values()):
                await connection.close(int(words[0]), " ".join(words[1:]))
        elif command == "abort":
            for connection in list(self.connections.values()):
                connection.transport.abort()
        say("done", command=command)


def listener(options):
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    if options.small:
        # Inherited by each connection: the kernel holds next to nothing for a reader that stalls.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return listener


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="next to no buffers")
    return parser.parse_args()


async def main():
    options = arguments()
    receiver = Receiver(options.folder)
    tcp = listener(options)
    buffers = {"max_queue": 1} if options.small else {}
    # Otherwise as the library comes: it pings each 20 s and hangs up when nobody answers for 20 s.
    async with serve(receiver.receive, sock=tcp, process_request=receiver.admit, **buffers):
        say("listening", port=tcp.getsockname()[1])
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
        )
        while line := (await commands.readline()).decode().split():
            await receiver.obey(*line)
    os._exit(0)


asyncio.run(main())
