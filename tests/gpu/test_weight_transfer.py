"""Weights from GPU to GPU through vLLM's own engines: the trainer on one device, a server on another or the same."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from real_vllm import build_servable_model, differences_after_syncs, run_config, sampling

GPUS = torch.cuda.device_count()
pytestmark = [
    pytest.mark.skipif(GPUS == 0, reason="NOT TESTED HERE: sending weights by NCCL and CUDA IPC needs a GPU"),
    pytest.mark.skipif(find_spec("vllm") is None, reason="NOT TESTED HERE: there is no vLLM in this environment"),
]


@pytest.mark.parametrize(
    ("backend", "device"),
    [
        pytest.param("nccl", "cuda:1", marks=pytest.mark.skipif(GPUS < 2, reason="NCCL needs a GPU for each side")),
        ("ipc", "cuda:0"),
    ],
)
def test_log_probabilities_agree_after_every_one_of_fifty_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, device: str
):
    if backend == "ipc":
        monkeypatch.setenv("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")  # handles travel pickled, on this machine alone
    build_servable_model(tmp_path / "model")
    config = run_config(tmp_path / "model", tmp_path / "run", "bfloat16", kind="vllm_server", spawn=1, transfer=backend)
    config = config.model_copy(update={"model": config.model.model_copy(update={"device": device})})
    with sampling(config) as (policy, sampler):
        assert max(differences_after_syncs(policy, sampler, 50, temperature=1.0)) <= 0.0104
