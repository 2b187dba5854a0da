"""Rules of redaction: a name, a version and a pattern. Those built in are applied only where they are named."""

from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rewarders.patterns import Pattern, compiled


class Rule(BaseModel):
    """`[[redaction.rules]]`: what must not be on a record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    """On the record of what was taken out."""
    version: Annotated[str, Field(min_length=1, max_length=40)] = "1"
    """Likewise. Another pattern needs another."""
    pattern: Pattern
    """Of RE2. `(?i)` at its beginning ignores case."""

    @field_validator("pattern")
    @classmethod
    def _matches_something(cls, pattern: str) -> str:
        if compiled(pattern).search("") is not None:
            raise ValueError("the pattern matches where there is nothing")
        return pattern


BuiltIn = Literal["private-key", "cloud-key", "bearer-token", "email"]
"""PEM and PGP private keys; keys of AWS, Google, Azure, GitHub, Slack, Hugging Face and makers of models; bearer tokens
and JSON Web Tokens; e-mail addresses."""
_KEY_NAME = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_BETWEEN = r"(?:[^A-Za-z0-9]|\\[nr])*"
"""What stands before the letters of a line: a line break, and marks of a quotation, a comment or a string."""
_BEGIN = r"(?:\b|_)"
_PATTERNS: dict[BuiltIn, str] = {
    "private-key": rf"-----BEGIN {_KEY_NAME}(?:(?:[^-]|-{{1,4}}[^-])*-----END {_KEY_NAME}"
    rf"|(?:{_BETWEEN}[A-Z][A-Za-z-]{{2,20}}: [^\n\\]*)*(?:{_BETWEEN}[A-Za-z0-9+/=]{{16,}})*"
    rf"(?:{_BETWEEN}[A-Za-z0-9+/]{{1,15}}(?:==?|\z))?)",
    "cloud-key": rf"{_BEGIN}(?:A(?:KIA|SIA)[0-9A-Z]{{16}}"
    r"|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[0-9A-Za-z]{36,255}"
    r"|github_pat_[0-9A-Za-z_]{22,255}|xox[abeoprs]-[0-9A-Za-z-]{10,255}|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,})"
    r"|(?i:aws_?secret_?access_?key|accountkey)[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+=]{40,}",
    "bearer-token": rf"(?i){_BEGIN}bearer\s+[a-z0-9._~+/-]{{16,}}=*|{_BEGIN}"
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    "email": r"[\p{Latin}\p{Greek}\p{Cyrillic}0-9._%+-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+",
}


@cache
def built_in(name: BuiltIn) -> Rule:
    """The rule of that name."""
    return Rule(name=name, version="2", pattern=_PATTERNS[name])
