"""Texts and HTML for statuses, causes, JSON and links.

`SafeString` values come only from ``format_html``, which escapes all stored data. The markup has no inline style and
no script, so a strict Content-Security-Policy allows it.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_messente_dlr.accounts import held_until
from django_messente_dlr.admin.formatting import EMPTY, duration, short_datetime
from django_messente_dlr.messente.codes import ErrorCode, Stat
from django_messente_dlr.models import Account, DeliveryReport, SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.utils.times import elapsed

TONES = {
    Status.QUEUED: "quiet",
    Status.SENT: "quiet",
    Status.UNRESOLVED: "warning",
    Status.FAILED: "error",
    Status.REJECTED: "error",
    Status.CANCELLED: "quiet",
    Status.DELIVERED: "success",
    Status.SEEN: "success",
}
SENTENCES = {
    Status.QUEUED: _("Messente has not yet confirmed that it accepted the message."),
    Status.SENT: _("Messente accepted the message. There is no final status yet."),
    Status.UNRESOLVED: _("Messente reported no final status within 48 hours. A late report can still change this."),
    Status.FAILED: _("The message did not reach its recipient."),
    Status.REJECTED: _("The message was refused and did not reach its recipient."),
    Status.CANCELLED: _("The message was cancelled before Messente sent it."),
    Status.DELIVERED: _("The message reached the phone or, in some markets, the operator."),
    Status.SEEN: _("The recipient has opened the message."),
}


class DispatchState(models.TextChoices):
    """The state of the signals of a report."""

    SENT = "sent", _("Sent")
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("A receiver failed")

    @classmethod
    def from_report(cls, report: DeliveryReport) -> DispatchState:
        """Return the state of the signals of ``report``."""
        if report.dispatch_due_at is not None:
            return cls.WAITING
        return cls.FAILED if report.dispatch_error else cls.SENT


DISPATCH_TONES = {DispatchState.SENT: "success", DispatchState.WAITING: "warning", DispatchState.FAILED: "error"}


def badge(text: str | Promise, tone: str) -> SafeString:
    """Return a text with a coloured background. The text is complete without the colour.

    Args:
        text: the text.
        tone: the colour: one of success, warning, error and quiet.
    """
    return format_html('<span class="messente-dlr-badge messente-dlr-{}">{}</span>', tone, text)


def status_badge(value: str) -> SafeString | str:
    """Return the badge of a status, or a dash for an empty value."""
    if not value:
        return EMPTY
    status = Status(value)
    return badge(status.label, TONES[status])


def time_to_final(message: SmsMessage) -> str:
    """Return the time from the sending of a message to its final status, or a dash without one."""
    # A message is cancelled before its time of sending.
    if message.finalised_at is None or message.status == Status.CANCELLED:
        return EMPTY
    passed = elapsed(message.sent_at or message.created_at, message.finalised_at)
    return duration(max(passed.total_seconds(), 0))


def dispatch_badge(report: DeliveryReport) -> SafeString:
    """Return the badge of the state of the signals of a report."""
    state = DispatchState.from_report(report)
    return badge(state.label, DISPATCH_TONES[state])


def error_code_text(err: int | None) -> str:
    """Return the meaning of an error code, or a dash for None and 0."""
    if not err:
        return EMPTY
    code = ErrorCode.from_code(err)
    return str(code.meaning) if code else gettext("Unknown cause (err %(err)s)") % {"err": err}


def describe_report(stat: str, err: int | None) -> str:
    """Return a status code and an error code as the report has them, and the meaning of the status code.

    Args:
        stat: the status code, or "".
        err: the error code, or None.
    """
    raw = ", ".join([*([stat] if stat else []), *([] if err is None else [f"err {err}"])])
    code = Stat.from_code(stat)
    return f"{raw}: {code.meaning}" if code else raw or EMPTY


def hold_note(account: Account) -> str:
    """Return why no balance check ends the credit hold of an account yet, or "" if the next one may."""
    if (until := held_until(account)) is None:
        return ""
    text = gettext(
        "This is the third hold within an hour without a higher balance. No balance check ends it before %(time)s."
    )
    return text % {"time": short_datetime(until)}


def pretty_json(value: Any) -> SafeString | str:
    """Return JSON indented, with one key on each line, or a dash for an empty value."""
    if not value:
        return EMPTY
    return preformatted(json.dumps(value, indent=2, ensure_ascii=False))


def preformatted(text: str) -> SafeString | str:
    """Return a text with its line breaks, or a dash for an empty text."""
    return format_html('<pre class="messente-dlr-raw">{}</pre>', text) if text else EMPTY


def shortened_id(text: str) -> SafeString:
    """Return an id that the stylesheet truncates in lists. The markup has the complete id."""
    return format_html('<span class="messente-dlr-id" title="{}">{}</span>', text, text)


def number_and_id(message: SmsMessage, number: str) -> SafeString:
    """Return the number of a message as the user may see it, and its id; the text of the link to its page."""
    message_id = message.sms_unique_id or message.omnimessage_id
    if number and message_id:
        markup = '{} <span class="messente-dlr-under messente-dlr-wide">{}</span>'
        return format_html(markup, number, shortened_id(message_id))
    if number or message_id:
        return format_html("{}", number) if number else shortened_id(message_id)
    # The dash is the link to the page. A screen reader reads the name of the message instead.
    dash = '<span aria-hidden="true">{}</span><span class="visually-hidden">{}</span>'
    return format_html(dash, EMPTY, message)


def with_reference(text: str, reference: str) -> SafeString | str:
    """Return the text of a cell, and under it the project's reference, if there is one."""
    if not reference:
        return text
    markup = '{} <span class="messente-dlr-under messente-dlr-reference" title="{}">{}</span>'
    return format_html(markup, text, gettext("reference"), reference)


def link(model: type[DeliveryReport | SmsMessage], pk: int, text: str, *, site: str) -> SafeString:
    """Return a link to the page of a row.

    Args:
        model: the model.
        pk: the primary key of the row.
        text: the text of the link.
        site: the name of the admin site.
    """
    name = f"admin:django_messente_dlr_{model.__name__.lower()}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[pk], current_app=site), text)
