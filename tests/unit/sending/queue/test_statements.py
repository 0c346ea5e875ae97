"""The statements of ``queue_sms`` in the transaction of a request."""

from __future__ import annotations

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from django_messente_dlr.sending import queue_sms

pytestmark = pytest.mark.django_db(transaction=True)


def test_queue_sms__two_statements_in_a_transaction(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    queue_sms("+37255500000", "The first one connects")
    with transaction.atomic(), django_assert_num_queries(2) as queries:
        queue_sms("+37255500000", "Tere", sender="Shop", metadata={"order": 17}, priority="high")
    assert all(query["sql"].startswith("INSERT") for query in queries.captured_queries)
