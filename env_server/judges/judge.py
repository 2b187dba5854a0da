"""A language model behind an OpenAI-compatible endpoint, as a judge: asked once for each question there is."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from env_server.config import JudgeConfig
from env_server.judges.endpoint import Endpoint, Refused
from env_server.judges.memory import Memory
from env_server.judges.spending import Purse, Usage, estimated
from rewarders.digests import digest
from rewarders.errors import JudgeFault
from rewarders.llm_judge.question import PROMPT_VERSION, JudgeReply, Question
from rewarders.llm_judge.reading import PARSER_VERSION, TokenChoice, Unreadable, probabilities, read

_NONCE_BYTES = 8
_MAX_TOKENS_KEPT = 8192
"""Of log-probabilities on the record; a longer reply is recorded without."""
_LEAST_LOGPROB = -1e4
_MOST_TOKENS = 1 << 40
_TELLING = {
    *("url", "model", "temperature", "resample_temperature", "max_tokens", "response_format", "top_logprobs", "extra")
}
"""Settings that can change what a judge answers; the others say how it is reached and spared."""


@dataclass(frozen=True)
class Exchange:
    """A question, what was answered, and everything that a replay needs."""

    reply: JudgeReply
    record: dict[str, Any]


class ConfiguredJudge:
    """One `[judges.NAME]`. Used on one event loop."""

    def __init__(self, name: str, config: JudgeConfig, memory: Memory, endpoint: Endpoint | None = None) -> None:
        """Nothing is sent yet. Raises ConfigError when the key cannot be read."""
        self.name, self.config = name, config
        self.purse = Purse(name, config, memory)
        self._memory = memory
        self._endpoint = endpoint or Endpoint(f"judge {name}", config, JudgeFault)
        self._reported: dict[str, Any] | None = None
        self._under_way: dict[tuple[str, int], asyncio.Task[Exchange]] = {}

    @property
    def identity(self) -> str:
        """Digest of all that makes it this judge, with what the endpoint last said of itself."""
        settings = self.config.model_dump(mode="json", include=_TELLING)
        return digest([settings, PROMPT_VERSION, PARSER_VERSION, self._reported])

    async def ask(self, question: Question, sample: int = 0, *, fresh: bool = False) -> Exchange:
        """Ask, join whoever is asking the same just now, or remember. Raises JudgeFault."""
        key = (question.digest, sample)
        if fresh:
            return await self._ask(question, sample)
        if known := self._remembered(question, sample):
            return known
        if joined := self._under_way.get(key):
            exchange = await asyncio.shield(joined)
            return Exchange(exchange.reply, {**exchange.record, "cached": True})
        asking = asyncio.create_task(self._ask(question, sample))
        self._under_way[key] = asking
        asking.add_done_callback(lambda task: self._forget(key, task))
        return await asyncio.shield(asking)  # whoever asked may go; the others want to know

    async def close(self) -> None:
        """End what is under way, and the connections."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._endpoint.close()

    def _forget(self, key: tuple[str, int], task: "asyncio.Task[Exchange]") -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # nobody may be left to be told

    def _remembered(self, question: Question, sample: int) -> Exchange | None:
        """Nothing until the endpoint has said in this process who it is, which is part of the key."""
        record = self._memory.reply(self._key(question, sample))
        return Exchange(reply_of(question, record), {**record, "cached": True}) if record else None

    def _key(self, question: Question, sample: int) -> str:
        return digest([self.identity, question.digest, sample])

    async def _ask(self, question: Question, sample: int) -> Exchange:
        nonce = secrets.token_hex(_NONCE_BYTES)
        body = self._body(question, nonce, sample)
        prompt_chars = sum(len(message["content"]) for message in body["messages"])
        began = time.monotonic()
        with self.purse.hold(prompt_chars):
            answered = await self._answered(body)
            usage = _usage(answered, prompt_chars)
            self.purse.pay(usage)
        record = {
            "judge": self.name,
            "identity": self.identity,
            "reported": self._reported,
            "question": question.digest,
            "sample": sample,
            "nonce": nonce,
            "request": body,
            **answered,
            "tokens": usage.__dict__,
            "money": self.purse.price(usage),
            "wall_s": round(time.monotonic() - began, 3),
        }
        reply = reply_of(question, record)
        if reply.answers is not None:
            self._memory.keep(self._key(question, sample), record)
        return Exchange(reply, {**record, "problem": reply.problem, "cached": False})

    def _body(self, question: Question, nonce: str, sample: int) -> dict[str, Any]:
        config = self.config
        schema = {"name": "verdict", "strict": True, "schema": question.form.schema(nonce)}
        formats: dict[str, dict[str, Any]] = {
            "json_schema": {"response_format": {"type": "json_schema", "json_schema": schema}},
            "json_object": {"response_format": {"type": "json_object"}},
            "text": {},
        }
        return {
            **config.extra,
            "model": config.model,
            "messages": question.messages(nonce),
            "temperature": config.resample_temperature if sample else config.temperature,
            "seed": sample,
            "max_tokens": config.max_tokens,
            **formats[config.response_format],
            **({"logprobs": True, "top_logprobs": config.top_logprobs} if config.top_logprobs else {}),
        }

    async def _answered(self, body: dict[str, Any]) -> dict[str, Any]:
        """What of the endpoint's answer goes on the record."""
        url = f"{self.config.url.rstrip('/')}/chat/completions"
        try:
            document = await self._endpoint.post(url, body)
        except Refused as error:
            return {"reply": "", "finish_reason": "refused", "refusal": str(error), "logprobs": None}
        choices = document.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise JudgeFault(f"judge {self.name} at {url} answered without a message; it speaks another protocol")
        self._reported = {name: _encodable(document.get(name)) for name in ("model", "system_fingerprint")}
        text, finish = _encodable(choice["message"].get("content")), _encodable(choice.get("finish_reason"))
        reply = {"reply": text or "", "finish_reason": finish if text is not None else "refused"}
        return {**reply, "logprobs": _kept_logprobs(choice.get("logprobs")), "usage": document.get("usage")}


def reply_of(question: Question, record: dict[str, Any]) -> JudgeReply:
    """Read a recorded reply. Pure: a record gives the same answers for ever."""
    judge, nonce, text = record["judge"], record["nonce"], record["reply"]
    cut = {"length": "cut_off", "refused": "refused", "content_filter": "refused"}.get(record["finish_reason"])
    if cut:
        return JudgeReply(judge, nonce, text, problem=cut)
    try:
        answers = read(question.form, text, nonce)
    except Unreadable as error:
        return JudgeReply(judge, nonce, text, problem=str(error))
    spelled, tokens = _tokens(text, record["logprobs"])
    return JudgeReply(judge, nonce, text, answers, probabilities=probabilities(question.form, spelled, tokens))


def _kept_logprobs(logprobs: Any) -> list[dict[str, Any]] | None:
    """Token by token as OpenAI's protocol has them; None where they are not, or are too many to keep."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or len(content) > _MAX_TOKENS_KEPT:
        return None
    kept = [_kept_token(token) for token in content]
    return None if None in kept else [token for token in kept if token is not None]


def _kept_token(token: Any) -> dict[str, Any] | None:
    if not isinstance(token, dict) or not isinstance(token.get("token"), str):
        return None
    top: list[list[Any]] = []
    for one in token.get("top_logprobs") or [token]:
        text, value = (one.get("token"), one.get("logprob")) if isinstance(one, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(value, int | float) or not value <= 1:
            return None
        top.append([_encodable(text), float(max(value, _LEAST_LOGPROB))])
    return {"token": _encodable(token["token"]), "bytes": token.get("bytes"), "top": top}


def _tokens(text: str, logprobs: list[dict[str, Any]] | None) -> tuple[str, Sequence[TokenChoice]]:
    """The reply and its tokens in one spelling: byte by byte where the endpoint gives bytes, for a token may end
    within a character."""
    if not logprobs:
        return text, ()
    alternatives = [tuple((word, value) for word, value in token["top"]) for token in logprobs]
    spelled = [token["token"] for token in logprobs]
    if "".join(spelled) != text and all(isinstance(token["bytes"], list) for token in logprobs):
        try:
            spelled = [bytes(token["bytes"]).decode("latin-1") for token in logprobs]
        except (ValueError, TypeError):
            return text, ()
        text = text.encode().decode("latin-1")
    return text, [TokenChoice(word, choice) for word, choice in zip(spelled, alternatives, strict=True)]


def _usage(answered: dict[str, Any], prompt_chars: int) -> Usage:
    """As the endpoint counted, or else as its texts are long."""
    counted = answered.get("usage")
    numbers = (
        [counted.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(counted, dict) else []
    )
    if len(numbers) == 2 and all(type(number) is int and 0 <= number < 1 << 40 for number in numbers):
        return Usage(*(int(number or 0) for number in numbers))
    return Usage(estimated(prompt_chars), estimated(len(answered["reply"])))


def _encodable(value: Any) -> Any:
    """A lone surrogate cannot be recorded; what is no text becomes none."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
