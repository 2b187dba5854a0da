"""What an async rewarder is handed while its cases are run: a real sandbox here, and nothing that has to be paid for.

`contract("acme.runs", cases="runs.jsonl", tools="env_server.plugin_tools:local")`
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from env_server.adding_judge import AddingJudge, AddingModel
from env_server.app import build_sandbox
from env_server.config import SandboxConfig
from env_server.sandbox_keeper import SandboxKeeper
from env_server.tools import CallTools, Meter, Stopwatch
from rewarders.testing.nursery import HandOut
from rewarders.tools import Judge, RewardModel, Tools
from rewarders.types import Message

_TURNS = 2


class LocalTools(CallTools):
    """A real sandbox; judges and reward models that can add, and know nothing else."""

    def judge(self, name: str) -> Judge:
        """An honest one."""
        return AddingJudge(name)

    def reward_model(self, name: str) -> RewardModel:
        """An honest one."""
        return AddingModel(name)


@asynccontextmanager
async def local() -> AsyncIterator[HandOut]:
    """Tools with the sandbox of a service without a configuration file."""
    keeper, turns = SandboxKeeper(build_sandbox(SandboxConfig(parallel=_TURNS))), asyncio.Semaphore(_TURNS)

    @asynccontextmanager
    async def hand_out(prompt: Sequence[Message]) -> AsyncIterator[Tools]:
        tools = LocalTools(keeper, turns, Meter(), Stopwatch(), prompt=prompt)
        try:
            yield tools
        finally:
            await tools.end()

    await keeper.start()
    try:
        yield hand_out
    finally:
        await keeper.close()
