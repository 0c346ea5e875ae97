"""What a person can do to messages, each told message by message."""

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
from django_messente_dlr.admin.actions import poll, resend
from django_messente_dlr.admin.actions.export import safe
from django_messente_dlr.models import SmsMessage
from django_messente_dlr.models.statuses import Status
from django_messente_dlr.sandbox import Sandbox
from django_messente_dlr.sending import send_sms
from django_messente_dlr.testing.callbacks import simulate_callback
from django_messente_dlr.testing.factories import AccountFactory, SmsMessageFactory
from tests.unit.admin.conftest import Staff
from tests.unit.admin.pages import act, html, list_url, page_url, told


def results(response: HttpResponse) -> list[list[str]]:
    """The lines of the table that an action shows, markup left out."""
    assert response.status_code == 200
    table = (
        response.content.decode().partition('id="content-main"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    )
    lines = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines]
    return [[" ".join(re.sub(r"<[^>]*>", "", cell).split()) for cell in line] for line in cells]


@pytest.mark.django_db(transaction=True)
class TestPollNow:
    @pytest.fixture(autouse=True)
    def _no_callbacks(self, settings: Any, messente_sandbox: Sandbox) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "CALLBACK_BASE_URL": ""}
        self.sandbox = messente_sandbox

    def test_each_message_has_its_result(self, admin_client: Client) -> None:
        news = send_sms("+37255500000", "Your parcel is here")
        self.sandbox.wait_until_idle(10)
        ended = SmsMessageFactory.create(status=Status.DELIVERED, recipient="+37255500001")
        nameless = SmsMessageFactory.create(queued=True, recipient="+37255500002")
        unknown = SmsMessageFactory.create(recipient="+37255500003")
        lines = results(act(admin_client, "poll_now", news, ended, nameless, unknown))
        assert [line[:3] for line in lines] == [
            ["+37255500000", "Final", "Delivered"],
            ["+37255500001", "Final", "Delivered"],
            ["+37255500002", "Not polled", "Queued"],
            ["+37255500003", "Still pending", "Sent"],
        ]
        assert lines[2][3] == "The message has no ID from Messente."
        news.refresh_from_db()
        assert news.status == Status.DELIVERED

    def test_what_has_ended_since_it_was_listed_is_told_of(self, admin_client: Client) -> None:
        """The list's filter would leave it out: it was ticked as pending, and is pending no more."""
        message = SmsMessageFactory.create(status=Status.DELIVERED, recipient="+37255500003")
        [line] = results(act(admin_client, "poll_now", message, query="?status=pending"))
        assert line[:3] == ["+37255500003", "Final", "Delivered"]

    def test_no_answer_is_told_too(self, admin_client: Client, settings: Any) -> None:
        settings.MESSENTE_DLR = {**settings.MESSENTE_DLR, "API_HOSTS": ["http://127.0.0.1:9"]}
        [line] = results(act(admin_client, "poll_now", SmsMessageFactory.create()))
        assert line[1] == "No response"
        assert line[3]

    def test_the_button_on_the_page_is_there_while_there_is_something_to_ask(self, admin_client: Client) -> None:
        button = 'value="poll_now"'
        assert button in html(admin_client, page_url(SmsMessageFactory.create()))
        for attributes in ({"status": Status.SEEN}, {"queued": True}, {"account": "gone"}):
            assert button not in html(admin_client, page_url(SmsMessageFactory.create(**attributes)))

    def test_too_many_are_refused(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(poll, "MAX_POLLED", 2)
        rows = SmsMessageFactory.create_batch(3)
        response = act(admin_client, "poll_now", *rows)
        assert told(response) == [("error", "Choose at most 2 messages at a time. Nothing was done.")]


@pytest.mark.django_db(transaction=True)
class TestSendAgain:
    @pytest.fixture(autouse=True)
    def _sandbox(self, messente_sandbox: Sandbox) -> None:
        self.sandbox = messente_sandbox

    def failed(self, **attributes: Any) -> SmsMessage:
        made: SmsMessage = SmsMessageFactory.create(
            **{"status": Status.FAILED, "recipient": "+37255500000", "text": "Your code is 1234", **attributes}
        )
        return made

    def confirm(self, client: Client, *rows: SmsMessage) -> HttpResponse:
        asked = act(client, "resend", *rows).content.decode()
        assert 'name="confirmed" value="yes"' in asked
        return act(client, "resend", *rows, confirmed="yes")

    def test_nothing_is_sent_before_it_is_confirmed(self, admin_client: Client) -> None:
        message = self.failed()
        response = act(admin_client, "resend", message)
        assert "1 message will be sent again, as a new message. Messente charges for it." in response.content.decode()
        assert results(response) == [["+37255500000", "Failed", "Yes"]]
        assert SmsMessage.objects.count() == 1

    def test_it_is_sent_as_a_new_message_with_the_same_attributes(self, admin_client: Client) -> None:
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

    def test_a_second_click_sends_nothing(self, admin_client: Client) -> None:
        message = self.failed()
        self.confirm(admin_client, message)
        [line] = results(act(admin_client, "resend", message, confirmed="yes"))
        assert line[1:4] == ["Not sent", "Failed", "The message was already sent again."]
        assert SmsMessage.objects.count() == 2
        page = html(admin_client, page_url(message))
        assert 'value="resend"' not in page
        assert "<p>The message was already sent again.</p>" in page

    def test_what_was_sent_in_its_stead_can_be_sent_again_in_its_turn(self, admin_client: Client) -> None:
        self.confirm(admin_client, self.failed())
        new = SmsMessage.objects.latest("pk")
        SmsMessage.objects.filter(pk=new.pk).update(
            status=Status.FAILED, rank=Status.FAILED.rank, text="Your code is 1234"
        )
        [line] = results(self.confirm(admin_client, new))
        assert line[1] == "Sent"

    def test_what_was_not_sent_for_want_of_credit_can_be_sent_when_there_is_some(self, admin_client: Client) -> None:
        account, message = AccountFactory.create(held=True), self.failed()
        self.confirm(admin_client, message)
        accounts.release_hold(account.name, now=timezone.now())
        [line] = results(self.confirm(admin_client, message))
        assert line[1] == "Sent"

    def test_what_is_delivered_between_the_look_and_the_sending_is_not_sent(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = self.failed()
        take = resend._take

        def deliver_first(looked_at: SmsMessage) -> bool:
            simulate_callback(message)
            return take(looked_at)

        monkeypatch.setattr(resend, "_take", deliver_first)
        [line] = results(act(admin_client, "resend", message, confirmed="yes"))
        assert line[1:4] == ["Not sent", "Delivered", "The message reached its recipient."]
        assert SmsMessage.objects.count() == 1

    def test_of_two_who_confirm_in_the_same_instant_one_sends(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both have read the message as not sent again, and stand before the UPDATE that decides."""
        message, take = self.failed(), resend._take
        answers: list[HttpResponse] = []

        def meanwhile(looked_at: SmsMessage) -> bool:
            monkeypatch.setattr(resend, "_take", take)
            answers.append(act(admin_client, "resend", message, confirmed="yes"))
            return take(looked_at)

        monkeypatch.setattr(resend, "_take", meanwhile)
        answers.append(act(admin_client, "resend", message, confirmed="yes"))
        assert sorted(results(answer)[0][1] for answer in answers) == ["Not sent", "Sent"]
        assert SmsMessage.objects.count() == 2

    def test_what_cannot_be_sent_says_why(self, admin_client: Client) -> None:
        rows = [
            self.failed(status=Status.DELIVERED),
            self.failed(status=Status.SENT),
            self.failed(channel="viber"),
            self.failed(text=""),
            self.failed(recipient=""),
        ]
        reasons = [line[2] for line in results(act(admin_client, "resend", *rows))]
        assert reasons == [
            "No: The message reached its recipient.",
            "No: The message may still arrive.",
            "No: The message is not an SMS.",
            "No: The text was not stored. Set STORE_TEXT to store the text of future messages.",
            "No: The recipient is unknown.",
        ]
        assert "Yes, send" not in act(admin_client, "resend", *rows).content.decode()
        assert [line[1] for line in results(self.confirm_all(admin_client, rows))] == ["Not sent"] * 5

    def confirm_all(self, client: Client, rows: list[SmsMessage]) -> HttpResponse:
        return self.confirm(client, *rows)

    def test_without_credit_the_rest_is_not_tried(self, admin_client: Client) -> None:
        AccountFactory.create(held=True)
        rows = [self.failed(), self.failed(), self.failed(account="marketing")]
        lines = results(self.confirm(admin_client, *rows))
        assert [line[1] for line in lines] == ["Out of credits", "Not sent", "Sent"]
        assert lines[1][3] == "The account is out of credits."

    def test_a_refusal_is_told_with_the_new_message(self, admin_client: Client) -> None:
        [line] = results(self.confirm(admin_client, self.failed(recipient="+37255500211")))
        assert line[1] == "Not sent"
        assert line[3].endswith("The new message")

    @pytest.mark.parametrize(
        ("digits", "heading"), [("000", "Sent again"), ("250", "Sent again"), ("211", "Not sent")]
    )
    def test_the_heading_does_not_say_more_than_was_done(
        self, admin_client: Client, digits: str, heading: str
    ) -> None:
        response = self.confirm(admin_client, self.failed(recipient=f"+37255500{digits}"))
        assert f"<h1>{heading}</h1>" in response.content.decode()

    def test_where_the_answer_is_missing_nobody_is_told_to_try_again(self, admin_client: Client) -> None:
        [line] = results(self.confirm(admin_client, self.failed(recipient="+37255500250")))
        assert line[1] == "Uncertain"
        assert "Do not send it again" in line[3]

    def test_too_many_are_refused(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resend, "MAX_SENT", 1)
        response = act(admin_client, "resend", self.failed(), self.failed())
        assert told(response) == [("error", "Choose at most 1 messages at a time. Nothing was done.")]

    def test_the_button_on_the_page_is_there_where_it_can_be_sent(self, admin_client: Client) -> None:
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

    def test_the_chosen_messages_are_a_file(self, admin_client: Client) -> None:
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

    def test_all_that_a_filter_finds_is_given_whatever_a_page_holds(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django_messente_dlr.admin.actions import export

        monkeypatch.setattr(export, "BATCH", 2)
        rows = SmsMessageFactory.create_batch(5)
        lines = self.exported(admin_client, rows[0], select_across="1")
        assert [line["id"] for line in lines] == [str(row.pk) for row in reversed(rows)]

    def test_it_is_streamed(self, admin_client: Client) -> None:
        response = act(admin_client, "export", SmsMessageFactory.create())
        assert response.streaming

    def test_numbers_are_masked_for_those_who_may_not_see_them(self, staff: Staff) -> None:
        message = SmsMessageFactory.create(
            recipient="+37255500001", status=Status.FAILED, error_text="37255500001 is no number"
        )
        [line] = self.exported(staff("view_smsmessage", "export_smsmessage"), message)
        assert line["recipient"] == "'+372•••••001"
        assert line["error_text"] == "372•••••001 is no number"
        [line] = self.exported(staff("view_smsmessage", "export_smsmessage", "view_recipient"), message)
        assert line["recipient"] == "'+37255500001"

    def test_no_text_is_in_it(self, admin_client: Client) -> None:
        response: Any = act(admin_client, "export", SmsMessageFactory.create(text="Your code is 1234"))
        assert b"1234" not in b"".join(response.streaming_content).partition(b"\n")[2].replace(b"2026", b"")

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "|", "%"])
    def test_no_cell_is_a_formula(self, admin_client: Client, start: str) -> None:
        assert safe(f"{start}SUM(A1)") == f"'{start}SUM(A1)"
        message = SmsMessageFactory.create(sender=f"{start}cmd", status=Status.FAILED, error_text=f"{start}1")
        [line] = self.exported(admin_client, message)
        assert line["sender"].startswith("'")
        assert line["error_text"].startswith("'")

    def test_nothing_is_given_for_a_get(self, admin_client: Client) -> None:
        message = SmsMessageFactory.create()
        response = admin_client.get(
            list_url(SmsMessage), {"action": "export", "_selected_action": str(message.pk), "index": "0"}
        )
        assert "Content-Disposition" not in response


@pytest.mark.django_db
def test_the_permissions_that_actions_ask_for_can_be_given() -> None:
    names = Permission.objects.filter(content_type__model="smsmessage").values_list("codename", flat=True)
    assert {"view_recipient", "view_text", "resend_smsmessage", "export_smsmessage"} <= set(names)
