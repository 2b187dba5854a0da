"""What can be held of the GPU transfers without a GPU: that vLLM still has what they are built of."""

from typing import Any

import pytest
import torch
from real_vllm import build_servable_model

from trainer.config import ModelSection
from trainer.models import load_policy
from trainer.samplers.vllm_adapter import weight_source
from trainer.weights import device, wire_tensors


def test_a_source_of_weights_is_one_for_vllm(tmp_path: Any):
    from vllm.distributed.weight_transfer import WeightSource

    build_servable_model(tmp_path)
    model = load_policy(ModelSection(path=str(tmp_path), device="cpu")).model
    shapes = [(name, torch.bfloat16, tuple(value.shape)) for name, value in model.named_parameters()]
    source = weight_source(shapes, lambda: wire_tensors(model, torch.bfloat16))
    assert isinstance(source, WeightSource)
    told = source.metadata() if callable(source.metadata) else source.metadata
    for _ in range(2):  # each update iterates anew
        sent = list(source)
        assert [(meta.name, meta.dtype, meta.shape) for meta in told] == [
            (name, value.dtype, tuple(value.shape)) for name, value in sent
        ]


class Server:
    def __init__(self, name: str, workers: int) -> None:
        self.name, self._workers = name, workers

    def get(self, path: str) -> Any:
        assert path == "/get_world_size"
        return {"world_size": self._workers}


@pytest.fixture
def two_servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return [Server("http://127.0.0.1:1", 2), Server("http://127.0.0.1:2", 4)]


@pytest.mark.parametrize(("backend", "fields"), [("nccl", {"world_size": 7}), ("ipc", {})])
def test_vllm_takes_what_a_transfer_is_opened_with(two_servers: list[Server], backend: Any, fields: dict[str, int]):
    info = device.DeviceTransfer(backend, two_servers, torch.bfloat16, timeout_s=1)._init_info()
    assert (info.backend, info.rank, info.packed) == (backend, 0, True)
    assert {name: getattr(info, name) for name in fields} == fields


def test_every_worker_of_every_server_has_a_place_in_the_group():
    from vllm.distributed.weight_transfer import VLLMWeightSyncClient

    everywhere = device._Everywhere(["http://127.0.0.1:1", "http://127.0.0.1:2"], [2, 4], 1.0)
    assert isinstance(everywhere, VLLMWeightSyncClient)
    given: list[Any] = []
    for client in everywhere._clients:
        client.init_weight_transfer_engine = given.append
    everywhere.init_weight_transfer_engine({"rank_offset": 1, "world_size": 7})
    assert sorted(info["rank_offset"] for info in given) == [1, 3]
    assert {info["world_size"] for info in given} == {7}
