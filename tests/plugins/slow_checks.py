"""A check of bodies that takes as long as a test wants."""

import os
import time
from pathlib import Path
from typing import Any


def wait_for(body: Any, *, file: Path) -> Any:
    """The body once there is such a file; the process that looks, if it asks `who`."""
    while not file.exists():
        time.sleep(0.005)
    return os.getpid() if body == "who" else body
