"""A minimal server in place of Messente, which accepts every message after a delay.

    python -m benchmarks.queue.fake_messente SECONDS [--callbacks]

It listens on a free port of the loopback interface, prints its URL, and stops at the end of its standard input. With
``--callbacks``, it reports each message as delivered: by a GET of its callback URL, as the SMS API does, or by a
signed POST, as the Omnichannel API does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

PASSWORD = b"a-password-of-the-benchmark"
CALLBACKS_AT_A_TIME = 4

numbers = itertools.count(1)


class Server:
    """Answer requests, and send callbacks.

    Args:
        delay: the time before each response, in seconds.
        callbacks: whether each message is reported.
    """

    def __init__(self, delay: float, *, callbacks: bool) -> None:
        self._delay = delay
        self._callbacks = callbacks
        self._slots = asyncio.Semaphore(CALLBACKS_AT_A_TIME)
        self._tasks = set[asyncio.Task[None]]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path, length = head.split(b" ", 2)[1].decode(), 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = await reader.readexactly(length)
                await asyncio.sleep(self._delay)
                status, answer = self._answer(path, body)
                writer.write(f"HTTP/1.1 {status} OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path.startswith("/send_sms"):
            message_id = f"id-{next(numbers)}"
            self._report(parse_qs(body.decode())["dlr-url"][0], message_id, None)
            return 200, f"OK {message_id}".encode()
        payload = json.loads(body)
        if path.endswith("/omnimessages"):
            return 201, json.dumps({"messages": [self._accept(item) for item in payload["messages"]]}).encode()
        return 201, json.dumps(self._accept(payload)).encode()

    def _accept(self, item: dict[str, Any]) -> dict[str, Any]:
        number = next(numbers)
        ids = {"omnimessage_id": f"omni-{number}", "message_id": f"id-{number}"}
        report = {
            **ids,
            "status": "DELIVRD",
            "err": 0,
            "channel": "sms",
            "to": item["to"],
            "sender": "Shop",
            "error": None,
            "timestamp": "2026-01-01T00:00:00",
            "price_info": None,
        }
        self._report(item["dlr_url"], "", report)
        channel = {"channel": "sms", "message_id": ids["message_id"], "sender": "Shop"}
        return {"omnimessage_id": ids["omnimessage_id"], "to": item["to"], "messages": [channel]}

    def _report(self, url: str, message_id: str, report: dict[str, Any] | None) -> None:
        if self._callbacks:
            task = asyncio.get_running_loop().create_task(self._call(url, message_id, report))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, url: str, message_id: str, report: dict[str, Any] | None) -> None:
        """Send one callback, and again until it is answered with 200."""
        parts = urlsplit(url)
        if report is None:
            request = f"GET {parts.path}?sms_unique_id={message_id}&stat=DELIVRD&err=0 HTTP/1.1\r\n"
            body, headers = b"", ""
        else:
            body = json.dumps(report).encode()
            signature = hmac.new(PASSWORD, body, hashlib.sha256).hexdigest()
            request = f"POST {parts.path} HTTP/1.1\r\n"
            headers = f"Content-Type: application/json\r\nX-Messente-Signature: {signature}\r\n"
        headers += f"Host: {parts.netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        for _ in range(6):
            async with self._slots:
                with contextlib.suppress(OSError):
                    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                    writer.write((request + headers).encode() + body)
                    answer = await reader.read()
                    writer.close()
                    if answer.startswith(b"HTTP/1.1 200"):
                        return
            await asyncio.sleep(1.0)


async def main(delay: float, *, callbacks: bool) -> None:
    """Serve until the end of standard input."""
    server = Server(delay, callbacks=callbacks)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=256)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue.fake_messente")
    parser.add_argument("delay", type=float)
    parser.add_argument("--callbacks", action="store_true")
    options = parser.parse_args()
    asyncio.run(main(options.delay, callbacks=options.callbacks))
