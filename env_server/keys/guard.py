"""What stands between a request and the routes: is it meant for us, who sends it, and may they."""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from env_server.keys.addressee import Headers, require_host, require_own_page, values
from env_server.keys.errors import Ambiguous, Unauthorized
from env_server.keys.ring import KeyRing
from env_server.keys.secret import KEY_FORM
from env_server.principal import ANYONE, Principal
from env_server.routes.documents import document_of
from rewarders.errors import AssayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/readyz"})
"""Whoever asks whether the service is well needs no key; `/readyz` tells them no more than yes or no."""
NOBODY = Principal(scopes=frozenset())
_BY_ADDRESS = ("/openrlhf/", "/slime/", "/nemo-gym/")
"""Clients of these are given nothing but an address. They make `Authorization: Basic` of http://any:KEY@host."""
_KEY_IN_ADDRESS = re.compile(KEY_FORM.pattern.encode())


@dataclass(frozen=True)
class Guard:
    """ASGI application around the routes. What it does not let in they never see."""

    app: App
    hosts: frozenset[str] | None
    """Names that `Host` may have; None where any will do."""
    keys: KeyRing | None
    """None where the service asks for none."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on with its `principal`."""
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            try:
                scope.setdefault("state", {})["principal"] = await self._admitted(scope)
            except AssayError as error:
                await document_of(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admitted(self, scope: MutableMapping[str, Any]) -> Principal:
        headers: Headers = scope["headers"]
        host = require_host(headers, scope["http_version"], self.hosts)
        require_own_page(headers, scope["method"], host)
        if self.keys is None:
            return ANYONE
        if _KEY_IN_ADDRESS.search(unquote_to_bytes(scope["raw_path"] + b"?" + scope["query_string"])):
            raise Ambiguous("a key has no place in an address, which many write down", hint="revoke it; others saw it")
        secret = _secret(headers, scope["path"])
        if secret is None and scope["path"] in OPEN:
            return NOBODY
        if secret is None:
            raise Unauthorized("no key was sent", hint="send Authorization: Bearer KEY; clients of ours read ASSAY_KEY")
        return await self.keys.holder(secret)


def _secret(headers: Headers, path: str) -> str | None:
    """The key that was sent; None without `Authorization`. Raises Ambiguous, Unauthorized: what was sent is no key."""
    given = values(headers, b"authorization")
    if len(given) > 1:
        raise Ambiguous("Authorization was sent twice")
    if not given:
        return None
    scheme, _, credentials = given[0].partition(" ")
    secret = credentials.strip()
    if scheme.lower() == "basic" and path.startswith(_BY_ADDRESS):
        secret = _password(secret)
    elif scheme.lower() != "bearer":
        raise Unauthorized("Authorization has to be Bearer and a key")
    if not KEY_FORM.fullmatch(secret):
        raise Unauthorized("what was sent is no key", hint="a key begins with asy_ and has 47 characters")
    return secret


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("ascii").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
