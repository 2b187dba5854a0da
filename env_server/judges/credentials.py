"""Telling a credential in settings that go on every record. By its name, or by how it looks; pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(
    r"(?i)(api|access|secret|private|auth|account|subscription|signing)[-_. ]?key$|^key$|secret|passw(or)?d|passphrase"
    r"|authori[sz]ation|credential|bearer|cookie"
    r"|^(.*[-_. ])?(auth|access|api|refresh|id|session|sas)?[-_. ]?token$"
)
"""`max_tokens`, `stop_token_ids` and the like are none."""
_VALUE = re.compile(r"^(?:(?:Bearer|Basic|Token) \S+|(?:sk|rk|pk|hf|ghp|gsk|xai|nvapi)[-_][\w-]{12,}|AIza[\w-]{20,})$")


def credentials(settings: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of what looks like one."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            inner = f"{path}.{name}".lstrip(".")
            if isinstance(value, str) and _NAME.search(str(name)):
                yield inner
            else:
                yield from credentials(value, inner)
    elif isinstance(settings, list | tuple):
        for place, value in enumerate(settings):
            yield from credentials(value, f"{path}.{place}")
    elif isinstance(settings, str) and _VALUE.match(settings):
        yield path
