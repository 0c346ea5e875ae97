"""The actions on messages, and the result page that lists each message."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from django_messente_dlr import accounts
from django_messente_dlr.admin import action_results
from django_messente_dlr.admin.actions import export, poll, resend
from django_messente_dlr.admin.actions.export import escape_formula
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, admin_messages, html, list_url, page_url
from tests.unit.maintenance.interfering import just_before

# `resend` reads the credit hold after the message, and directly before the transaction that claims the message.
BEFORE_CLAIM = 'credits_exhausted_at" IS NOT NULL'


def results(response: HttpResponse) -> list[list[str]]:
    """Return the cells of the table on a result page, as text without markup."""
    assert response.status_code == 200
    table = (
        response.content.decode().partition('id="content-main"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    )
    lines = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines]
    return [[" ".join(re.sub(r"<[^>]*>", "", cell).split()) for cell in line] for line in cells]


def selected(response: HttpResponse) -> list[int]:
    """Return the keys of the messages that the button for the next batch sends."""
    form = response.content.decode().rpartition("<form")[2]
    return [int(pk) for pk in re.findall(r'name="_selected_action" value="(\d+)"', form)]


@pytest.mark.django_db(transaction=True)
class TestPollNow:
    @pytest.fixture(autouse=True)
    def _no_callbacks(self, settings: Any, messente_sandbox: Sandbox) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": ""}
        self.sandbox = messente_sandbox

    def test_poll_now__result_per_message(self, admin_client: Client) -> None:
        sent = send_sms("+37255500000", "Your parcel is here")
        self.sandbox.wait_until_idle(10)
        final = SmsMessageFactory.create(status=Status.DELIVERED, recipient="+37255500001")
        without_id = SmsMessageFactory.create(queued=True, recipient="+37255500002")
        unknown = SmsMessageFactory.create(recipient="+37255500003")
        lines = results(act(admin_client, "poll_now", sent, final, without_id, unknown))
        assert [line[:3] for line in lines] == [
            ["+37255500000", "Final", "Delivered"],
            ["+37255500001", "Final", "Delivered"],
            ["+37255500002", "Not polled", "Queued"],
            ["+37255500003", "Still pending", "Sent"],
        ]
        assert lines[2][3] == "The message has no ID from Messente."
        sent.refresh_from_db()
        assert sent.status == Status.DELIVERED

    def test_poll_now__final_since_listed(self, admin_client: Client) -> None:
        """A message that the list showed as pending has a final status when the action runs."""
        message = SmsMessageFactory.create(status=Status.DELIVERED, recipient="+37255500003")
        [line] = results(act(admin_client, "poll_now", message, query="?status=pending"))
        assert line[:3] == ["+37255500003", "Final", "Delivered"]

    def test_poll_now__no_response(self, admin_client: Client, settings: Any) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": ["http://127.0.0.1:9"]}
        [line] = results(act(admin_client, "poll_now", SmsMessageFactory.create()))
        assert line[1] == "No response"
        assert line[3]

    def test_poll_now__button_only_if_pollable(self, admin_client: Client) -> None:
        button = 'value="poll_now"'
        assert button in html(admin_client, page_url(SmsMessageFactory.create()))
        for attributes in ({"status": Status.SEEN}, {"queued": True}, {"account": "gone"}):
            assert button not in html(admin_client, page_url(SmsMessageFactory.create(**attributes)))

    def test_poll_now__next_batch(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(poll, "MAX_POLLED", 2)
        rows = SmsMessageFactory.create_batch(5)
        response = act(admin_client, "poll_now", *rows)
        assert len(results(response)) == 2
        assert "Continue with the next messages (3 remaining)" in response.content.decode()
        assert selected(response) == [row.pk for row in rows[2:]]

    def test_poll_now__too_many_selected(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(action_results, "MAX_SELECTED", 2)
        rows = SmsMessageFactory.create_batch(3)
        response = act(admin_client, "poll_now", *rows)
        assert admin_messages(response) == [("error", "Choose at most 2 messages at a time. Nothing was done.")]


@pytest.mark.django_db(transaction=True)
class TestResend:
    @pytest.fixture(autouse=True)
    def _sandbox(self, messente_sandbox: Sandbox) -> None:
        self.sandbox = messente_sandbox

    def failed(self, **attributes: Any) -> SmsMessage:
        message: SmsMessage = SmsMessageFactory.create(
            **{"status": Status.FAILED, "recipient": "+37255500000", "text": "Your code is 1234", **attributes}
        )
        return message

    def confirm(self, client: Client, *rows: SmsMessage) -> HttpResponse:
        confirmation = act(client, "resend", *rows).content.decode()
        assert 'name="confirmed" value="yes"' in confirmation
        return act(client, "resend", *rows, confirmed="yes")

    def test_resend__asks_for_confirmation(self, admin_client: Client) -> None:
        message = self.failed()
        response = act(admin_client, "resend", message)
        assert "1 message will be sent again, as a new message. Messente charges for it." in response.content.decode()
        [[recipient, *_, answer]] = results(response)
        assert (recipient, answer) == ("+37255500000", "Yes")
        assert SmsMessage.objects.count() == 1

    def test_resend__new_message_has_same_attributes(self, admin_client: Client) -> None:
        message = self.failed(sender="Shop", metadata={"order": 17}, account="marketing")
        [line] = results(self.confirm(admin_client, message))
        new = SmsMessage.objects.latest("pk")
        assert line == ["+37255500000", "Sent", "Failed", "The new message"]
        assert new.pk != message.pk
        assert (new.recipient, new.sender, new.metadata, new.account) == (
            "+37255500000",
            "Shop",
            {"order": 17},
            "marketing",
        )
        assert new.sms_unique_id
        assert f"Sent again as {new}." in html(admin_client, page_url(message, "history"))

    def test_resend__has_channels_options_and_reference(self, admin_client: Client) -> None:
        channels = [
            {"channel": "viber", "text": "Your code is 1234", "sender": "Shop", "ttl": 60, "message_id": "a"},
            {"channel": "sms", "text": "Your code is 1234", "sender": "Shop", "message_id": "b"},
        ]
        options = {"api": "omnichannel", "priority": "high"}
        message = self.failed(channels=channels, channel="sms", options=options, reference="order-17")
        [line] = results(self.confirm(admin_client, message))
        assert line == ["+37255500000", "Sent", "Failed", "The new message"]
        new = SmsMessage.objects.latest("pk")
        assert (new.resend_of, new.reference, new.options, new.channel_count) == (message, "order-17", options, 2)
        assert [sent.channel for sent in self.sandbox.messages] == ["viber", "sms"]

    def test_resend__deleted_before_claim(self, admin_client: Client) -> None:
        message = self.failed()
        with just_before(BEFORE_CLAIM, lambda: SmsMessage.objects.all().delete()):
            [line] = results(act(admin_client, "resend", message, confirmed="yes"))
        assert line[1:4] == ["Not sent", "Failed", "The message was deleted."]

    def test_resend__account_that_is_not_configured(self, admin_client: Client) -> None:
        message = self.failed(account="gone")
        [line] = results(self.confirm(admin_client, message))
        assert line[1] == "Not sent"
        assert "gone" in line[3]
        assert SmsMessage.objects.get().resent_at is None

    def test_resend__second_confirmation(self, admin_client: Client) -> None:
        message = self.failed()
        self.confirm(admin_client, message)
        [line] = results(act(admin_client, "resend", message, confirmed="yes"))
        assert line[1:4] == ["Not sent", "Failed", "The message was already sent again."]
        assert SmsMessage.objects.count() == 2
        page = html(admin_client, page_url(message))
        assert 'value="resend"' not in page
        assert "<p>The message was already sent again." in page

    def test_resend__of_resent_message(self, admin_client: Client) -> None:
        self.confirm(admin_client, self.failed())
        new = SmsMessage.objects.latest("pk")
        SmsMessage.objects.filter(pk=new.pk).update(
            status=Status.FAILED, rank=Status.FAILED.rank, text="Your code is 1234"
        )
        [line] = results(self.confirm(admin_client, new))
        assert line[1] == "Sent"

    def test_resend__after_hold_is_released(self, admin_client: Client) -> None:
        account, message = AccountFactory.create(held=True), self.failed()
        self.confirm(admin_client, message)
        accounts.release_hold(account.name, now=timezone.now())
        [line] = results(self.confirm(admin_client, message))
        assert line[1] == "Sent"

    def test_resend__delivered_before_claim(self, admin_client: Client) -> None:
        message = self.failed()
        with just_before(BEFORE_CLAIM, lambda: simulate_callback(message)):
            [line] = results(act(admin_client, "resend", message, confirmed="yes"))
        assert line[1:4] == ["Not sent", "Delivered", "The message reached its recipient."]
        assert SmsMessage.objects.count() == 1

    def test_resend__simultaneous_confirmations(self, admin_client: Client) -> None:
        """Both requests read the message as not sent again. The claim decides which one sends it."""
        message = self.failed()
        responses: list[HttpResponse] = []
        with just_before(
            BEFORE_CLAIM, lambda: responses.append(act(admin_client, "resend", message, confirmed="yes"))
        ):
            responses.append(act(admin_client, "resend", message, confirmed="yes"))
        assert sorted(results(response)[0][1] for response in responses) == ["Not sent", "Sent"]
        assert SmsMessage.objects.count() == 2

    def test_resend__reasons_for_refusal(self, admin_client: Client) -> None:
        rows = [
            self.failed(status=Status.DELIVERED),
            self.failed(status=Status.SENT),
            self.failed(channel="viber"),
            self.failed(text=""),
            self.failed(several_channels=True),
            self.failed(recipient=""),
        ]
        reasons = [line[-1] for line in results(act(admin_client, "resend", *rows))]
        assert reasons == [
            "No: The message reached its recipient.",
            "No: The message may still arrive.",
            "No: The message is not an SMS.",
            "No: The text was not stored. Set STORE_TEXT to store the text of future messages.",
            "No: The content of the channels was not stored. Set STORE_TEXT to store that of future messages.",
            "No: The recipient is unknown.",
        ]
        assert "Yes, send" not in act(admin_client, "resend", *rows).content.decode()
        assert [line[1] for line in results(act(admin_client, "resend", *rows, confirmed="yes"))] == ["Not sent"] * 6

    def test_resend__stops_account_without_credit(self, admin_client: Client) -> None:
        AccountFactory.create(held=True)
        rows = [self.failed(), self.failed(), self.failed(account="marketing")]
        lines = results(self.confirm(admin_client, *rows))
        assert [line[1] for line in lines] == ["Out of credits", "Not sent", "Sent"]
        assert lines[1][3] == "The account is out of credits."

    def test_resend__refused_links_new_message(self, admin_client: Client) -> None:
        [line] = results(self.confirm(admin_client, self.failed(recipient="+37255500211")))
        assert line[1] == "Not sent"
        assert line[3].endswith("The new message")

    @pytest.mark.parametrize(
        ("digits", "heading"), [("000", "Sent again"), ("250", "Sent again"), ("211", "Not sent")]
    )
    def test_resend__heading(self, admin_client: Client, digits: str, heading: str) -> None:
        response = self.confirm(admin_client, self.failed(recipient=f"+37255500{digits}"))
        assert f"<h1>{heading}</h1>" in response.content.decode()

    def test_resend__outcome_unknown(self, admin_client: Client) -> None:
        [line] = results(self.confirm(admin_client, self.failed(recipient="+37255500250")))
        assert line[1] == "Uncertain"
        assert "Do not send it again" in line[3]

    def test_resend__in_batches(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resend, "MAX_SENT", 2)
        rows = [self.failed() for _number in range(5)]
        response = act(admin_client, "resend", *rows)
        sent = 0
        for batch, remaining in ((rows[:2], rows[2:]), (rows[2:4], rows[4:]), (rows[4:], [])):
            assert len(results(response)) == len(batch)
            keys = ",".join(str(row.pk) for row in remaining)
            assert f'name="remaining" value="{keys}"' in response.content.decode()
            response = act(admin_client, "resend", *batch, confirmed="yes", remaining=keys)
            sent += len(batch)
            assert len(self.sandbox.messages) == sent
            assert selected(response) == [row.pk for row in remaining]
            if remaining:
                response = act(admin_client, "resend", *remaining)

    def test_resend__next_batch_if_none_can_be_sent(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resend, "MAX_SENT", 1)
        rows = [self.failed(text=""), self.failed()]
        response = act(admin_client, "resend", *rows)
        assert "Yes, send" not in response.content.decode()
        assert selected(response) == [rows[1].pk]

    def test_resend__confirmation_shows_text_sender_and_cause(self, admin_client: Client) -> None:
        message = self.failed(sender="Parcels", err=7)
        [line] = results(act(admin_client, "resend", message))
        assert line == ["+37255500000", "Parcels", "Your code is 1234", "Failed", "Sender name not allowed", "Yes"]

    @pytest.mark.parametrize("remaining", ["x", "1;2", "9" * 30, "-1"])
    def test_resend__invalid_remaining_keys(self, admin_client: Client, remaining: str) -> None:
        response = act(admin_client, "resend", self.failed(), confirmed="yes", remaining=remaining)
        assert selected(response) == []

    def test_resend__button_only_if_possible(self, admin_client: Client) -> None:
        button = 'value="resend"'
        assert button in html(admin_client, page_url(self.failed()))
        assert button not in html(admin_client, page_url(self.failed(text="")))


@pytest.mark.django_db
class TestExport:
    def exported(self, client: Client, *rows: SmsMessage, **data: str) -> list[dict[str, str]]:
        response: Any = act(client, "export", *rows, **data)
        assert isinstance(response, StreamingHttpResponse)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert re.fullmatch(r'attachment; filename="messente-[\d-]+\.csv"', response["Content-Disposition"])
        text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
        return list(csv.DictReader(io.StringIO(text)))

    def test_export__selected_messages(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create(
            status=Status.REJECTED, err=7, created_at=timezone.now(), recipient="+37255500001"
        )
        SmsMessageFactory.create()
        [line] = self.exported(admin_client, message)
        assert line["sms_unique_id"] == message.sms_unique_id
        assert line["status"] == "rejected"
        assert line["cause"] == "Sender name not allowed"
        assert line["created_at"] == message.created_at.isoformat()
        assert line["recipient"] == "'+37255500001"

    def test_export__all_pages_selected(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "BATCH", 2)
        rows = SmsMessageFactory.create_batch(5)
        lines = self.exported(admin_client, rows[0], select_across="1")
        assert [line["id"] for line in lines] == [str(row.pk) for row in reversed(rows)]

    def test_export__streams(self, admin_client: Client) -> None:
        response = act(admin_client, "export", SmsMessageFactory.create())
        assert response.streaming

    def test_export__masks_recipients(self, staff: Staff) -> None:
        message = SmsMessageFactory.create(
            recipient="+37255500001", status=Status.FAILED, error_text="37255500001 is no number"
        )
        [line] = self.exported(staff("view_smsmessage", "export_smsmessage"), message)
        assert line["recipient"] == "'+372•••••001"
        assert line["error_text"] == "372•••••001 is no number"
        [line] = self.exported(staff("view_smsmessage", "export_smsmessage", "view_recipient"), message)
        assert line["recipient"] == "'+37255500001"

    def test_export__has_no_texts(self, admin_client: Client) -> None:
        response: Any = act(admin_client, "export", SmsMessageFactory.create(text="Your code is 1234"))
        assert b"1234" not in b"".join(response.streaming_content).partition(b"\n")[2].replace(b"2026", b"")

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "|", "%"])
    def test_export__escapes_formulas(self, admin_client: Client, start: str) -> None:
        assert escape_formula(f"{start}SUM(A1)") == f"'{start}SUM(A1)"
        message = SmsMessageFactory.create(sender=f"{start}cmd", status=Status.FAILED, error_text=f"{start}1")
        [line] = self.exported(admin_client, message)
        assert line["sender"].startswith("'")
        assert line["error_text"].startswith("'")

    @pytest.mark.parametrize(
        ("text", "cell"),
        [
            ("a;=SUM(A1)", "a;'=SUM(A1)"),
            ("a;=1;+2;@b", "a;'=1;'+2;'@b"),
            ("a\t-1", "a\t'-1"),
            ("a\r\n=1", "a\r\n'=1"),
            ("a\u2028=1", "a\u2028'=1"),
            ("a; =1", "a;' =1"),
            ('a;"=1"', 'a;\'"=1"'),
            (' "=1"', '\' "=1"'),
            ("\uff1dSUM(A1)", "'\uff1dSUM(A1)"),
            ("a;\uff1d1", "a;'\uff1d1"),
            ("a;'=1", "a;'=1"),
            ("1+1=2; no formula", "1+1=2; no formula"),
            ("Invalid number, -5", "Invalid number, -5"),
            ("", ""),
        ],
    )
    def test_export__escapes_formulas_inside_cells(self, admin_client: Client, text: str, cell: str) -> None:
        assert escape_formula(text) == cell
        message = SmsMessageFactory.create(status=Status.FAILED, error_text=text)
        [line] = self.exported(admin_client, message)
        assert line["error_text"] == cell

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_export__no_formula_with_any_delimiter(self, admin_client: Client, delimiter: str) -> None:
        starts = ["=1", "+1", "-1", "@a", "|a", "%a", ' "=1"', "\uff1d1"]
        text = "".join(f"{end}a;{start}\t{start}{end}{start}" for start in starts for end in ("\r", "\n", "\r\n"))
        SmsMessageFactory.create(status=Status.FAILED, error_text=text[:255], sender="a;=1")
        message = SmsMessageFactory.create(status=Status.FAILED, error_text=text[-255:], recipient="a\t=1")
        response: Any = act(admin_client, "export", message, select_across="1")
        content = b"".join(response.streaming_content).decode("utf-8-sig")
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            lines = content.splitlines() if quoting == csv.QUOTE_NONE else io.StringIO(content, newline="")
            for row in csv.reader(lines, delimiter=delimiter, quoting=quoting):
                assert not [cell for cell in row if cell.strip(' "').startswith(tuple("=+-@|%\uff1d"))]

    def test_export__get_request(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create()
        response = admin_client.get(
            list_url(SmsMessage), {"action": "export", "_selected_action": str(message.pk), "index": "0"}
        )
        assert "Content-Disposition" not in response


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["poll_now", "resend", "cancel", "export"])
@pytest.mark.parametrize("selected", ["abc", "", "\0", "9" * 30])
def test_actions__invalid_primary_key(admin_client: Client, action: str, selected: str) -> None:
    form = {"action": action, "_selected_action": [selected], "index": "0"}
    assert admin_client.post(list_url(SmsMessage), form).status_code == 400


@pytest.mark.django_db
def test_action_permissions__exist() -> None:
    names = Permission.objects.filter(content_type__model="smsmessage").values_list("codename", flat=True)
    assert {"view_recipient", "view_text", "resend_smsmessage", "cancel_smsmessage", "export_smsmessage"} <= set(
        names
    )
