"""`trainer serve-model`: a real (tiny) reward model behind vLLM's routes, asked by the service's own adapter."""

import asyncio
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import uvicorn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from env_server.config import RewardModelConfig
from env_server.judges.reward_model import ConfiguredRewardModel
from rewarders.errors import ConfigError, ModelFault
from rewarders.types import Message
from trainer.serving_model import create_app, load_reward_model
from trainer.tiny import build_tiny_model

CHARSET = "abcdefghijklmnopqrstuvwxyz .?0123456789\n"
PROMPT = (Message(role="user", content="what is it?"),)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model with a random head."""
    path = tmp_path_factory.mktemp("reward") / "model"
    build_tiny_model(path, CHARSET, hidden=16, layers=1, heads=2, max_positions=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=1)
    model.save_pretrained(path)
    return path


@contextmanager
def served(directory: Path):
    app = create_app(load_reward_model(str(directory), "cpu", "float32"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def rate(url: str, *texts: str, **settings) -> list[float | ModelFault | None]:
    async def run():
        model = ConfiguredRewardModel("default", RewardModelConfig(url=url, model="m", **settings))
        try:
            return await asyncio.gather(*(model.score(PROMPT, text) for text in texts), return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(run())


def alone(directory: Path, text: str) -> float:
    """What the model says of one text by itself, by transformers' own means."""
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    ids = AutoTokenizer.from_pretrained(directory)(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        return float(model(ids).logits[0, 0])


def test_every_text_of_a_batch_gets_the_number_it_would_get_alone(directory: Path):
    texts = ["it is 4.", "no", "a rather longer answer", "so it is. yes"]
    with served(directory) as url:
        pairs = rate(url, *texts)
        turns = rate(url, *texts, route="classify", turn="{content} ")
    chat = "<|user|>what is it?<|end|><|assistant|>{}<|end|>"
    assert pairs == [pytest.approx(alone(directory, chat.format(text)), abs=1e-5) for text in texts]
    assert turns == [pytest.approx(alone(directory, f"what is it? {text} "), abs=1e-5) for text in texts]
    assert len({round(number, 6) for number in pairs}) == 4


def test_a_text_that_is_too_long_is_refused_and_spoils_none_beside_it(directory: Path):
    with served(directory) as url:
        numbers = rate(url, "it is 4.", "x" * 100, "no")
    assert [number is None for number in numbers] == [False, True, False]


def test_a_number_that_is_not_finite_is_a_fault(directory: Path, tmp_path: Path):
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    model.score.weight.data.fill_(float("nan"))
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(directory).save_pretrained(tmp_path)
    with served(tmp_path) as url:
        (fault,) = rate(url, "it is 4.")
    assert isinstance(fault, ModelFault)


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path):
    build_tiny_model(tmp_path, CHARSET, hidden=16, layers=1, heads=2)
    with pytest.raises(ConfigError, match="scalar reward model"):
        load_reward_model(str(tmp_path), "cpu", "float32")
