"""Four workers share the pending messages. One is killed and one is terminated, and no message is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from celery import Celery
from django.db import connection
from django.utils import timezone

from django_messente_dlr.models import PendingPoll, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.polling.claims import RESERVE
from tests.integration.broker.fake_messente import FakeMessente

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not os.environ.get("BROKERS_REQUIRED"), reason="needs brokers and PostgreSQL: tox -e broker"),
]
ROOT = Path(__file__).resolve().parents[3]
MESSAGES = int(os.environ.get("BROKER_MESSAGES", "2000"))
WORKERS, CONCURRENCY = 4, 4
SHARE = MESSAGES // 40
LEASE = 20.0
PATIENCE = 60 + MESSAGES / 10  # seconds; an idle machine needs a tenth of this time

BROKERS = {
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/15"),
    "rabbitmq": os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    """Return the URL of a broker. Fail if it is not running, because these tests exist to test with it."""
    url = BROKERS[request.param]
    parts = urlsplit(url)
    try:
        socket.create_connection((str(parts.hostname), parts.port or 0), timeout=5).close()
    except OSError as exc:
        pytest.fail(
            f"{request.param} does not listen on {parts.hostname}:{parts.port} ({exc}). Start it (Debian and Ubuntu: "
            "apt-get install redis-server rabbitmq-server), or set REDIS_URL or AMQP_URL."
        )
    if connection.vendor != "postgresql":
        pytest.fail("The workers need PostgreSQL. Run tox -e broker, or set DATABASE_URL.")
    return url


@pytest.fixture
def app(broker: str) -> Iterator[Celery]:
    """Yield a Celery app with a new queue, which is deleted afterwards."""
    app = Celery("tests.integration.broker.sender", broker=broker, set_as_current=False)
    app.conf.task_default_queue = f"messente-dlr-test-{uuid.uuid4().hex}"
    with app.connection_for_write() as broker_connection:
        yield app
        app.amqp.queues[app.conf.task_default_queue].bind(broker_connection.default_channel).delete()


def start_worker(app: Celery, messente: FakeMessente) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.integration.broker.settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "example_project")]),
        "BROKER_TEST_URL": app.conf.broker_url,
        "BROKER_TEST_QUEUE": app.conf.task_default_queue,
        "BROKER_TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "BROKER_TEST_MESSENTE": messente.url,
        "BROKER_TEST_LEASE": str(LEASE),
        "BROKER_TEST_CONCURRENCY": str(CONCURRENCY),
        "BROKER_TEST_SHARE": str(SHARE),
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "--app=tests.integration.broker.app",
        "worker",
        "--pool=solo",
        "--loglevel=ERROR",
    ]
    return subprocess.Popen([*command, "--without-mingle", "--without-gossip"], env=environment, cwd=ROOT)


def stop(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(timeout=60)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait(timeout=60)


def wait_for(condition: Callable[[], bool], app: Celery, *, alive: list[subprocess.Popen[bytes]]) -> None:
    """Wait until a condition is true. Start a poll every second, as beat does every minute."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert all(worker.poll() is None for worker in alive), "a worker has ended; see its output above"
        assert time.monotonic() < deadline, f"{SmsMessage.objects.pending().count()} messages are still pending"
        app.send_task("django_messente_dlr.poll", expires=5)
        time.sleep(1)


def create_messages() -> None:
    now = timezone.now()
    messages = SmsMessage.objects.bulk_create(
        [
            SmsMessage(
                sms_unique_id=f"message-{number}",
                account="default",
                status=Status.SENT,
                rank=Status.SENT.rank,
                created_at=now - timedelta(hours=1),
                sent_at=now - timedelta(hours=1),
            )
            for number in range(MESSAGES)
        ],
        batch_size=1000,
    )
    due_at = now - timedelta(minutes=1)
    PendingPoll.objects.bulk_create(
        [PendingPoll(message=message, account=message.account, due_at=due_at) for message in messages],
        batch_size=1000,
    )


def test_poll__workers_share_messages_and_survive_a_kill(app: Celery) -> None:
    create_messages()
    with FakeMessente() as messente, ExitStack() as cleanup:
        workers = [start_worker(app, messente) for _ in range(WORKERS)]
        for worker in workers:
            cleanup.callback(stop, worker)
        wait_for(lambda: messente.request_count >= MESSAGES // 4, app, alive=workers)
        workers[0].kill()
        wait_for(lambda: messente.request_count >= MESSAGES // 2, app, alive=workers[1:])
        workers[1].send_signal(signal.SIGTERM)
        assert workers[1].wait(timeout=120) == 0
        wait_for(lambda: not SmsMessage.objects.pending().exists(), app, alive=workers[2:])
    assert workers[0].returncode == -signal.SIGKILL
    assert SmsMessage.objects.delivered().count() == MESSAGES == len(messente.request_times)
    repeated = [times for times in messente.request_times.values() if len(times) > 1]
    # Only the killed worker's messages whose response was missing or not stored.
    assert len(repeated) <= 2 * CONCURRENCY
    assert all(later - earlier >= LEASE / RESERVE for earlier, later in repeated)
