"""Weights from GPU to GPU, through vLLM's own transfer engines: NCCL between devices, CUDA IPC on one."""

import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import torch

from rewarders.errors import ConfigError, TrainingError
from trainer.lora import merged_shapes
from trainer.samplers.vllm_adapter import weight_source
from trainer.weights import wire_tensors

_IPC_BUFFER_BYTES = 256 << 20


class Server(Protocol):
    """A vLLM server, which has more than its workers' methods."""

    name: str

    def get(self, path: str) -> Any:
        """A document."""
        ...


class DeviceTransfer:
    """Opens the transfer with the first weights, and keeps it. One that has failed cannot be used again."""

    def __init__(
        self, backend: Literal["nccl", "ipc"], servers: Sequence[Server], dtype: torch.dtype, *, timeout_s: float
    ) -> None:
        if not torch.cuda.is_available():
            raise ConfigError(
                f"sampler.transfer = {backend}: the trainer has no GPU to send from",
                hint="set sampler.transfer to file or shared_memory",
            )
        self._backend, self._servers, self._dtype, self._timeout_s = backend, servers, dtype, timeout_s
        self._engine: Any = None
        self._model: Any = None  # a pipelined run sends another copy each time

    def send(self, model: Any, *, checked: bool) -> None:
        """See `WeightTransfer.send`. NCCL and IPC verify nothing themselves; the servers' checksums do."""
        self._model = model
        try:
            with torch.cuda.device(model.device):  # vLLM sends from the current one
                if self._engine is None:
                    self._engine = self._opened(model)
                self._engine.send_weights()
        except (RuntimeError, OSError, ValueError) as error:  # requests' errors are OSErrors
            raise TrainingError(
                f"weights could not be sent by {self._backend}: {error}",
                hint="the servers may wait for ever now: start them anew, then run again from the last checkpoint",
            ) from error

    def close(self) -> None:
        """Leave the group of devices."""
        if self._engine is not None:
            self._engine.shutdown()

    def _opened(self, model: Any) -> Any:
        from vllm.distributed.weight_transfer import WeightTransferTrainerFactory

        def read() -> Iterator[tuple[str, torch.Tensor]]:
            return wire_tensors(self._model, self._dtype)

        shapes = [(name, self._dtype, shape) for name, shape in merged_shapes(model)]
        client = _Everywhere([server.name for server in self._servers], self._worlds(), self._timeout_s)
        return WeightTransferTrainerFactory.trainer_init(
            init_info=self._init_info(), client=client, source=weight_source(shapes, read)
        )

    def _worlds(self) -> list[int]:
        """Workers behind each server."""
        return [int(server.get("/get_world_size")["world_size"]) for server in self._servers]

    def _init_info(self) -> Any:
        if self._backend == "ipc":
            from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo

            return IPCTrainerInitInfo(rank=0, packed=True, packed_buffer_size_bytes=_IPC_BUFFER_BYTES)
        from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

        address, port = _reachable(self._servers[0].name)
        return NCCLTrainerInitInfo(
            rank=0, master_address=address, master_port=port, world_size=1 + sum(self._worlds()), packed=True
        )


class _Everywhere:
    """vLLM's client of one server, for several: each call goes to all of them at once, as NCCL needs it."""

    def __init__(self, urls: Sequence[str], worlds: Sequence[int], timeout_s: float) -> None:
        from vllm.distributed.weight_transfer import HTTPVLLMWeightSyncClient

        self._clients = [HTTPVLLMWeightSyncClient(url, timeout=timeout_s) for url in urls]
        self._worlds = worlds

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Give each server's workers their places in the group, after the trainer's own."""
        offset, infos = 1, []
        for world in self._worlds:
            infos.append({**init_info, "rank_offset": offset} if "rank_offset" in init_info else init_info)
            offset += world
        self._at_once(lambda client, info: client.init_weight_transfer_engine(info), infos)

    def start_weight_update(self) -> None:
        """Announce weights."""
        self._at_once(lambda client, _: client.start_weight_update())

    def update_weights(self, update_info: Any) -> None:
        """Have the workers receive."""
        self._at_once(lambda client, _: client.update_weights(update_info))

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """Put the weights in place; the sampler names them afterwards."""
        self._at_once(lambda client, _: client.finish_weight_update(weight_version))

    def shutdown_weight_transfer_engine(self) -> None:
        """Release the group."""
        self._at_once(lambda client, _: client.shutdown_weight_transfer_engine())

    def _at_once(self, call: Callable[[Any, Any], None], given: Sequence[Any] = ()) -> None:
        with ThreadPoolExecutor(len(self._clients)) as threads:
            list(threads.map(call, self._clients, given or [None] * len(self._clients)))


def _reachable(url: str) -> tuple[str, int]:
    """Our address on the way to this server, and a free port there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect((urlsplit(url).hostname or "127.0.0.1", 9))  # sends nothing: it only chooses the way
        address = str(route.getsockname()[0])
    with socket.socket() as listener:
        listener.bind((address, 0))
        return address, int(listener.getsockname()[1])
