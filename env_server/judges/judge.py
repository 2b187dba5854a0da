"""A language model behind an OpenAI-compatible endpoint, as a judge: asked once for each question there is."""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from env_server.config import JudgeConfig
from env_server.judges.endpoint import Endpoint, Refused, Unanswered
from env_server.judges.memory import Memory, key_of
from env_server.judges.spending import Account, Purse, Usage
from env_server.observing.tallies import JudgeTally
from rewarders.digests import digest
from rewarders.errors import JudgeFault
from rewarders.llm_judge.question import PROMPT_VERSION, UNANSWERED, JudgeReply, Question
from rewarders.llm_judge.reading import PARSER_VERSION, TokenChoice, Unreadable, probabilities, read

_NONCE_BYTES = 8
_MAX_TOKENS_KEPT = 8192
"""Of log-probabilities on the record; a longer reply is recorded without."""
_LEAST_LOGPROB = -1e4
_MOST_TOKENS = 1 << 40
_GREETING = [{"role": "user", "content": "Hello."}]
_WITHOUT_ANSWER = {"length": "cut_off", "content_filter": "refused"} | {
    code: code for code in ("refused", UNANSWERED, "no_message")
}
"""Why there is nothing to be read, by how the exchange ended."""
_TELLING = {
    *("url", "model", "temperature", "resample_temperature", "max_tokens", "response_format", "top_logprobs", "extra")
}
"""Settings that can change what a judge answers; the others say how it is reached and spared."""
_Asked = tuple[str | None, str, int]
"""Tenant, digest of the question, number of the sample."""


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
        self.tally = JudgeTally()
        self._memory = memory
        self.endpoint = endpoint or Endpoint(f"judge {name}", config, JudgeFault)
        self._url = f"{config.url.rstrip('/')}/chat/completions"
        self._reported: dict[str, Any] | None = None
        self._under_way: dict[_Asked, asyncio.Task[Exchange]] = {}

    @property
    def identity(self) -> str:
        """Digest of all that makes it this judge, with what the endpoint last said of itself."""
        return self._identity(self._reported)

    def _identity(self, reported: dict[str, Any] | None) -> str:
        settings = self.config.model_dump(mode="json", include=_TELLING)
        return digest([settings, PROMPT_VERSION, PARSER_VERSION, reported])

    async def ask(
        self, question: Question, sample: int = 0, *, fresh: bool = False, tenant: str | None = None
    ) -> Exchange:
        """Ask, join whoever of the tenant is asking the same just now, or remember. Raises JudgeFault."""
        key = (tenant, question.digest, sample)
        if fresh:
            return await self._ask(question, sample, tenant)
        if known := self._remembered(question, sample, tenant):
            self.tally.remembered += 1
            return known
        if joined := self._under_way.get(key):
            self.tally.remembered += 1
            exchange = await asyncio.shield(joined)
            return Exchange(exchange.reply, {**exchange.record, "cached": True})
        asking = asyncio.create_task(self._ask(question, sample, tenant))
        self._under_way[key] = asking
        asking.add_done_callback(lambda task: self._forget(key, task))
        return await asyncio.shield(asking)  # whoever asked may go; the others want to know

    async def close(self) -> None:
        """End what is under way, and the connections."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self.endpoint.close()

    def _forget(self, key: _Asked, task: "asyncio.Task[Exchange]") -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # nobody may be left to be told

    def _remembered(self, question: Question, sample: int, tenant: str | None) -> Exchange | None:
        """Nothing until the endpoint has said in this process who it is, which is part of the key."""
        record = self._memory.reply(key_of(tenant, self.identity, question.digest, sample))
        return Exchange(reply_of(question, record), {**record, "cached": True}) if record else None

    async def _ask(self, question: Question, sample: int, tenant: str | None) -> Exchange:
        nonce = secrets.token_hex(_NONCE_BYTES)
        body = self._body(question, nonce, sample)
        account = Account(self.purse, _most(body))
        began = time.monotonic()
        answered = await self._counted(body, account)
        reported = answered["reported"]
        record = {
            "judge": self.name,
            "identity": self._identity(reported),
            "question": question.digest,
            "sample": sample,
            "nonce": nonce,
            "request": body,
            **answered,
            "tokens": account.spent.__dict__,
            "money": self.purse.price(account.spent),
            "wall_s": round(time.monotonic() - began, 3),
        }
        reply = reply_of(question, record)
        if reply.answers is not None:
            self._memory.keep(key_of(tenant, record["identity"], question.digest, sample), record)
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

    async def _counted(self, body: dict[str, Any], account: Account) -> dict[str, Any]:
        """As `_answered`; whatever comes of it is counted."""
        self.tally.asked += 1
        try:
            return await self._answered(body, account)
        finally:
            self.tally.tokens += account.spent.total
            self.tally.money += self.purse.price(account.spent)

    async def _answered(self, body: dict[str, Any], account: Account) -> dict[str, Any]:
        """What of the endpoint's answer goes on the record. Raises JudgeFault: there is nobody to answer."""
        try:
            document = await self.endpoint.post(self._url, body, account)
        except Refused as error:
            account.give_back()  # nobody bills what they refuse
            if self._reported is None:
                await self._greet()  # or the record would tell of another judge than the same one's next answer
            return self._nothing("refused", str(error))
        except Unanswered as error:
            await self._greet()
            return self._nothing(UNANSWERED, str(error))
        account.settle(_counted(document) or _most(body))
        self._reported = _reported(document)
        choices = document.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            return self._nothing("no_message", "its answer is no chat completion")
        text, finish = _encodable(choice["message"].get("content")), _encodable(choice.get("finish_reason"))
        return {
            "reported": self._reported,
            "reply": text or "",
            "finish_reason": finish if text is not None else "refused",
            "logprobs": _kept_logprobs(choice.get("logprobs")),
            "usage": document.get("usage"),
        }

    def _nothing(self, why: str, said: str = "") -> dict[str, Any]:
        """What is recorded of an exchange without a message."""
        return {"reported": self._reported, "reply": "", "finish_reason": why, "refusal": said, "logprobs": None}

    async def _greet(self) -> None:
        """Learn who is there. Raises JudgeFault: nobody, so it was no text that kept the endpoint from answering."""
        body = {**self.config.extra, "model": self.config.model, "messages": _GREETING, "max_tokens": 1}
        account = Account(self.purse, _most(body))
        document = await self.endpoint.greet(self._url, body, account)
        if not document:
            return account.give_back()
        account.settle(_counted(document) or _most(body))
        self._reported = _reported(document)


def reply_of(question: Question, record: dict[str, Any]) -> JudgeReply:
    """Read a recorded reply. Pure: a record gives the same answers for ever."""
    judge, nonce, text = record["judge"], record["nonce"], record["reply"]
    if problem := _WITHOUT_ANSWER.get(record["finish_reason"]):
        instead = record.get("refusal", "").partition(":")[0]  # behind the status may be what was asked
        return JudgeReply(judge, nonce, text, problem=problem, instead=instead)
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


def _most(body: dict[str, Any]) -> Usage:
    """What the request can take: no tokenizer makes more tokens of a text than it has bytes."""
    return Usage(len(json.dumps(body).encode()), body["max_tokens"])


def _counted(document: dict[str, Any]) -> Usage | None:
    """As the endpoint counted, if it did."""
    counted = document.get("usage")
    names = ("prompt_tokens", "completion_tokens")
    numbers = [counted.get(name) for name in names] if isinstance(counted, dict) else []
    if not numbers or not all(type(number) is int and 0 <= number < _MOST_TOKENS for number in numbers):
        return None
    return Usage(*(int(number or 0) for number in numbers))


def _reported(document: dict[str, Any]) -> dict[str, Any]:
    """Who the endpoint says that it is."""
    return {name: _encodable(document.get(name)) for name in ("model", "system_fingerprint")}


def _encodable(value: Any) -> Any:
    """A lone surrogate cannot be recorded; what is no text becomes none."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None
