"""Erase a recipient: replace a phone number by a pseudonym in every table of this app and in the admin's log entries.

The pseudonym is random, new in each run and stored nowhere else. The messages of one run thus remain countable, and
nothing links them to the number. Ids, statuses, prices and times are kept, so a pending message is still polled.

Rows are read in batches by primary key without a lock. Each row that contains the number is locked and changed in a
short transaction of its own, so that callbacks do not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.apps import apps
from django.db import models, router, transaction

from django_messente_dlr.models import Account, DeliveryReport, QueuedMessage, ResendContent, SmsMessage
from django_messente_dlr.utils import db_retry
from django_messente_dlr.utils.number_patterns import MIN_DIGITS, NON_DIGITS, map_texts, replace_number
from django_messente_dlr.utils.phone_numbers import new_pseudonym, spellings

# The columns that can contain a number. The ids at Messente are not changed, because polling needs them.
COLUMNS: dict[type[models.Model], tuple[str, ...]] = {
    SmsMessage: ("recipient", "sender", "text", "error_text", "metadata", "reference", "options", "channels"),
    QueuedMessage: ("content",),
    ResendContent: ("content",),
    DeliveryReport: ("payload", "dispatch_error"),
    Account: ("last_poll_error",),
}
LOG_ENTRY_COLUMNS = ("object_repr", "change_message")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureResult:
    """The numbers of rows that contained the number.

    Attributes:
        messages: messages, those to the number among them.
        reports: delivery reports, orphans among them.
        accounts: accounts, whose last error can quote a response of Messente.
        log_entries: log entries of the admin about this app's rows.
    """

    messages: int
    reports: int
    accounts: int
    log_entries: int


def erase_recipients(numbers: Collection[str], *, size: int = 500, dry_run: bool = False) -> ErasureResult:
    """Replace phone numbers by pseudonyms, and return how many rows contained them.

    The messages to a number and their reports are erased first. Their index makes this fast. Then all rows are read,
    because the text or the metadata of any message can contain the number. A second call finds nothing and changes
    nothing. A report that arrives later about an erased message is stored without its number.

    In the messages to a number and in their reports, each spelling is replaced (`utils.number_patterns`). In other
    rows a number, or a national part, of less than `MIN_DIGITS` digits is kept: it could be an order or an amount.

    Args:
        numbers: the numbers in international format, with +, with 00 or with neither.
        size: the number of rows in a batch.
        dry_run: whether to count the rows only.
    """
    erased: dict[type[models.Model], set[int]] = {}

    def erase(rows: models.QuerySet[Any], columns: tuple[str, ...], replace: Callable[[str], str]) -> set[int]:
        keys = {pk for batch in _batches(rows, columns, replace, size=size, dry_run=dry_run) for pk in batch}
        erased.setdefault(rows.model, set()).update(keys)
        return keys

    pseudonyms = {number: new_pseudonym() for number in numbers}
    for number, pseudonym in pseudonyms.items():
        replace = _replacer({number: pseudonym})
        messages = sorted(
            erase(_rows(SmsMessage).filter(recipient__in=spellings(number)), COLUMNS[SmsMessage], replace)
        )
        # After the messages: a report that was recorded before is committed by now, because its transaction held a
        # lock on its message. A later one is recorded without its number.
        for start in range(0, len(messages), size):
            reports = _rows(DeliveryReport).filter(message__in=messages[start : start + size])
            erase(reports, COLUMNS[DeliveryReport], replace)
            if not dry_run:  # what waits for this recipient can never be sent, and its text may identify the person
                _rows(QueuedMessage).filter(pk__in=messages[start : start + size]).update(content={})
                _rows(ResendContent).filter(pk__in=messages[start : start + size]).delete()
    long = {number: value for number, value in pseudonyms.items() if len(NON_DIGITS.sub("", number)) >= MIN_DIGITS}
    replace = _replacer(long, min_national=MIN_DIGITS)
    for model, columns in COLUMNS.items():
        erase(_rows(model), columns, replace)
    entries = set()
    if long and apps.is_installed("django.contrib.admin"):
        entries = erase(_log_entries(), LOG_ENTRY_COLUMNS, replace)
    counts = {model: len(keys) for model, keys in erased.items()}
    return ErasureResult(
        # A message and its rows with its content share a key.
        messages=len(erased[SmsMessage] | erased[QueuedMessage] | erased[ResendContent]),
        reports=counts[DeliveryReport],
        accounts=counts[Account],
        log_entries=len(entries),
    )


def _rows(model: type[models.Model]) -> models.QuerySet[Any]:
    return model._base_manager.using(router.db_for_write(model))  # noqa: SLF001 - documented as public


def _log_entries() -> models.QuerySet[Any]:
    """Return the log entries of the admin about rows of this app. Those about other rows belong to the project."""
    content_types = _rows(apps.get_model("contenttypes", "ContentType"))
    ours = content_types.filter(app_label=SmsMessage._meta.app_label).values_list("pk", flat=True)  # noqa: SLF001 - documented
    return _rows(apps.get_model("admin", "LogEntry")).filter(content_type__in=list(ours))


def _replacer(pseudonyms: dict[str, str], **options: int) -> Callable[[str], str]:
    """Return a function that replaces each number in a text by its pseudonym."""

    def replace(text: str) -> str:
        for number, pseudonym in pseudonyms.items():
            text = replace_number(text, number, lambda spelling, code, new=pseudonym: new, **options)  # type: ignore[misc]
        return text

    return replace


def _batches(
    rows: models.QuerySet[Any],
    columns: tuple[str, ...],
    replace: Callable[[str], str],
    *,
    size: int,
    dry_run: bool,
) -> Iterator[list[int]]:
    """Erase the numbers in rows; yield, for each batch, the primary keys of the rows that contained one."""
    rows = rows.only(*columns).order_by("pk")
    last = 0

    def read() -> list[Any]:
        return list(rows.filter(pk__gt=last)[:size])

    while batch := db_retry.retry_on_contention(read, using=rows.db):
        last = batch[-1].pk
        keys = [row.pk for row in batch if _changes(row, columns, replace)]
        for pk in keys if not dry_run else ():
            db_retry.retry_on_contention(partial(_write, rows.filter(pk=pk), columns, replace), using=rows.db)
        yield keys


def _write(rows: models.QuerySet[Any], columns: tuple[str, ...], replace: Callable[[str], str]) -> None:
    """Lock a row, and erase the numbers that it contains now."""
    with transaction.atomic(using=rows.db):
        for row in rows.select_for_update():
            if changes := _changes(row, columns, replace):
                _rows(rows.model).filter(pk=row.pk).update(**changes)


def _changes(row: models.Model, columns: tuple[str, ...], replace: Callable[[str], str]) -> dict[str, Any]:
    """Return the new values of the columns of a row that contain a number."""
    changes: dict[str, Any] = {}
    for name in columns:
        value = getattr(row, name)
        replaced = map_texts(value, replace)
        if name == "channels":  # the ids at Messente are not changed
            ids = [channel.get("message_id") for channel in value]
            replaced = [
                {**channel, "message_id": pk} if pk else channel for channel, pk in zip(replaced, ids, strict=True)
            ]
        if replaced != value:
            limit = getattr(row._meta.get_field(name), "max_length", None)  # noqa: SLF001 - documented
            changes[name] = replaced[:limit] if limit else replaced
    return changes
