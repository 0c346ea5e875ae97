"""The exceptions of the client: one base class, texts with advice, equal copies."""

from __future__ import annotations

import copy
import pickle

import pytest

from django_messente_dlr.exceptions import MessageNotSent
from django_messente_dlr.messente import errors
from django_messente_dlr.messente.codes import ErrorCode
from django_messente_dlr.messente.response_codes import ResponseCode

ERRORS = [
    errors.MalformedReport("it has no stat"),
    errors.ConnectionFailed("https://api2.messente.com could not be reached."),
    errors.HostUnavailable("Messente failed recently.", retry_after=12.5),
    errors.NoResponse("https://api2.messente.com did not answer."),
    errors.ServerFailure("https://api2.messente.com answered HTTP 500."),
    errors.RateLimited("https://api2.messente.com requires fewer requests.", retry_after=30),
    errors.UnreadableResponse('Messente answered "<html>".'),
    errors.RequestRefused("ERROR 111"),
    errors.RequestRefused("ERROR 999"),
    errors.CredentialsRefused("ERROR 101"),
    errors.CredentialsRefused("HTTP 401"),
    errors.IpAddressRefused("ERROR 103"),
    errors.UnknownMessage("ERROR 107"),
    errors.UnknownMessage("HTTP 404"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_error__is_messente_error(error: errors.MessenteError) -> None:
    assert isinstance(error, errors.MessenteError)


def test_outcome_unknown__has_no_base_that_means_not_sent() -> None:
    assert errors.OutcomeUnknown.__bases__ == MessageNotSent.__bases__ == (Exception,)
    assert errors.OutcomeUnknown("no answer").sms_message is None


NOT_SENT = MessageNotSent("no connection", temporary=True, cause=ErrorCode.BLACKLISTED)


@pytest.mark.parametrize("error", [*ERRORS, errors.OutcomeUnknown("no answer"), NOT_SENT], ids=repr)
def test_error__copy_is_equal(error: Exception) -> None:
    """Celery, process pools and pytest-xdist pickle exceptions."""
    for duplicate in (copy.copy(error), pickle.loads(pickle.dumps(error)), type(error)(*error.args)):
        assert type(duplicate) is type(error)
        assert str(duplicate) == str(error)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RequestRefused("ERROR 111"), ResponseCode.SENDER_NOT_ACTIVATED),
        (errors.CredentialsRefused("ERROR 101"), ResponseCode.WRONG_CREDENTIALS),
        (errors.CredentialsRefused("HTTP 401"), ResponseCode.WRONG_CREDENTIALS),
        (errors.IpAddressRefused("ERROR 103"), ResponseCode.IP_NOT_ALLOWED),
        (errors.UnknownMessage("ERROR 107"), ResponseCode.CREDIT_OR_UNKNOWN_ID),
        (errors.UnknownMessage("HTTP 404"), ResponseCode.CREDIT_OR_UNKNOWN_ID),
    ],
    ids=repr,
)
def test_refusal__text_has_answer_meaning_and_advice(error: errors.RequestRefused, code: ResponseCode) -> None:
    assert error.code is code
    assert str(error) == f'Messente answered "{error.answer}". {code.meaning} {code.advice}'


@pytest.mark.parametrize("answer", ["HTTP 403: Forbidden", "Invalid data: The text is missing."])
def test_refusal__title_of_the_omnichannel_api_needs_no_explanation(answer: str) -> None:
    assert str(errors.RequestRefused(answer)) == f'Messente answered "{answer}".'


def test_refusal__unknown_code_is_named() -> None:
    error = errors.RequestRefused("ERROR 999")
    assert error.code is None
    assert str(error) == 'Messente answered "ERROR 999". The code is unknown.'


def test_malformed_report__is_value_error() -> None:
    assert issubclass(errors.MalformedReport, ValueError)
