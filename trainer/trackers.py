"""Where figures and samples go besides the run directory: TensorBoard, Weights & Biases, trackio.

Each is behind the same three calls and imported only where it is asked for. A run that goes on keeps its name there,
and steps that are taken a second time are not sent twice: `sent` is the last step that the run had logged before.
"""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal, Protocol

from rewarders.errors import ConfigError
from trainer.atomic import write_atomically
from trainer.extras import optional
from trainer.section import Section

_COLUMNS = ("step", "task_id", "prompt", "completion", "reward", "advantage", "components", "record_id")


class TrackingSection(Section):
    """[tracking]: who is told about a run while it goes on."""

    to: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ("tensorboard",)
    """Trackers, each of which gets every figure of metrics.jsonl and timings.jsonl and the rollouts that are kept."""
    project: str = "assay"
    """Project of the run, in wandb and trackio."""
    name: str = ""
    """What the run is called there; `run.id` when left empty."""
    mode: Literal["offline", "online"] = "offline"
    """Offline nothing leaves the machine: wandb writes below the run directory, for `wandb sync` to send later, and so
    does trackio, for `TRACKIO_DIR=<run>/trackio trackio show`. Online, wandb sends, and trackio needs `space`."""
    space: str = ""
    """Hugging Face Space that trackio sends to when it is online."""


class Tracker(Protocol):
    """Takes figures and samples of one run, step by step."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step."""
        ...

    def samples(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rollouts of a step, as lines of rollouts.jsonl have them."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


def open_trackers(
    section: TrackingSection, directory: Path, config: Mapping[str, Any], *, done: int, sent: int
) -> list[Tracker]:
    """The trackers of the run in `directory`, which goes on after step `done`.

    Args:
        section: which ones, and under what names.
        directory: of the run.
        config: the resolved configuration, to be shown beside the run.
        done: training steps done.
        sent: the last step that was ever logged; it may be later than `done` after a kill.

    Raises:
        ConfigError: a tracker is not installed, or cannot be reached.
    """
    known: dict[str, Callable[..., Tracker]] = {"tensorboard": _TensorBoard, "wandb": _Wandb, "trackio": _Trackio}
    return [known[name](section, directory, config, done=done, sent=sent) for name in dict.fromkeys(section.to)]


class _TensorBoard:
    def __init__(
        self, section: TrackingSection, directory: Path, config: Mapping[str, Any], *, done: int, sent: int
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(directory / "tensorboard"), purge_step=done + 1 if done else 0)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def samples(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Indented, so that TensorBoard's Markdown shows what a model wrote and does not obey it."""
        for place, row in enumerate(rows):
            text = json.dumps(dict(_cells(row)), indent=1, ensure_ascii=False)
            self._writer.add_text(f"rollouts/{place}", "    " + text.replace("\n", "\n    "), step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(
        self, section: TrackingSection, directory: Path, config: Mapping[str, Any], *, done: int, sent: int
    ) -> None:
        self._wandb, self._sent = optional("wandb", "wandb"), sent
        with _unreachable(section, "wandb", self._wandb.Error):
            self._run = self._wandb.init(
                project=section.project,
                name=section.name or config["run"]["id"],
                id=_name_for_good(directory),
                dir=str(directory),
                mode=section.mode,
                config=dict(config),
                resume="allow" if section.mode == "online" else None,
                settings=self._wandb.Settings(console="off", silent=True, disable_git=True, save_code=False),
            )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        if step > self._sent:
            self._run.log(dict(values), step=step)

    def samples(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        if step > self._sent:
            data = [[value for _, value in _cells(row)] for row in rows]
            self._run.log({"rollouts": self._wandb.Table(columns=list(_COLUMNS), data=data)}, step=step)

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(
        self, section: TrackingSection, directory: Path, config: Mapping[str, Any], *, done: int, sent: int
    ) -> None:
        if section.mode == "online" and not section.space:
            raise ConfigError("tracking.mode = online: trackio needs tracking.space", hint='for instance "me/runs"')
        os.environ.setdefault("TRACKIO_DIR", str(directory / "trackio"))
        self._trackio, self._sent = optional("trackio", "trackio"), sent
        with _unreachable(section, "trackio", OSError, ValueError), redirect_stdout(sys.stderr):
            self._run = self._trackio.init(
                project=section.project,
                name=f"{section.name or config['run']['id']}-{_name_for_good(directory)}",
                space_id=section.space if section.mode == "online" else None,
                config=dict(config),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        if step > self._sent:
            self._run.log(dict(values), step=step)

    def samples(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        if step > self._sent:
            table = self._trackio.Table(data=[dict(_cells(row)) for row in rows])
            self._run.log({"rollouts": table}, step=step)

    def close(self) -> None:
        with redirect_stdout(sys.stderr):  # stdout is for the trainer's own answer
            self._trackio.finish()


def _cells(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a table shows of a rollout: numbers as they are, everything else as text."""
    for name in _COLUMNS:
        value = row.get(name)
        yield name, value if isinstance(value, int | float | str) or value is None else _text(name, value)


def _text(name: str, value: Any) -> str:
    if name == "prompt":
        return "\n".join(f"{message['role']}: {message.get('content', '')}" for message in value)
    return "; ".join(_component(part) for part in value)


def _component(part: Mapping[str, Any]) -> str:
    said = f"{part['verdict']['score']:.3g} {part['verdict']['reason']}" if part["verdict"] else "fault"
    return f"{part['rewarder']} {said}, contributes {part['contribution']:.3g}"


def _name_for_good(directory: Path) -> str:
    """A random name that the run in this directory keeps."""
    path = directory / "tracking_id"
    if not path.exists():
        write_atomically(path, uuid.uuid4().hex[:12])
    return path.read_text("utf-8")


@contextmanager
def _unreachable(section: TrackingSection, name: str, *kinds: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kinds as error:
        raise ConfigError(
            f"tracking.mode = {section.mode}: {name} cannot be opened: {str(error)[:300]}",
            hint="log in with its own tool, or set tracking.mode = offline",
        ) from error
