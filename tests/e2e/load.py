"""Clients of `hadal serve` in numbers, light enough to share two cores with it."""

import asyncio
import json
import time


class Stream:
    """One chat stream: what came, and when."""

    def __init__(self, body):
        self.body = json.dumps({**body, "stream": True}).encode()
        self.status = 0
        self.pieces = []  # (seconds, bytes)

    async def run(self, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                         b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(self.body) + self.body)
            head = await reader.readuntil(b"\r\n\r\n")
            self.status = int(head.split()[1])
            while data := await reader.read(1 << 16):
                self.pieces.append((time.monotonic(), data))
        finally:
            writer.close()

    def events(self):
        """(seconds, data) of every event, the framing taken away and checked."""
        raw, times = b"", []
        for seconds, data in self.pieces:
            raw += data
            times.append((len(raw), seconds))
        body, at, out, piece = b"", 0, [], 0
        marks = []  # of body: where a chunk ends, and when its last byte came
        while True:
            line = raw.index(b"\r\n", at)
            size = int(raw[at:line], 16)
            at = line + 2 + size
            assert raw[at:at + 2] == b"\r\n", "a chunk without its end"
            body += raw[line + 2:at]
            at += 2
            while times[piece][0] < at:
                piece += 1
            marks.append((len(body), times[piece][1]))
            if size == 0:
                break
        position, mark = 0, 0
        for event in body.decode().split("\n\n")[:-1]:
            position += len(event.encode()) + 2
            while marks[mark][0] < position:
                mark += 1
            if event.startswith("data: "):
                out.append((marks[mark][1], event[len("data: "):]))
        return out

    def answer(self):
        """(text, tokens told by the usage, [seconds of each event with text])"""
        text, tokens, seconds = "", 0, []
        events = self.events()
        assert events[-1][1] == "[DONE]", "the stream was cut"
        for when, data in events[:-1]:
            chunk = json.loads(data)
            delta = chunk["choices"][0]["delta"]
            piece = (delta.get("reasoning_content") or "") + (delta.get("content") or "")
            if piece:
                seconds.append(when)
            text += piece
            if chunk.get("usage"):
                tokens = chunk["usage"]["completion_tokens"]
        return text, tokens, seconds


def run_streams(port, bodies, host="127.0.0.1"):
    """All at the same time. Returns the streams and the seconds it took."""
    streams = [Stream(body) for body in bodies]

    async def everything():
        await asyncio.gather(*(stream.run(host, port) for stream in streams))

    start = time.monotonic()
    asyncio.run(everything())
    return streams, time.monotonic() - start


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def connect_and_drop(port, count, at_once=200, host="127.0.0.1"):
    """Clients that leave: right after connecting, in the middle of their request, or of their answer."""
    body = json.dumps({"messages": [{"role": "user", "content": "Tell me a story"}], "max_tokens": 400,
                       "stream": True}).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def one(number, gate):
        async with gate:
            reader, writer = await asyncio.open_connection(host, port)
            try:
                if number % 3 == 1:
                    writer.write(request[:number % len(request)])
                elif number % 3 == 2:
                    writer.write(request)
                    await reader.read(100)
                await writer.drain()
            except ConnectionError:
                pass
            finally:
                writer.close()

    async def everything():
        gate = asyncio.Semaphore(at_once)
        await asyncio.gather(*(one(number, gate) for number in range(count)))

    asyncio.run(everything())
