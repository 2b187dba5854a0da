"""Data sets of Hugging Face and ModelScope, and Parquet, JSON, CSV and Arrow files. Alone to import `datasets`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rewarders.errors import ConfigError
from trainer.data.section import HubSource
from trainer.extras import optional

_READERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv", ".arrow": "arrow"}
_OFFLINE = "offline, give `path` a directory or file of this disk, or load it once where there is a network"


def split_rows(source: HubSource, split: str) -> Iterable[Mapping[str, Any]]:
    """The rows of one split, in order.

    Raises:
        ConfigError: the library is not installed, or the data set cannot be had; the message names the source.
    """
    datasets = optional("datasets", "data")
    try:
        rows: Iterable[Mapping[str, Any]] = datasets.load_dataset(split=split, **_place(source))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        built = isinstance(error, datasets.exceptions.DatasetBuildError)
        reason = str((built and error.__cause__) or error).strip().partition("\n")[0][:300]
        raise ConfigError(
            f"data source {source.name}: {source.path}, split {split!r}: {reason}",
            hint="" if Path(source.path).expanduser().exists() else _OFFLINE,
        ) from error
    return rows


def _place(source: HubSource) -> dict[str, Any]:
    """Where the data set is, as `load_dataset` takes it."""
    path = Path(source.path).expanduser()
    if path.is_file():
        if path.suffix not in _READERS:
            raise ConfigError(f"data source {source.name}: {path} is none of {', '.join(_READERS)}")
        name = re.split(r"[\[+]", source.split)[0] or "train"  # `train[:100]` is of train; a file is one split
        return {"path": _READERS[path.suffix], "data_files": {name: str(path)}}
    found: dict[str, Any] = {"path": str(path)}
    if not path.is_dir():
        found = _on_hub(source)
    return found | ({"name": source.config} if source.config else {})


def _on_hub(source: HubSource) -> dict[str, Any]:
    revision = source.revision or None
    if source.kind == "huggingface":
        return {"path": source.path, "revision": revision}
    hub = optional("modelscope.hub.snapshot_download", "modelscope")
    return {"path": hub.dataset_snapshot_download(source.path, revision=revision)}
