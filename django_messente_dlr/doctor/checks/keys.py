"""Which of the keys that verify callbacks are still in use, so that an old one can be taken out safely."""

from __future__ import annotations

from collections.abc import Iterator

from django_messente_dlr import conf
from django_messente_dlr.callbacks import key_fingerprints, tokens
from django_messente_dlr.doctor.findings import Finding, ok
from django_messente_dlr.models import Account


def check_keys() -> Iterator[Finding]:
    """Yield when each key of callback URLs, and each password that may sign, was used last. No key is shown."""
    rows = Account.objects.in_bulk(list(conf.accounts()), field_name="name")
    used: dict[str, str] = {}
    for row in rows.values():
        for fingerprint, at in row.key_uses.items():
            used[fingerprint] = max(at, used.get(fingerprint, ""))
    for place, key in enumerate(tokens.signing_keys(), 1):
        what = "signs callback URLs" if place == 1 else "still verifies callback URLs"
        yield ok("keys", f"Key {place}, which {what}, was used {_last(used, key)}.")
    for name, account in conf.accounts().items():
        for place, password in enumerate(account.passwords):
            what = f"Previous password {place}" if place else "The password"
            yield ok("keys", f"{what} of account {name} signed a callback {_last(used, password)}.")


def _last(used: dict[str, str], key: str | bytes) -> str:
    known = [used[fingerprint] for fingerprint in key_fingerprints.all_fingerprints(key) if fingerprint in used]
    return (
        f"last at {max(known)} ({key_fingerprints.fingerprint(key)})"
        if known
        else f"never ({key_fingerprints.fingerprint(key)})"
    )
