"""A Messente that answers every question after a while with «delivered», over http or https, at little cost.

    python -m benchmarks.poll.answering SECONDS [CERTIFICATE KEY]

prints its URL and serves on a free port of the loopback interface until its standard input ends.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nOK DELIVERED"


class Question(asyncio.Protocol):
    """One connection: a request is whole when its headers and its body are."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, told, length = head.lower().partition(b"content-length: ")
        if len(body) >= (int(length.split(b"\r\n", 1)[0]) if told else 0):
            self._buffer = b""
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER)


async def serve(delay: float, certificate: list[str]) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Question(delay), "127.0.0.1", 0, ssl=context, backlog=256)
    print(f"http{'s' if context else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), sys.argv[2:]))
