"""Known exploits, found by plain strings: no pattern of anybody's can make the search slow.

Both sides are brought to one form first: NFKC, no case, no white space, no characters of format. What that takes away
(bidirectional controls, for instance) is looked for in the text as it is.
"""

import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rewarders.errors import ConfigError
from trainer.detectors.section import Signature, SignaturesDetector

_MOST_CHARACTERS = 1_000_000
"""Of a completion: what comes later is not looked at."""


@lru_cache(maxsize=1)
def known_signatures() -> tuple[Signature, ...]:
    """What signatures.toml lists."""
    data = tomllib.loads(Path(__file__).with_name("signatures.toml").read_text("utf-8"))
    return tuple(Signature.model_validate(entry) for entry in data["signature"])


def chosen_signatures(section: SignaturesDetector) -> tuple[Signature, ...]:
    """The known ones without those to ignore, and the section's own.

    Raises:
        ConfigError: a name to ignore is unknown, or a signature of the section's own has nothing to look for.
    """
    known = known_signatures()
    unknown = sorted(set(section.ignore) - {signature.name for signature in known})
    if unknown:
        names = ", ".join(signature.name for signature in known)
        raise ConfigError(f"detectors.signatures.ignore: there is no {', '.join(unknown)}", hint=f"there are {names}")
    empty = [one.name for one in section.extra if not _can_match(one)]
    if empty:
        raise ConfigError(
            f"detectors.signatures.extra: {', '.join(empty)} has nothing to look for",
            hint="give any_of, all_of or characters; white space alone is nothing",
        )
    return tuple(signature for signature in known if signature.name not in section.ignore) + section.extra


@dataclass(frozen=True, slots=True)
class _Matcher:
    signature: Signature
    any_of: tuple[str, ...]
    all_of: tuple[str, ...]
    visible: tuple[str, ...]
    """Of `any_of`, what the common form would leave nothing of."""

    def matches(self, text: str, plain: str) -> bool:
        """Whether a completion carries the signature: as it is, and in the common form."""
        if any(character in text for character in self.signature.characters):
            return True
        if not (self.any_of or self.all_of or self.visible):
            return False
        found = sum(plain.count(string) for string in self.any_of) + sum(map(text.count, self.visible))
        enough = found >= self.signature.times or not (self.any_of or self.visible)
        return enough and all(string in plain for string in self.all_of)


def carriers(signatures: Sequence[Signature], texts: Sequence[str]) -> dict[str, list[int]]:
    """Rows that carry each signature; one that nobody carries is left out."""
    matchers = [_matcher(signature) for signature in signatures]
    found: dict[str, list[int]] = {}
    for row, whole in enumerate(texts):
        text = whole[:_MOST_CHARACTERS]
        plain = common_form(text)
        for matcher in matchers:
            if matcher.matches(text, plain):
                found.setdefault(matcher.signature.name, []).append(row)
    return found


def common_form(text: str) -> str:
    """Text without what does not change how it reads: compatibility forms, case, white space, format characters."""
    joined = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return joined if joined.isascii() else "".join(c for c in joined if unicodedata.category(c) != "Cf")


@lru_cache(maxsize=1024)
def _matcher(signature: Signature) -> _Matcher:
    forms = {string: common_form(string) for string in (*signature.any_of, *signature.all_of)}
    return _Matcher(
        signature,
        any_of=tuple(forms[string] for string in signature.any_of if forms[string]),
        all_of=tuple(forms[string] for string in signature.all_of if forms[string]),
        visible=tuple(string for string in signature.any_of if string.strip() and not forms[string]),
    )


def _can_match(signature: Signature) -> bool:
    matcher = _matcher(signature)
    return bool(signature.characters or matcher.any_of or matcher.all_of or matcher.visible)
