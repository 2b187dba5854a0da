"""What the citation rewarders read of a task: its sources."""

import re
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")

SourceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]


class Sources(BaseModel):
    """The sources of a task. A list is numbered from 1, as in `[1]`; an object names them, as in `[smith2020]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Annotated[dict[SourceId, str], Field(min_length=1, max_length=10_000)]
    """Id to text. Ids that are numbers are written without leading zeros."""

    @model_validator(mode="before")
    @classmethod
    def _a_list_is_numbered(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("sources"), list):
            numbered = {str(number): text for number, text in enumerate(data["sources"], 1)}
            return {**data, "sources": numbered}
        return data

    @model_validator(mode="after")
    def _sound(self) -> Self:
        empty = [name for name, text in self.sources.items() if not text.strip()]
        if empty:
            raise ValueError("a source is empty")
        return self

    @cached_property
    def numbered(self) -> bool:
        """Whether citations are numbers."""
        return all(map(_NUMBER.fullmatch, self.sources))
