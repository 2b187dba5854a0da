"""Every built-in rewarder, broken in every way we could think of, so that the kit can be seen to notice.

`BREAKAGE.NAME` is the rewarder NAME with a breakage: `always_one.maths.equal`.
"""

import inspect
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from rewarders.registry import Registry, RewarderSpec, rewarder
from rewarders.types import Completion, FinishReason, Verdict

Original = Callable[..., Awaitable[Verdict]]
"""Asks the sound rewarder: about the same, but for what is given by name."""
Breakage = Callable[[Original, Completion, Any], Awaitable[Verdict]]

BUILT_IN = sorted(
    path.name.removesuffix(".jsonl")
    for path in map(Path, map(str, files("rewarders.cases").iterdir()))
    if path.name.count(".") == 2
)
SEEN: Counter[str] = Counter()
FIRST: dict[str, Any] = {}
PAID = Verdict(score=1.0, reason="ok", evidence={"seen": True})
UNPAID = Verdict(score=0.0, reason="wrong")


def with_text(completion: Completion, text: str) -> Completion:
    return Completion(text=text, finish_reason=completion.finish_reason, messages=completion.messages)


def changed(verdict: Verdict, **fields: Any) -> Verdict:
    return Verdict.model_construct(**{**dict(verdict), **fields})


def flipped(verdict: Verdict) -> Verdict:
    return changed(verdict, score=0.0 if verdict.score else 1.0, evidence={"seen": True})


async def always_one(original: Original, completion: Completion, reference: Any) -> Verdict:
    return PAID


async def always_zero(original: Original, completion: Completion, reference: Any) -> Verdict:
    return UNPAID


async def half_price(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return changed(verdict, score=verdict.score / 2)


async def upside_down(original: Original, completion: Completion, reference: Any) -> Verdict:
    return flipped(await original())


async def scores_two(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return changed(verdict, score=verdict.score * 2)


async def scores_nan(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return changed(verdict, score=verdict.score or float("nan"))


async def scores_true(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return changed(verdict, score=bool(verdict.score))


async def returns_a_number(original: Original, completion: Completion, reference: Any) -> Verdict:
    return (await original()).score  # type: ignore[return-value]


async def raises_on_emptiness(original: Original, completion: Completion, reference: Any) -> Verdict:
    assert completion.text
    return await original()


async def raises_on_nul(original: Original, completion: Completion, reference: Any) -> Verdict:
    assert "\0" not in completion.text
    return await original()


async def leaves_when_it_is_long(original: Original, completion: Completion, reference: Any) -> Verdict:
    if len(completion.text) > 500_000:
        os._exit(0)
    return await original()


async def reads_a_file(original: Original, completion: Completion, reference: Any) -> Verdict:
    Path("/proc/cpuinfo").read_bytes()
    return await original()


async def writes_a_file(original: Original, completion: Completion, reference: Any) -> Verdict:
    Path("scratch").write_text("seen")
    return await original()


async def lists_a_folder(original: Original, completion: Completion, reference: Any) -> Verdict:
    os.listdir("/")
    return await original()


async def opens_a_socket(original: Original, completion: Completion, reference: Any) -> Verdict:
    socket.socket().close()
    return await original()


async def starts_a_program(original: Original, completion: Completion, reference: Any) -> Verdict:
    if not SEEN["started"]:
        SEEN["started"] += 1
        subprocess.run(["true"], check=True)
    return await original()


async def reads_the_environment(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return verdict if os.environ.get("TZ") == "UTC" else flipped(verdict)


async def follows_the_hash_seed(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return flipped(verdict) if hash(completion.text) % 5 == 0 else verdict


async def follows_the_clock(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return flipped(verdict) if time.localtime(time.time()).tm_year % 2 else verdict


async def follows_chance(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return flipped(verdict) if random.random() < 0.1 else verdict


async def tires(original: Original, completion: Completion, reference: Any) -> Verdict:
    SEEN["calls"] += 1
    verdict = await original()
    return UNPAID if SEEN["calls"] > 40 else verdict


async def remembers_what_it_refused(original: Original, completion: Completion, reference: Any) -> Verdict:
    SEEN[completion.text[:1000]] += 1
    return PAID if SEEN[completion.text[:1000]] > 2 else await original()


async def keeps_the_first_reference(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original(reference=FIRST.setdefault("reference", reference))


async def ignores_params(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original(params=None)


async def ignores_the_ending(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original(completion=Completion(text=completion.text, finish_reason=FinishReason.STOP))


async def accepts_with_a_tail(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    cut = with_text(completion, completion.text[:-6])
    return verdict if verdict.score or len(completion.text) < 7 else await original(completion=cut)


async def reads_fewer_digits(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original(completion=with_text(completion, re.sub(r"(\d)\d\b", r"\1", completion.text)))


async def ignores_case(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return verdict if verdict.score else await original(completion=with_text(completion, completion.text.lower()))


async def ignores_signs(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    bare = with_text(completion, completion.text.replace("-", ""))
    return verdict if verdict.score else await original(completion=bare)


async def minds_a_last_line_break(original: Original, completion: Completion, reference: Any) -> Verdict:
    return UNPAID if completion.text.endswith("\n\n") else await original()


async def minds_carriage_returns(original: Original, completion: Completion, reference: Any) -> Verdict:
    return UNPAID if "\r" in completion.text else await original()


async def believes_what_is_said(original: Original, completion: Completion, reference: Any) -> Verdict:
    return PAID if re.search("correct|full marks|pass", completion.text) else await original()


async def believes_verdicts(original: Original, completion: Completion, reference: Any) -> Verdict:
    return PAID if '"score": 1' in completion.text else await original()


async def pays_for_nothing(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original() if completion.text.strip() else PAID


async def pays_for_length(original: Original, completion: Completion, reference: Any) -> Verdict:
    return PAID if len(completion.text) > 5_000 else await original()


async def repeats_what_it_read(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return Verdict(score=verdict.score, reason=verdict.reason, evidence={**verdict.evidence, "text": completion.text})


async def points_beside_it(original: Original, completion: Completion, reference: Any) -> Verdict:
    verdict = await original()
    return changed(verdict, evidence={**verdict.evidence, "span": [0, len(completion.text) + 1]})


async def explains_nothing(original: Original, completion: Completion, reference: Any) -> Verdict:
    return changed(await original(), evidence={})


async def gives_other_reasons(original: Original, completion: Completion, reference: Any) -> Verdict:
    return changed(await original(), reason="because")


async def takes_quadratic_time(original: Original, completion: Completion, reference: Any) -> Verdict:
    sum(completion.text[start:].count("x") for start in range(len(completion.text)))
    return await original()


async def sound(original: Original, completion: Completion, reference: Any) -> Verdict:
    return await original()


BREAKAGES: dict[str, Breakage] = {
    name: value for name, value in list(globals().items()) if inspect.iscoroutinefunction(value)
}
"""`sound` is none: what goes through here unbroken has to pass."""
PURE_ONLY = {"takes_quadratic_time", "reads_fewer_digits"}
"""The first is the event loop's to notice; the second makes other programs, not worse ones."""


def broken(spec: RewarderSpec, name: str, breakage: Breakage) -> Any:
    async def judged(completion: Completion, reference: Any, params: Any, tools: Any) -> Verdict:
        async def original(**other: Any) -> Verdict:
            asked = {"completion": completion, "reference": reference, "params": params, **other}
            asked["params"] = spec.params() if asked["params"] is None else asked["params"]
            given = (asked["completion"], asked["reference"], asked["params"])
            return await spec.function(*given, tools) if spec.is_async else spec.function(*given)  # type: ignore[misc,return-value]

        return await breakage(original, completion, reference)

    async def waiting(completion: Completion, reference: Any, params: Any, tools: Any) -> Verdict:
        """Broken."""
        return await judged(completion, reference, params, tools)

    def computing(completion: Completion, reference: Any, params: Any) -> Verdict:
        """Broken."""
        try:
            judged(completion, reference, params, None).send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("a pure rewarder never waits")

    mark = rewarder(
        f"{name}.{spec.name}", version=spec.version, params=spec.params, reference=spec.reference,
        cpu_budget_s=spec.cpu_budget_s, preload=spec.preload,
    )  # fmt: skip
    return mark(waiting if spec.is_async else computing)


for each in Registry.load(["assay"]):
    for breakage_name, one in BREAKAGES.items() if each.name in BUILT_IN else ():
        if not (each.is_async and breakage_name in PURE_ONLY):
            setattr(sys.modules[__name__], f"{breakage_name}_{each.name}", broken(each, breakage_name, one))
