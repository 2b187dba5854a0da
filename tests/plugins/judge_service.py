"""Judges as a service builds them, asked about one text."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from env_server.calling import Call, Caller
from env_server.config import CalibrationConfig, JudgeConfig, RewardModelConfig
from env_server.judges.calibrations import Calibrations
from env_server.judges.judge import ConfiguredJudge
from env_server.judges.keeper import ModelKeeper
from env_server.judges.memory import Memory
from env_server.judges.reward_model import ConfiguredRewardModel
from env_server.sandbox_keeper import SandboxKeeper
from env_server.worker_process import Reply
from rewarders.registry import Registry
from rewarders.types import Message

REGISTRY = Registry.load(["assay"])


def judge_config(url: str, **settings: Any) -> JudgeConfig:
    return JudgeConfig.model_validate({"url": url, "model": "m", "tries": 2, "timeout_s": 20, **settings})


@asynccontextmanager
async def models(judges: dict[str, JudgeConfig] | None = None, reward: RewardModelConfig | None = None, data_dir=None):
    memory = Memory(data_dir)
    asked = {name: ConfiguredJudge(name, config, memory) for name, config in (judges or {}).items()}
    rated = {"default": ConfiguredRewardModel("default", reward)} if reward else {}
    keeper = ModelKeeper(asked, rated, Calibrations.load(CalibrationConfig(required=False)), memory)
    try:
        yield keeper
    finally:
        await keeper.close()


def a_call(rewarder: str, text: str, params: dict[str, Any], reference: Any = None, prompt: str = "Q") -> Call:
    spec = REGISTRY.get(rewarder)
    assert spec is not None
    document = {"text": text, "finish_reason": "stop"}
    asked = (Message(role="user", content=prompt),)
    return Call(spec, document, spec.read_reference(reference or {}), params, asked)


async def answered(keeper: ModelKeeper, call: Call) -> Reply:
    caller = Caller(SandboxKeeper(None), keeper, asyncio.Semaphore(1), 60.0)
    return await caller.answer(call)


def judged(config: JudgeConfig, rewarder: str, *texts: str, params=None, reference=None, prompt="Q") -> list[Reply]:
    """Each text, one after another, with judges of their own."""

    async def run() -> list[Reply]:
        async with models({"default": config}) as keeper:
            return [await answered(keeper, a_call(rewarder, text, params or {}, reference, prompt)) for text in texts]

    return asyncio.run(run())
