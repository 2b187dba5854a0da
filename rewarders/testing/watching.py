"""What a rewarder reaches for while it is asked: files, sockets, programs, threads, environment variables. In the
prober's process alone.

Python's audit hooks (PEP 578) see it happen, but for what is read of the environment: `os.environ` tells of itself.
They cannot be removed, and they are no wall: this is a watch for mistakes, in a process that exists for it; walls are
the sandbox's business.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

MOST_EVENTS = 20
_CODE = (".py", ".pyc", ".so", ".pyi")
_WATCHED = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.remove",
    "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.putenv",
    "os.unsetenv", "os.kill", "shutil.", "tempfile.", "sqlite3.", "urllib.", "http.", "ftplib.", "_thread.start",
)  # fmt: skip
_FILES = ("open", "os.listdir", "os.scandir")
_READ_VARIABLE = "os.environ"
_FOR_ALL = frozenset({"PATH", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ"})
"""What the standard library reads on anybody's behalf; that none of them changes a verdict is seen elsewhere."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


class Watch:
    """Notes what happens below the frames of `marker`, and not in the packages that tools are made of."""

    def __init__(self, own: Path | None, marker: str, tools: frozenset[str]) -> None:
        """Installs the hook, for the rest of the process.

        Args:
            own: the rewarder's package; data that comes with it may be read.
            marker: name of the function that asks the rewarder.
            tools: top-level packages whose own doing is not the rewarder's.
        """
        self._roots = tuple(os.path.realpath(root) for root in (sys.prefix, sys.base_prefix, own) if root)
        self._paths = frozenset(os.path.realpath(entry) for entry in sys.path)
        self._marker, self._tools = marker, tools
        self._on, self.events = False, list[str]()
        sys.addaudithook(self._hook)
        _tell_what_is_read_of(self._hook)

    @contextmanager
    def noting(self) -> Iterator[list[str]]:
        """What happens meanwhile."""
        self.events, self._on = [], True
        try:
            yield self.events
        finally:
            self._on = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or len(self.events) >= MOST_EVENTS:
            return
        self._on = False  # what looking into it takes is ours
        try:
            if self._is_news(event, arguments) and self._is_the_rewarders(sys._getframe(1)):
                self.events.append(f"{event} {str(arguments[0])[:120] if arguments else ''}".strip())
        finally:
            self._on = True

    def _is_news(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == _READ_VARIABLE:
            return arguments[0] not in _FOR_ALL
        if event not in _FILES:
            return event.startswith(_WATCHED)
        path = arguments[0]
        if not isinstance(path, str | bytes):
            return not isinstance(path, int)
        where = os.path.realpath(os.fsdecode(path))
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            return True
        return not (where.startswith(self._roots) or where in self._paths or where.endswith(_CODE))

    def _is_the_rewarders(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_name == self._marker and frame.f_globals.get("__name__") == "__main__":
                return True
            module = str(frame.f_globals.get("__name__", ""))
            if module.partition(".")[0] in self._tools or module == "importlib._bootstrap":
                return False  # importing is done once, and looks around: it is not a part of judging
            frame = frame.f_back
        return False


def _tell_what_is_read_of(hook: Callable[[str, tuple[Any, ...]], None]) -> None:
    """Every variable that is looked up is an event from now on."""
    original = type(os.environ)

    class Told(original):  # type: ignore[misc,valid-type]
        def __getitem__(self, name: Any) -> Any:
            hook(_READ_VARIABLE, (os.fsdecode(name) if isinstance(name, str | bytes) else "?",))
            return super().__getitem__(name)

        def __iter__(self) -> Iterator[Any]:
            hook(_READ_VARIABLE, ("all of them",))
            yield from super().__iter__()

    for environment in (os.environ, os.environb):
        environment.__class__ = Told
