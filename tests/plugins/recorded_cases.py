"""The cases of every pure rewarder that ships, as items to be scored: a mixed bag for replays."""

import json
from importlib import resources
from typing import Any

from rewarders.digests import digest
from rewarders.registry import Registry
from rewarders.testing.cases import Case


def mixed_bag(count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Rubrics, one for each rewarder and params, and items by turns of each rewarder, each with a text of its own."""
    rubrics: dict[str, Any] = {}
    pure = [spec.name for spec in Registry.load(["assay"]) if not spec.is_async]
    piles = [[_item(rubrics, name, case) for case in _cases(name)] for name in pure]
    return rubrics, [_taken(piles[place % len(piles)], place // len(piles)) for place in range(count)]


def _cases(rewarder: str) -> list[Case]:
    text = (resources.files("rewarders.cases") / f"{rewarder}.jsonl").read_text("utf-8")
    rows = (json.loads(line) for line in text.splitlines() if line.strip())
    cases = [Case.model_validate(row) for row in rows if row["kind"] != "about"]
    return [case for case in cases if case.kind not in ("bad_task", "bad_params", "fault")]


def _item(rubrics: dict[str, Any], rewarder: str, case: Case) -> dict[str, Any]:
    name = f"{rewarder}.{digest(case.params)[-12:]}.v1"
    rubrics[name] = {"parts": [{"rewarder": rewarder, "params": case.params}]}
    task = {"id": f"{rewarder}/{case.id}", "prompt": [{"role": "user", "content": case.prompt}], "rubric": name}
    if case.reference is not None:
        task["reference"] = case.reference
    return {"task": task, "completion": case.asked.document}


def _taken(pile: list[dict[str, Any]], turn: int) -> dict[str, Any]:
    """One after the other; a second time round, with a text that differs a little."""
    item, turn = pile[turn % len(pile)], turn // len(pile)
    if turn == 0:
        return item
    completion = {**item["completion"], "text": f"{item['completion']['text']}{' ' * turn}"}
    return {**item, "completion": completion, "group": f"turn-{turn}"}
