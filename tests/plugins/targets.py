"""A service that is attacked, as tests of several kinds see it."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx


@dataclass(frozen=True)
class Target:
    """A service, and what it takes to be let in."""

    url: str
    headers: dict[str, str]
    client: httpx.Client
    data_dir: Path

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port
