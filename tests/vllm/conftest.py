"""Servers last as long as the tests; without vLLM there are none, and every test here says so."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from real_vllm import build_servable_model, run_config

from trainer.config import TrainConfig
from trainer.models import load_policy
from trainer.samplers.building import server_urls

torch.set_num_threads(1)

Serve = Callable[..., tuple[TrainConfig, list[str]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = pytest.mark.skip("there is no vLLM here: `make test` runs these in .venv-vllm, where it is")
    for item in items:
        if find_spec("vllm") is None and Path(__file__).parent in item.path.parents:
            item.add_marker(absent)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("servable")
    build_servable_model(path)
    return path


@pytest.fixture(scope="session")
def serve(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts so many servers of a precision, once; gives the configuration that did, and where they are."""
    known: dict[str, tuple[TrainConfig, list[str]]] = {}
    with ExitStack() as stack:

        def started(dtype: str, count: int = 1) -> tuple[TrainConfig, list[str]]:
            if dtype not in known:
                config = run_config(model, tmp_path_factory.mktemp("run"), dtype, kind="vllm_server", spawn=count)
                urls = stack.enter_context(server_urls(config, load_policy(config.model)))
                known[dtype] = config, list(urls)
            return known[dtype]

        yield started
