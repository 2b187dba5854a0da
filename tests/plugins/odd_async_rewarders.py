"""Async rewarders that do what real ones must not, so that the service can be seen to survive them."""

import asyncio
import sys
import threading
from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rewarders import Completion, Verdict, rewarder
from rewarders.errors import RewarderFault
from rewarders.tools import Tools
from sandboxes import Program, SandboxLost, SandboxMisconfigured, SandboxUnavailable

SEEN: Counter[str] = Counter()
"""How often each text was looked at."""
UNDER_WAY: list[int] = [0]
"""How many calls were under way, each time one began."""
LEAKED: list[Any] = []
RELEASED = threading.Event()
"""Set by a test to let go of what blocks."""


class Script(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str = "print(2 + 2)"
    stdins: list[str] = Field(default_factory=lambda: [""])


@rewarder("odd.waits", version="1.0")
async def waits(completion: Completion, reference: None, params: BaseModel, tools: Tools) -> Verdict:
    """Do what the completion says; 1 if it says nothing known."""
    SEEN[completion.text] += 1
    UNDER_WAY.append(UNDER_WAY[-1] + 1)
    try:
        return await _obey(completion.text, tools)
    finally:
        UNDER_WAY.append(UNDER_WAY[-1] - 1)


async def _obey(text: str, tools: Tools) -> Verdict:
    word, _, number = text.partition(" ")
    match word:
        case "sleep":
            await asyncio.sleep(float(number))
        case "block":
            RELEASED.wait(60)
        case "raise":
            raise ValueError("as told")
        case "fault":
            raise RewarderFault("as told", retryable=True)
        case "unavailable":
            if SEEN[text] <= int(number):
                raise SandboxUnavailable("no room just now")
        case "lost":
            raise SandboxLost("it vanished")
        case "misconfigured":
            raise SandboxMisconfigured("no such layer")
        case "none":
            return None  # type: ignore[return-value]
        case "leak":
            LEAKED.append(asyncio.create_task(asyncio.sleep(3600)))
        case "exit":
            sys.exit(3)
        case "cancel":
            raise asyncio.CancelledError
        case "stubborn":
            await _stubborn()
        case "recurse":
            return await _obey(text, tools) if sys.getrecursionlimit() else await _obey("", tools)
    return Verdict(score=1.0, reason="done")


async def _stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if LEAKED:
                return
            LEAKED.append("cancelled once")


@rewarder("odd.runs", version="1.0", reference=Script)
async def runs(completion: Completion, reference: Script, params: BaseModel, tools: Tools) -> Verdict:
    """Run the reference's program, once for each of its inputs; the completion says in what company."""
    SEEN[completion.text] += 1
    program = Program(source=reference.source)
    async with tools.sandbox.open(program) as submission:
        outputs = [(await submission.run(stdin.encode())).stdout.decode() for stdin in reference.stdins]
        match completion.text:
            case "a checker beside it":
                outputs.append((await tools.sandbox.run(Program(source="print('checked')"))).stdout.decode())
            case "stubborn":
                await _stubborn()
            case "one left open":
                LEAKED.append(tools.sandbox.open(program))
                LEAKED.append(await LEAKED[-1].__aenter__())
            case "one left running":
                LEAKED.append(asyncio.create_task(tools.sandbox.run(Program(source="while True: pass"))))
                await asyncio.sleep(0.3)
    LEAKED.append(tools.sandbox)
    if completion.text == "linked":
        judge, candidate = (Program(source=source) for source in (JUDGE, CANDIDATE))
        outputs += [result.stdout.decode() for result in await tools.sandbox.run_linked(judge, candidate)]
    return Verdict(score=1.0, reason="ran", evidence={"outputs": list(outputs)})


JUDGE = """
import socket
link = socket.socket(fileno=3)
link.sendall(b"20")
print(link.recv(10).decode())
"""
CANDIDATE = """
import socket
link = socket.socket(fileno=3)
link.sendall(b"%d" % (int(link.recv(10)) * 2))
"""
