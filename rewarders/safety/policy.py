"""A red-line policy: categories, each with patterns, a criterion for a judge, or both."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rewarders.digests import digest_bytes
from rewarders.patterns import Patterns
from rewarders.safety.views import folded_patterns, latin_patterns

CategoryName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Closed(BaseModel):
    """Frozen, and nothing unknown is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Category(Closed):
    """One line that must not be crossed."""

    patterns: Annotated[Patterns, Field(max_length=256)] = ()
    """RE2. Each is looked for in the text as it stands, and without regard to case in the text folded, as it is and in
    Latin letters: accents, look-alike letters, invisible characters and spacing make no difference there."""
    criterion: Annotated[str, Field(max_length=4000)] = ""
    """What a judge decides, as a statement about the text that is true where the line is crossed."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.patterns or self.criterion):
            raise ValueError("a category needs patterns, a criterion or both")
        folded_patterns(self.patterns)
        latin_patterns(self.patterns)
        return self


Categories = Annotated[dict[CategoryName, Category], Field(min_length=1, max_length=64)]


class PolicyFile(Closed):
    """Where a policy is kept, and which edition of it: what can change a reward has to be in the rubric."""

    file: str
    """TOML with a table for each category."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file: `sha256sum FILE`. One that was changed is refused when the rubric is loaded."""


class PolicyParams(Closed):
    """Settings that name a policy: in the rubric itself, or a file."""

    categories: Categories
    """The policy; or `{ file = "...", sha256 = "..." }`, which is read in its place."""

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, data: Any) -> Any:
        given = data.get("categories") if isinstance(data, dict) else None
        if not (isinstance(given, dict) and isinstance(given.get("file"), str)):
            return data
        named = PolicyFile.model_validate(given)
        return {**data, "categories": _categories(named.file, named.sha256)}


@lru_cache(maxsize=64)
def _categories(file: str, sha256: str) -> dict[str, Any]:
    """Raises ValueError naming the file."""
    try:
        content = Path(file).read_bytes()
        table = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ValueError(f"the policy {file!r} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"the policy {file!r} is no TOML: {error}") from error
    found = digest_bytes(content).rpartition(":")[2]
    if found != sha256:
        raise ValueError(
            f"the policy {file!r} is another edition: its sha256 is {found}, and the rubric names {sha256}"
        )
    return table
