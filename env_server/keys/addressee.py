"""Whether a request was meant for us by whoever sent it: `Host`, and what browsers say of the page that asks."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from env_server.keys.errors import Ambiguous, Forbidden, Misdirected

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
Headers = Sequence[tuple[bytes, bytes]]


def require_host(headers: Headers, http_version: str, allowed: frozenset[str] | None) -> str:
    """The `Host`, as it was sent; empty where HTTP/1.0 needs none.

    Raises:
        Ambiguous: there is none, or more than one.
        Misdirected: it is not a name of ours.
    """
    given = values(headers, b"host")
    if not given and http_version == "1.0":
        return ""
    if len(given) != 1:
        raise Ambiguous("a request has to have one Host")
    if allowed is not None and _name(given[0]) not in allowed:
        raise Misdirected("the service does not answer under this Host", hint="name it in [server] hosts")
    return given[0]


def require_own_page(headers: Headers, method: str, host: str) -> None:
    """Raises Forbidden: a browser sends what changes something, for a page that is not ours."""
    if method in _READS:
        return
    sites, origins = values(headers, b"sec-fetch-site"), values(headers, b"origin")
    foreign = any(site not in ("same-origin", "none") for site in sites)
    if foreign or len(origins) > 1 or any(_authority(origin) != host.lower() for origin in origins):
        raise Forbidden("a page of another origin may change nothing here")


def values(headers: Headers, name: bytes) -> list[str]:
    """What a header was given as, each time that it was."""
    return [value.decode("latin-1").strip() for key, value in headers if key == name]


def _name(host: str) -> str:
    """Without the port: forwarding changes it, and it tells nobody apart."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    """Host and port of an origin; nothing of one that is `null`."""
    return origin.lower().partition("://")[2]
