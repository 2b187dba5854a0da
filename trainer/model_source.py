"""Where a model's files are: a directory, or a hub."""

from dataclasses import dataclass
from pathlib import Path

from rewarders.digests import digest
from rewarders.errors import ConfigError
from trainer.config import ModelSection
from trainer.extras import optional

_OFFLINE = "offline, give model.path a directory, or load the model once where there is a network"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What `from_pretrained` is given."""

    path: str
    """A directory, or an id of Hugging Face's hub."""
    revision: str | None = None

    @property
    def hint(self) -> str:
        """What to do where they cannot be loaded."""
        if Path(self.path).is_dir():
            return "it has to be a directory that `save_pretrained` wrote, tokenizer included"
        return _OFFLINE


def model_files(config: ModelSection) -> ModelFiles:
    """The files of the configured model; those of ModelScope are downloaded.

    Raises:
        ConfigError: ModelScope's library is not installed, or the model cannot be had from it.
    """
    if Path(config.path).expanduser().is_dir():
        return ModelFiles(str(Path(config.path).expanduser()))
    if config.source == "huggingface":
        return ModelFiles(config.path, config.revision or None)
    hub = optional("modelscope.hub.snapshot_download", "modelscope")
    try:
        return ModelFiles(hub.snapshot_download(config.path, revision=config.revision or None))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.path = {config.path}, source = modelscope: {str(error).partition(chr(10))[0][:300]}",
            hint=_OFFLINE,
        ) from error


def chat_template(config: ModelSection) -> str | None:
    """The template that takes the place of the model's own, if one does. Raises ConfigError where it cannot be read."""
    if config.chat_template is None:
        return None
    try:
        return config.chat_template.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"model.chat_template = {config.chat_template}: {error}") from error


def template_digest(config: ModelSection) -> dict[str, str]:
    """What a checkpoint has to agree with in place of the template's file name."""
    template = chat_template(config)
    return {} if template is None else {"model.chat_template": digest(template)}
