"""A record as a person reads it: what was asked, what was answered, what was said of it, and where it stands. Pure.

Text from elsewhere stays text: no markup, no control characters, and no more of it than fits.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from env_server.terminal import plain

_MOST_CHARS = 4000
"""Of one text; `--json` has all of it."""


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """Lines for the console, marked up."""
    yield f"[bold]{plain(record['id'])}[/]  {plain(record['kind'])}  {plain(record['at'])}"
    yield from _facts(record)
    if record["erased"]:
        yield "[yellow]erased[/]: the row, the reward and the proof are all that is left"
        yield from _text("  because", record.get("erased_by") or "no record says why")
    task, completion = record.get("task"), record.get("completion")
    yield from _task(task) if task else ()
    yield from _completion(completion) if completion else ()
    yield from _reward(record)
    yield from _notes(record)
    place = record["place"]
    yield _heading("place")
    yield f"  number {place['seq']} of {plain(place['writer'] or '')}"
    yield f"  leaf {place['leaf']}"


def _facts(record: Mapping[str, Any]) -> Iterator[str]:
    named = ("about", "tenant", "run", "step", "group", "sample", "task_id", "rubric", "status", "service")
    facts = [f"{name} {plain(str(record[name]))}" for name in named if record.get(name) is not None]
    if facts:
        yield "  " + ", ".join(facts)


def _task(task: Mapping[str, Any]) -> Iterator[str]:
    yield _heading("request")
    for message in task.get("prompt") or ():
        yield from _message(message)
    if task.get("reference") is not None:
        yield from _text("reference", task["reference"])


def _completion(completion: Mapping[str, Any]) -> Iterator[str]:
    for message in completion.get("messages") or ():
        yield from _message(message)
    ended = completion.get("finish_reason")
    yield _heading(f"output ({ended})" if ended else "output")
    yield from _text("", completion.get("text", ""))


def _message(message: Mapping[str, Any]) -> Iterator[str]:
    yield from _text(str(message.get("role", "")), message.get("content"))
    for call in message.get("tool_calls") or ():
        yield from _text("calls", call)


def _reward(record: Mapping[str, Any]) -> Iterator[str]:
    breakdown = record.get("breakdown")
    if record["kind"] == "reward":
        yield _heading("reward")
        yield f"  [bold]{record['reward']}[/]"
    if record.get("explanation"):
        yield from _text("", record["explanation"])
    for component in breakdown["components"] if breakdown else ():
        yield from _component(component)
    if record.get("redactions"):
        yield from _text("redacted", record["redactions"])
    if record.get("detail"):
        yield _heading("says")
        yield from _text("", record["detail"])


def _component(component: Mapping[str, Any]) -> Iterator[str]:
    verdict, fault = component["verdict"], component["fault"]
    said = f"[red]{plain(fault['kind'])}[/]" if fault else f"{verdict['score']:g} {plain(verdict['reason'])}"
    paid = "gate" if component["gate"] else f"weight {component['weight']:g}"
    name = plain(f"{component['rewarder']} {component['version']}")
    yield f"  {name}: {said}  ({paid}, contributes {component['contribution']:g})"
    told = {"message": fault["message"]} if fault else verdict["evidence"]
    yield from _text("  evidence", told) if told else ()


def _notes(record: Mapping[str, Any]) -> Iterator[str]:
    if record["notes"]:
        yield _heading("said of it later")
    for note in record["notes"]:
        rest = {name: value for name, value in note.items() if name not in ("id", "kind", "at")}
        yield from _text(f"{note['kind']} {note['at']}", rest)


def _heading(name: str) -> str:
    return f"\n[cyan]{plain(name)}[/]"


def _text(name: str, value: Any) -> Iterator[str]:
    """A text, or anything else as JSON, indented under its name."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    label = f"[dim]{plain(name)}[/] " if name else ""
    for line in text[:_MOST_CHARS].split("\n"):
        yield f"  {label}{plain(line)}"
        label = "  " if name else ""
    if len(text) > _MOST_CHARS:
        yield f"  [dim]… {len(text) - _MOST_CHARS} more characters: --json[/]"
