"""The client of OpenRLHF 0.11 itself, its module loaded from the installed wheel without the rest of it (CUDA, Ray)."""

import asyncio
import importlib.metadata
import importlib.util
import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PROMPT = "<|im_start|>user\n2 + 2?<|im_end|>\n"


@pytest.fixture(scope="module")
def agent() -> ModuleType:
    (path,) = [file for file in importlib.metadata.files("openrlhf") or () if str(file) == "openrlhf/utils/agent.py"]
    spec = importlib.util.spec_from_file_location("openrlhf_agent", path.locate())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    logs = SimpleNamespace(init_logger=logging.getLogger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "openrlhf.utils.logging_utils", logs)  # its package would load DeepSpeed
        spec.loader.exec_module(module)
    return module


class Letters:
    """A tokenizer of characters; the last token ends a text."""

    def __call__(self, text: str, **_: Any) -> Any:
        import torch

        return {"input_ids": torch.tensor([[ord(letter) for letter in text]])}

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        assert not skip_special_tokens
        return "".join("<|im_end|>" if token == 0 else chr(token) for token in tokens)


class Says:
    """An engine that generates one text."""

    def __init__(self, text: str) -> None:
        tokens = [*(ord(letter) for letter in text), 0]
        output = SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)
        self.answer = SimpleNamespace(outputs=[output])

    async def generate(self, *_: Any, **__: Any) -> Any:
        return self.answer


def rollout(agent: ModuleType, address: str, text: str, label: Any) -> dict[str, Any]:
    sampling = SimpleNamespace(max_tokens=64, logprobs=None)
    executor = agent.SingleTurnAgentExecutor(address)
    done = executor.execute(PROMPT, label, sampling, 1024, Letters(), Says(text))
    output: dict[str, Any] = asyncio.run(done)
    return output


@pytest.mark.parametrize(("text", "reward"), [("It is 4", 1.0), ("It is 5", 0.0)])
def test_a_rollout_of_openrlhf_has_the_reward_of_the_service(agent: ModuleType, url: str, text: str, reward: float):
    done = rollout(agent, f"{url}/openrlhf/math.v1/get_reward", text, "4")
    assert (done["reward"], done["scores"]) == ([reward], [reward])
    assert done["extra_logs"] == {"maths.equal": [reward]}


def test_a_rollout_of_openrlhf_that_we_fail_to_score_has_no_reward(agent: ModuleType, url: str):
    done = rollout(agent, f"{url}/openrlhf/obeys.v1/get_reward", "raise", None)
    assert (done["reward"], done["scores"]) == (None, None)


def test_a_batch_of_any_length_is_answered_to_openrlhf(agent: ModuleType, url: str):
    executor = agent.SingleTurnAgentExecutor([f"{url}/openrlhf/length.v1/get_reward"])
    texts = ["x" * size for size in range(7)]
    (told,) = asyncio.run(executor._fetch_rewards_via_http([PROMPT + one for one in texts], [PROMPT] * 7, [None] * 7))
    assert told["rewards"] == [size / 100 for size in range(7)]
