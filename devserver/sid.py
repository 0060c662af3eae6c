"""Identifiers in LiveKit's form: a prefix that names the kind, then twelve random characters."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits

ROOM = "RM_"
PARTICIPANT = "PA_"
TRACK = "TR_"
NODE = "ND_"


_SECRET_LENGTH = 43  # as many as 256 bits take


def new_secret() -> str:
    """Return a fresh secret (protocol/utils/secret.go)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))


def new_sid(prefix: str) -> str:
    """Return a fresh identifier, for example ``PA_2sFQmC8kqGdr`` (protocol/utils/guid/id.go)."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(12))
