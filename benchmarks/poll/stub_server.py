"""A minimal server in place of Messente, which answers every status request with "delivered" after a delay.

    python -m benchmarks.poll.stub_server SECONDS [--tls CERTIFICATE KEY] [--drip]

The server listens on a free port of the loopback interface, over https if a certificate and its key are given. It
prints its URL, and stops at the end of its standard input. With ``--drip``, the response to the first connection
never ends: one byte a second.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import ssl
import sys

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nOK DELIVERED"
DRIP_INTERVAL = 1.0  # seconds


class StatusConnection(asyncio.Protocol):
    """One connection; a request is complete when its headers and its body have arrived.

    Args:
        delay: the time before each response, in seconds.
        drips: whether the response never ends.
    """

    def __init__(self, delay: float, *, drips: bool) -> None:
        self._delay = delay
        self._respond = self._drip if drips else self._answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        _, header, length = head.lower().partition(b"content-length: ")
        if len(body) >= (int(length.split(b"\r\n", 1)[0]) if header else 0):
            self._buffer = b""
            asyncio.get_running_loop().call_later(self._delay, self._respond)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(RESPONSE)

    def _drip(self, data: bytes = b"HTTP/1.1 200 OK\r\nX-Drip: ") -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
            asyncio.get_running_loop().call_later(DRIP_INTERVAL, self._drip, b"1")


async def serve(delay: float, *, certificate: list[str] | None, drip: bool) -> None:
    """Serve until the end of standard input.

    Args:
        delay: the time before each response, in seconds.
        certificate: the paths of a certificate and its key, or None for http.
        drip: whether the response to the first connection never ends.
    """
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    numbers = itertools.count()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: StatusConnection(delay, drips=drip and next(numbers) == 0), "127.0.0.1", 0, ssl=context, backlog=256
    )
    print(f"http{'s' if context else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll.stub_server")
    parser.add_argument("delay", type=float)
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--drip", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.delay, certificate=options.tls, drip=options.drip))
