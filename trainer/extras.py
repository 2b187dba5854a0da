"""Libraries that not every run needs: imported when a run first asks for one."""

import importlib
from typing import Any

from rewarders.errors import ConfigError


def optional(module: str, extra: str) -> Any:
    """Import `module`. Raises ConfigError naming the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{module} cannot be imported: {error}", hint=f"pip install 'assay[{extra}]' (here: '.[{extra}]')"
        ) from error
