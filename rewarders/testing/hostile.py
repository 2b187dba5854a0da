"""Texts that hurt: long, deep, unbalanced, invisible. All deterministic, none a right answer.

No lone surrogates: the service refuses a body that holds one.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from rewarders.testing.cases import Case, Suite
from rewarders.types import Completion, FinishReason, Message

_LONG = 1_000_000
_VERY_LONG = 10_000_000


def hostile(task: Case) -> Iterator[tuple[str, Case]]:
    """Each with its name, as answers to a task."""
    for name, text in _texts():
        yield name, task.model_copy(update={"completion": text})
    called = Completion(text="", finish_reason=FinishReason.TOOL, messages=_messages())
    yield "a tool call and no text", task.model_copy(update={"completion": called})


def endings(task: Case) -> Iterator[tuple[str, Case]]:
    """A right answer that ended in each way in which a policy can end: how that is judged is the rewarder's affair."""
    for reason in FinishReason:
        completion = Completion(text=task.asked.text, finish_reason=reason, policy_version="a policy")
        yield f"ended by {reason}", task.model_copy(update={"completion": completion})


def cut_short(suite: Suite) -> Iterator[tuple[str, Case]]:
    """Right answers that were cut in the middle of what makes them right."""
    for task in suite.tasks[: suite.about.tasks]:
        text = task.asked.text
        where = text.rfind(task.gold) + len(task.gold) // 2 if task.gold else len(text) // 2
        completion = Completion(text=text[: max(where, 0)], finish_reason=FinishReason.LENGTH)
        yield f"{task.id}, cut short", task.model_copy(update={"completion": completion})


def _texts() -> Iterator[tuple[str, str]]:
    yield "ten megabytes of one letter", "a" * _VERY_LONG
    for name, unit in _UNITS.items():
        yield f"a megabyte of {name}", unit * (_LONG // len(unit))
    yield "a deep nest", "[" * 200_000 + "]" * 200_000
    yield "a deep nest of braces", "{" * 200_000 + "}" * 200_000
    yield "an unclosed box over a megabyte", "\\boxed{" + "1+" * (_LONG // 2)
    yield "all sorts of characters", "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    yield "one combining character after another", "e" + "\u0301" * 100_000


_UNITS = {
    "digits": "9",
    "opening brackets": "(",
    "boxes that open": "\\boxed{",
    "boxes": "\\boxed{1} ",
    "tags that open": "<think>",
    "answers in tags": "<answer>1</answer>",
    "fences": "```\n",
    "citations": "[1] ",
    "quotation marks": '"',
    "unclosed citations": '"a quotation of some length" [',
    "spaces and breaks": " \n",
    "sentences": "It is so. ",
    "NUL characters": "\0",
    "zero-width spaces": "\u200b",
    "right-to-left marks": "\u202e\u2066",
    "backslashes": "\\",
    "sums": "1+",
    "powers": "2^",
    "JSON that opens": '{"a":',
}


def _messages() -> tuple[Message, ...]:
    call: JsonValue = {
        "id": "1",
        "type": "function",
        "function": {"name": "run", "arguments": '{"command": "rm -rf /"}'},
    }
    return (
        Message(role="assistant", content=None, tool_calls=[call]),
        Message(role="tool", content="done", tool_call_id="1"),
    )


HOSTILE = tuple(name for name, _ in hostile(Case(id="any", kind="zero")))
"""Their names, by which each can be exempted."""
