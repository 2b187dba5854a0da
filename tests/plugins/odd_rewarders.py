"""Rewarders that do what real ones must not, so that the service can be seen to survive them."""

import ctypes
import os
import signal
import sys
import time

from pydantic import BaseModel, ConfigDict, field_validator

from rewarders import Completion, Verdict, rewarder


class Reference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    answer: str


@rewarder("odd.length", version="1.0", cpu_budget_s=0.5)
def length(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Score min(1, characters / 100): trivial and always right."""
    return Verdict(score=min(1.0, len(completion.text) / 100), reason="measured")


@rewarder("odd.echo", version="1.0", reference=Reference, cpu_budget_s=0.5)
def echo(completion: Completion, reference: Reference, params: BaseModel) -> Verdict:
    """1 if the completion is the answer."""
    return Verdict(score=float(completion.text == reference.answer), reason="compared")


class FussyReference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    answer: str

    @field_validator("answer")
    @classmethod
    def _fuss(cls, answer: str) -> str:
        return {"raise": {}["SECRET"]}[answer] if answer == "raise" else answer


@rewarder("odd.leaks", version="1.0", reference=FussyReference, cpu_budget_s=0.5)
def leaks(completion: Completion, reference: FussyReference, params: BaseModel) -> Verdict:
    """Raise an exception whose message is the reference."""
    return Verdict(score=float(reference.answer), reason="done")


_HOARD: list[bytearray] = []


@rewarder("odd.hoards", version="1.0", cpu_budget_s=0.5)
def hoards(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Keep 150 MiB of every call."""
    _HOARD.append(bytearray(150 * 1024**2))
    return Verdict(score=1.0, reason="done")


@rewarder("odd.obeys", version="1.0", cpu_budget_s=0.3)
def obeys(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Do what the completion says; 1 if it says nothing known."""
    match completion.text:
        case "raise":
            raise ValueError("as told")
        case "none":
            return None  # type: ignore[return-value]
        case "burn":
            while True:
                pass
        case "burn in C":
            return Verdict(score=1.0, reason="done", evidence={"digits": len(str(3 ** (3**18)))})
        case "hog":
            return Verdict(score=1.0, reason="done", evidence={"bytes": len(bytearray(8 * 1024**3))})
        case "recurse":
            return obeys(completion, reference, params) if sys.getrecursionlimit() else obeys(completion, None, params)
        case "sleep":
            time.sleep(60)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "print":
            print("into the protocol")  # noqa: T201
    return Verdict(score=1.0, reason="done")
