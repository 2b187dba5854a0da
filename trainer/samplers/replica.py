"""One vLLM server as the trainer speaks to it."""

import os
import time
from collections.abc import Mapping
from typing import Any

import httpx

from rewarders.errors import ConfigError, TrainingError
from trainer.samplers.vllm_adapter import CHECKSUMS, ServerFacts, server_facts

_TRIES = 5
_FIRST_WAIT_S = 0.2


class ServerLost(TrainingError):
    """A vLLM server cannot be reached, or does not do what it is asked."""


class Replica:
    """A server, asked again where a connection fails and never where an answer is bad."""

    def __init__(self, url: str, *, timeout_s: float, connections: int = 64) -> None:
        self.name = url.rstrip("/")
        secret = os.environ.get("VLLM_API_KEY")
        self._client = httpx.Client(
            base_url=self.name,
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=connections),
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            trust_env=False,  # a proxy has no business between a trainer and its sampler
        )

    def facts(self) -> ServerFacts:
        """What the server can do. Raises ConfigError where that is not enough, or where nobody answers."""
        try:
            version = self.get("/version")["version"]
            openapi, models = self.get("/openapi.json"), self.get("/v1/models")
            info = self.get("/server_info?config_format=json") if "/server_info" in openapi["paths"] else {}
            return server_facts(self.name, version, openapi, models, info)
        except ServerLost as error:
            raise ConfigError(str(error), hint=error.hint) from error
        except (KeyError, IndexError, TypeError) as error:
            raise ConfigError(f"{self.name} does not answer as vLLM does", hint="check sampler.urls") from error

    def get(self, path: str) -> Any:
        """A document. Raises ServerLost."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to a request; all of those we make may be repeated. Raises ServerLost."""
        return self._ask("POST", path, body)

    def tell(self, path: str, body: Mapping[str, Any]) -> None:
        """A request whose answer is words. Raises ServerLost where it is an error."""
        self._answered("POST", path, body)

    def call(self, method: str, **arguments: Any) -> list[Any]:
        """Run a method on every worker. Raises ServerLost where one fails."""
        answer = self.post("/collective_rpc", {"method": method, "kwargs": arguments})
        return list(answer["results"]) if answer else []

    def checksums(self) -> dict[str, str]:
        """vLLM's own SHA-256 of each parameter, in its own names."""
        answer: dict[str, str] = self.post(CHECKSUMS, {"action": "checksum"})["checksums"]
        return answer

    def weight_version(self) -> str:
        """The label of the weights it has now."""
        return str(self.get("/weight_info")["weight_version"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        answer = self._answered(method, path, body)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise ServerLost(f"{self.name}{path} answered no JSON: {_said(answer)}", hint="is it vLLM?") from error

    def _answered(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        answer = self._reached(method, path, body)
        if answer.is_error:
            raise ServerLost(
                f"{self.name}{path} answered {answer.status_code}: {_said(answer)}",
                hint="its log says more; start it anew, then run again from the last checkpoint",
            )
        return answer

    def _reached(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        for attempt in range(_TRIES):
            try:
                return self._client.request(method, path, json=body)
            except httpx.TimeoutException as error:
                trouble: httpx.TransportError = error
                if not isinstance(error, httpx.ConnectTimeout):
                    break  # it is there and does not answer: asking twice would only double its work
            except httpx.TransportError as error:
                trouble = error
            if attempt + 1 < _TRIES:
                time.sleep(_FIRST_WAIT_S * 2**attempt)
        raise ServerLost(
            f"no answer from the vLLM server at {self.name}{path}: {type(trouble).__name__}: {trouble}",
            hint="is it running? start it anew, then run again from the last checkpoint",
        ) from trouble


def _said(answer: httpx.Response) -> str:
    return " ".join(answer.text.split())[:500]
