"""What a key looks like: `asy_` and 43 characters out of 62, which come to 256 random bits.

Such a secret cannot be guessed from its digest, so a plain SHA-256 is kept: slow hashes are for what people think up.
Its first twelve characters are its id, by which lists and logs name it; that leaves 208 bits to guess.
"""

import hashlib
import re
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_RANDOM_CHARS = 43
_ID_CHARS = 12
KEY_FORM = re.compile(rf"asy_[A-Za-z0-9]{{{_RANDOM_CHARS}}}")


def new_secret() -> str:
    """A new key."""
    return "asy_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS))


def id_of(secret: str) -> str:
    """What the key is called."""
    return secret[:_ID_CHARS]


def digest_of(secret: str) -> bytes:
    """What is kept of the key: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()
