"""Report which keys and passwords still verify callbacks, so that an unused one can be removed safely."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Info

from django_messente_dlr import accounts, conf
from django_messente_dlr.callbacks import key_fingerprints, tokens

TOPIC = "keys"


def check_keys() -> Iterator[CheckMessage]:
    """Yield the last use of each key of callback URLs and of each account's passwords.

    A finding shows the fingerprint of a key, never the key.
    """
    last_uses: dict[str, str] = {}
    for account in accounts.account_rows().filter(name__in=list(conf.accounts())):
        for fingerprint, used_at in account.key_uses.items():
            last_uses[fingerprint] = max(used_at, last_uses.get(fingerprint, ""))
    for position, key in enumerate(tokens.signing_keys(), 1):
        purpose = "signs callback URLs" if position == 1 else "still verifies callback URLs"
        yield Info(
            f"Key {position} {purpose}. Last use: {_last_use(last_uses, key)}.",
            obj=TOPIC,
            id="django_messente_dlr.doctor.D061",
        )
    for name, credentials in conf.accounts().items():
        for position, password in enumerate(credentials.passwords):
            subject = f"Previous password {position}" if position else "The password"
            yield Info(
                f"{subject} of account {name} verifies signatures. Last use: {_last_use(last_uses, password)}.",
                obj=TOPIC,
                id="django_messente_dlr.doctor.D062",
            )


def _last_use(last_uses: dict[str, str], key: str | bytes) -> str:
    """Return the time of a key's last use and its fingerprint, such as "never (1a2b3c4d)"."""
    fingerprints = key_fingerprints.all_fingerprints(key)
    times = [last_uses[fingerprint] for fingerprint in fingerprints if fingerprint in last_uses]
    return f"{max(times, default='never')} ({key_fingerprints.fingerprint(key)})"
