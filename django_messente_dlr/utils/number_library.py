"""Check numbers with the package ``phonenumbers``, the Python port of Google's libphonenumber, if it is installed.

A number with "+" must be *possible*: it has a length that numbers of its country have. It need not be *valid*. The
package learns of new ranges of numbers only by an update, and until then it would refuse a customer's number.
Without "+", a number must be valid, because it may be a national number.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

from django_messente_dlr.utils.phone_numbers import calling_code

EXTRA = "django-messente-dlr[phonenumbers]"
REASONS = {
    "IS_POSSIBLE_LOCAL_ONLY": "lacks its area code",
    "TOO_SHORT": "has too few digits",
    "TOO_LONG": "has too many digits",
}


def load() -> Any:
    """Return the package, or None if it is not installed. It is imported when it is first used."""
    return sys.modules["phonenumbers"] if "phonenumbers" in sys.modules else _import()


@cache
def _import() -> Any:
    # Cached, because Python searches its path again for each import of a module that does not exist.
    try:
        return importlib.import_module("phonenumbers")
    except ImportError:
        return None


def is_installed() -> bool:
    """Return whether the package is installed."""
    return load() is not None


def knows_region(region: str) -> bool:
    """Return whether the installed package has the numbers of a region.

    Args:
        region: the code of the country (ISO 3166-1 alpha-2), such as "EE".
    """
    return region in load().SUPPORTED_REGIONS


def check_possible(digits: str, *, shown: str, has_plus: bool) -> None:
    """Check the digits of an international number, if the package is installed.

    Args:
        digits: the digits, the country code first.
        shown: the number as it was given, for the error.
        has_plus: whether it was given with "+".

    Raises:
        ValueError: no number of this country has that length, or the number has a 0 after the country code that is
            dialled within the country only.
    """
    if (library := load()) is None:
        return
    code = calling_code(digits)
    number = _parse(library, f"+{digits}", None)
    if number is None:
        raise ValueError(f'"{shown}" is not a phone number: phonenumbers cannot read it. Correct its digits.')
    if (dialled := _e164(library, number)) != f"+{digits}":
        raise ValueError(
            f'"{shown}" is not dialled like this from another country, where it is "{dialled}". Write that number.'
        )
    if not has_plus and not library.is_valid_number(number):
        raise ValueError(
            f'"{shown}" has no "+" and is not a valid number with the country code {code}, so it may be a national '
            f'number. If {code} is its country code, write "+{digits}".'
        )
    result = library.is_possible_number_with_reason(number)
    if result != library.ValidationResult.IS_POSSIBLE:
        reason = REASONS.get(library.ValidationResult.to_string(result), "has a wrong number of digits")
        raise ValueError(
            f'"{shown}" {reason} for the country code {code}, according to phonenumbers {library.__version__}. '
            "Correct the number. If it is in use, update that package."
        )


def parse_national(digits: str, *, region: str, shown: str) -> str:
    """Return the international number of digits that were given without "+". The package must be installed.

    The digits may be a national number of the region, a number after its prefix for calls to other countries, or an
    international number without "+". They are refused if more than one of these is a valid number.

    Args:
        digits: the digits.
        region: the code of the country (ISO 3166-1 alpha-2), such as "EE".
        shown: the number as it was given, for the error.

    Raises:
        ValueError: the digits are no valid number, or more than one.
    """
    library = load()
    numbers = []
    national = _parse(library, digits, region)
    # Some countries insert digits into national numbers. These are refused, because they were not given.
    if _is_valid(library, national) and digits.endswith(library.national_significant_number(national)):
        numbers.append(_e164(library, national))
    international = _parse(library, f"+{digits}", None)
    if _is_valid(library, international) and _e164(library, international) == f"+{digits}":
        numbers.append(f"+{digits}")
    # Both are the same if the package has recognised the country code of the region.
    if len(set(numbers)) > 1:
        raise ValueError(
            f'"{shown}" can be two numbers: "{numbers[0]}" or, with another country code, "{numbers[1]}". Write the '
            'number with "+".'
        )
    if not numbers:
        raise ValueError(
            f'"{shown}" is not a valid phone number of the region {region} (DEFAULT_REGION), or one in international '
            'format. Write it with "+" and its country code.'
        )
    return str(numbers[0])


def _parse(library: Any, text: str, region: str | None) -> Any:
    """Return a number of the package, or None if it cannot read the text."""
    try:
        return library.parse(text, region)
    except library.NumberParseException:
        return None


def _e164(library: Any, number: Any) -> Any:
    return library.format_number(number, library.PhoneNumberFormat.E164)


def _is_valid(library: Any, number: Any) -> bool:
    return number is not None and bool(library.is_valid_number(number))
