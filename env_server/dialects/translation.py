"""What every dialect has in common: labels become references, chat messages become ours. Imports no server."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from env_server.schemas import RawItem, ScoredItem
from rewarders import strict_json
from rewarders.digests import digest
from rewarders.errors import InvalidTask
from rewarders.strict_json import NotStrictError

_MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id")


def reference_of(label: Any) -> Any:
    """A task's reference: an object as it is, nothing where there is no label, anything else as its `answer`.

    Several acceptable answers, a list of text, stay a list; another value is its JSON text, so that 4 is `"4"`.
    """
    if label is None or label == "" or isinstance(label, dict):
        return label or None
    listed = isinstance(label, list) and all(isinstance(one, str) for one in label)
    return {"answer": label if isinstance(label, str) or listed else json.dumps(label, ensure_ascii=False)}


def label_of(label: Any, json_labels: bool, max_values: int = 100_000) -> Any:
    """The label; where the run says that its labels are JSON, what its text spells. Tables need that for objects whose
    fields differ from row to row: they would give each row the fields of all.

    Raises:
        InvalidTask: the text is no strict JSON, or holds more than `max_values` values.
    """
    if not json_labels or not isinstance(label, str) or not label:
        return label
    try:
        return strict_json.parse(label, max_values=max_values)
    except NotStrictError as error:
        raise InvalidTask("a label is not the JSON that json_labels says it is", field="label") from error


def plain(value: Any) -> Any:
    """The same value as JSON has it: arrays and numbers of numpy, which Parquet files are read as, become Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def messages_of(said: Any) -> list[dict[str, Any]]:
    """A text, or a conversation in the shape of chat templates, as messages; of parts, those that are text."""
    if not isinstance(said, list):
        return [{"role": "user", "content": said}]
    return [_message(turn) if isinstance(turn, dict) else {"role": "user", "content": turn} for turn in said]


def completion_of(said: Any) -> dict[str, Any]:
    """A completion of a text or a conversation."""
    return spoken(messages_of(said)) if isinstance(said, list) else {"text": said}


def spoken(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A completion of messages: its text is what the assistant said last, and they are kept where they are more."""
    text = last_words(turns)
    alone = not turns or list(turns) == [{"role": "assistant", "content": text}]
    return {"text": text} if alone else {"text": text, "messages": turns}


def last_words(turns: Sequence[Mapping[str, Any]]) -> str:
    """What the assistant said last, aside from calling tools and thinking; nothing where it never did."""
    assistant = (turn for turn in reversed(turns) if turn.get("role") == "assistant" and not turn.get("name"))
    return next((turn["content"] for turn in assistant if turn.get("content")), "")


def item_of(rubric: str, prompt: Any, completion: dict[str, Any], label: Any, source: str) -> RawItem:
    """An item of `POST /v1/score`. The task's id is made of its content, since no dialect sends one."""
    task = {"prompt": messages_of(prompt), "rubric": rubric, "reference": reference_of(label)}
    named = {"id": f"{source}:{digest(task)[:32]}", "source": source, **task}
    return {"task": named, "completion": completion}


def without_end_marks(text: str, marks: Sequence[str]) -> str:
    """The text without the tokens that ended it, however often they stand there. Linear in its length."""
    end, ending = len(text), tuple(mark for mark in marks if mark)
    while text.endswith(ending, 0, end):
        end -= next(len(mark) for mark in ending if text.endswith(mark, 0, end))
    return text[:end]


def component_names(rewarders: Sequence[str]) -> list[str]:
    """A name for each part of a rubric: one that stands there twice is told apart by its place, `maths.equal#2`."""
    return [
        name if (place := rewarders[: index + 1].count(name)) == 1 else f"{name}#{place}"
        for index, name in enumerate(rewarders)
    ]


def contributions(item: ScoredItem) -> dict[str, float]:
    """What each component added to the reward, by its name; in this order they add up to it exactly."""
    names = component_names([part.rewarder for part in item.components])
    return {name: part.contribution for name, part in zip(names, item.components, strict=True)}


def fault_of(item: ScoredItem) -> str:
    """Why an item was left unscored, in a line."""
    return f"{item.fault.kind}: {item.fault.message}" if item.fault else "no fault was given"


def _message(turn: dict[str, Any]) -> dict[str, Any]:
    message = {field: turn[field] for field in _MESSAGE_FIELDS if turn.get(field) is not None}
    if isinstance(message.get("content"), list):
        message["content"] = "".join(text_of(part) for part in message["content"])
    return message


def text_of(part: Any) -> str:
    """The text of one part of a message, a refusal's too, if it has any."""
    text = part.get("text", part.get("refusal")) if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""
