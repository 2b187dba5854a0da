"""Weights on their way: what is written, who may read it, and that nothing of it stays."""

import hashlib
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rewarders.errors import ConfigError, TrainingError
from trainer.models import Policy
from trainer.weights import norm_digests, wire_tensors
from trainer.weights import outbox as outboxes
from trainer.weights.device import DeviceTransfer
from trainer.weights.files import FileTransfer, SharedMemoryTransfer
from trainer.weights.outbox import FILE, PREFIX, Outbox
from trainer.weights.streaming import write_tensors
from trainer.weights.worker import SharedWeights, segment

HOLDS = """
import sys, time, torch
from pathlib import Path
from trainer.weights.outbox import Outbox
with Outbox(Path(sys.argv[1])).holding([("a", torch.zeros(3))]):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /dev/shm."""
    from trainer.weights import files, worker

    for module in (outboxes, files, worker):
        monkeypatch.setattr(module, "SHARED_MEMORY", tmp_path)
    return tmp_path


class Reader:
    """An engine with one worker, which keeps what it loaded."""

    name = "the reader"

    def __init__(self, spoil: Callable[[Path], None] = lambda _: None) -> None:
        self.loaded: dict[str, torch.Tensor] = {}
        self.spoil = spoil

    def call(self, method: str, **arguments: Any) -> list[Any]:
        if method == "reload_weights":
            self.loaded = load_file(Path(arguments["weights_path"]) / FILE)
            return [None]
        self.spoil(segment(arguments["name"]))
        worker = type(
            "Worker", (SharedWeights,), {"reload_weights": lambda _, weights_iterator: self.keep(weights_iterator)}
        )
        loader = worker()
        loader.model_runner = SimpleNamespace(get_model=lambda: torch.nn.Linear(1, 1))  # type: ignore[attr-defined]
        return [getattr(loader, method)(**arguments)]

    def keep(self, tensors: Any) -> None:
        self.loaded = dict(tensors)


def test_a_tied_weight_is_sent_once_and_in_the_precision_asked_for(policy: Policy):
    sent = dict(wire_tensors(policy.model, torch.bfloat16))
    assert "model.embed_tokens.weight" in sent
    assert "lm_head.weight" not in sent
    assert {value.dtype for value in sent.values()} == {torch.bfloat16}
    assert not any(value.requires_grad for value in sent.values())


def test_norms_are_digested_as_they_are_sent(policy: Policy):
    digests = norm_digests(policy.model, torch.float32)
    assert len(digests) == 5
    value = policy.model.model.norm.weight.detach().numpy().tobytes()
    assert digests["model.norm.weight"] == hashlib.sha256(value).hexdigest()


@pytest.mark.parametrize("kind", ["file", "shared_memory"])
def test_every_engine_gets_the_weights_and_nothing_stays(policy: Policy, shared_memory: Path, kind: str):
    readers = [Reader(), Reader()]
    transfer = (
        SharedMemoryTransfer(readers, torch.float32)
        if kind == "shared_memory"
        else FileTransfer(readers, shared_memory, torch.float32)
    )
    transfer.send(policy.model, checked=True)
    for reader in readers:
        assert all(torch.equal(reader.loaded[name], value) for name, value in wire_tensors(policy.model, torch.float32))
    assert [path.name for path in shared_memory.glob("*/*")] == ["lock"]
    transfer.close()
    assert not list(shared_memory.iterdir())


def test_an_engine_that_read_something_else_is_named(policy: Policy, shared_memory: Path):
    def overwrite(place: Path) -> None:
        other = {name: value + 1 for name, value in load_file(place / FILE).items()}
        from safetensors.torch import save_file

        save_file(other, place / FILE)
        Path(place / FILE).touch()

    honest, spoilt = Reader(), Reader()
    transfer = SharedMemoryTransfer([honest, spoilt], torch.float32)
    spoilt.call = lambda method, **arguments: [{"digest": "0" * 64}]  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="the reader read other weights than were sent"):
        transfer.send(policy.model, checked=True)
    transfer.send(policy.model, checked=False)
    transfer.close()


def test_weights_that_find_no_room_are_an_error_that_names_the_place(tmp_path: Path):
    outbox = Outbox(tmp_path)
    outbox.close()
    with pytest.raises(TrainingError, match=f"could not be written to {outbox.folder}/1"), outbox.holding([]):
        pass


def test_what_a_killed_trainer_left_is_removed_by_the_next_and_what_a_living_one_holds_is_not(tmp_path: Path):
    processes = [
        subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "holding\n"
        assert len(list(tmp_path.glob(f"{PREFIX}*/1/{FILE}"))) == 2
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        outboxes.sweep(tmp_path)
        assert len(list(tmp_path.glob(f"{PREFIX}*/1/{FILE}"))) == 1
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
    outboxes.sweep(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["", "..", "/etc/passwd", "../x", f"{PREFIX}{'a' * 32}", f"{PREFIX}{'a' * 32}/1/", f"{PREFIX}{'a' * 32}/1\n",
     f"{PREFIX}{'A' * 32}/1", f"{PREFIX}{'a' * 32}/../{PREFIX}{'a' * 32}/1", f"{PREFIX}{'a' * 32}/٣", 7, None, b"x"],
)  # fmt: skip
def test_a_name_that_is_none_of_ours_is_refused(name: Any):
    with pytest.raises(ValueError, match="not the name of a segment"):
        segment(name)


@pytest.mark.parametrize("linked", ["folder", "place", "file"])
def test_a_link_is_refused(shared_memory: Path, tmp_path_factory: pytest.TempPathFactory, linked: str):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "1").mkdir()
    (elsewhere / "1" / FILE).write_bytes(b"")
    folder = shared_memory / f"{PREFIX}{'a' * 32}"
    if linked == "folder":
        folder.symlink_to(elsewhere)
    elif linked == "place":
        folder.mkdir()
        (folder / "1").symlink_to(elsewhere / "1")
    else:
        (folder / "1").mkdir(parents=True)
        (folder / "1" / FILE).symlink_to(elsewhere / "1" / FILE)
    with pytest.raises(ValueError, match="is a link, or somebody else's"):
        segment(f"{folder.name}/1")


def test_a_segment_of_another_user_is_refused(shared_memory: Path, monkeypatch: pytest.MonkeyPatch):
    with Outbox(shared_memory).holding([("a", torch.zeros(1))]) as place:
        name = str(place.relative_to(shared_memory))
        assert segment(name) == place
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        with pytest.raises(ValueError, match="somebody else's"):
            segment(name)


def test_a_packed_copy_of_a_tied_layer_is_made_anew(shared_memory: Path):
    renewed: list[Any] = []
    tied, packed_alone = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    packed_alone.weight = torch.nn.Parameter(torch.empty(0))
    for layer in (tied, packed_alone):
        layer.cpu_linear, layer.quant_method = print, SimpleNamespace(process_weights_after_loading=renewed.append)  # type: ignore[assignment]
    worker = SharedWeights()
    model = torch.nn.ModuleList([tied, packed_alone, torch.nn.Linear(2, 2)])
    worker.model_runner = SimpleNamespace(get_model=lambda: model)  # type: ignore[attr-defined]
    worker.renew_packed_copies()
    assert renewed == [tied]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here; tests/gpu sends from it")
@pytest.mark.parametrize("backend", ["nccl", "ipc"])
def test_sending_between_gpus_needs_one(backend: Any):
    with pytest.raises(ConfigError, match=f"sampler.transfer = {backend}: the trainer has no GPU"):
        DeviceTransfer(backend, [], torch.float32, timeout_s=1)


def test_tensors_that_are_written_one_by_one_are_read_as_they_were(tmp_path):
    drawn = torch.Generator().manual_seed(0)
    tensors = {
        "a.weight": torch.randn(3, 5, generator=drawn),
        "b": torch.randn(7, generator=drawn).bfloat16(),
        "c": torch.randn(4, 6, generator=drawn).t(),
        "d": torch.zeros(0, 2),
        "scalar": torch.tensor(2.5),
    }
    alive: list[weakref.ref[torch.Tensor]] = []

    def one_by_one() -> Iterator[tuple[str, torch.Tensor]]:
        for name in tensors:
            assert not any(ref() is not None for ref in alive[:-1]), "an earlier tensor is still held"
            value = tensors[name].clone()
            alive.append(weakref.ref(value))
            yield name, value

    write_tensors(tmp_path / "model.safetensors", one_by_one())
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == tensors.keys()
    assert all(value.equal(tensors[name]) and value.dtype == tensors[name].dtype for name, value in found.items())


def test_weights_that_are_no_floating_point_numbers_are_refused_by_name(tmp_path):
    with pytest.raises(TrainingError, match=r"weight counts is torch\.int64"):
        write_tensors(tmp_path / "model.safetensors", [("counts", torch.zeros(2, dtype=torch.long))])
