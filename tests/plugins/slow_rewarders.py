"""Rewarders that take their time, and leave a mark when they begin: to kill a service in the middle of a batch."""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from rewarders import Completion, Verdict, rewarder


class Place(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: Path
    seconds: float = 0.05


@rewarder("slow.vowels", version="1.0", params=Place, cpu_budget_s=5)
def vowels(completion: Completion, reference: None, params: Place) -> Verdict:
    """Share of the letter a, some time after it was asked; a text that ends with d cannot be scored."""
    (params.folder / "begun").touch()
    time.sleep(params.seconds)
    if completion.text.endswith("d"):
        raise ValueError("as told")
    return Verdict(score=completion.text.count("a") / max(1, len(completion.text)), reason="counted")


@rewarder("slow.length", version="1.0", cpu_budget_s=5)
def length(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Length in tens, at most 1."""
    return Verdict(score=min(1.0, len(completion.text) / 10), reason="measured")


@rewarder("slow.gated", version="1.0", params=Place, cpu_budget_s=5)
def gated(completion: Completion, reference: None, params: Place) -> Verdict:
    """1 as soon as there is a file `go` in the folder."""
    while not (params.folder / "go").exists():
        time.sleep(params.seconds)
    return Verdict(score=1.0, reason="waited")


@rewarder("slow.talks", version="1.0", cpu_budget_s=5)
def talks(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """1, with nearly as much evidence as there may be."""
    return Verdict(score=1.0, reason="said", evidence={"said": "x" * 16_000})
