"""Builds the image that the docker backend runs programs in, out of this machine's own files: no registry is asked.

`python -m sandboxes.runner_image` puts in the interpreter that runs this with its standard library, the shared
libraries they need, Bash with some everyday commands, and pytest; everything lies where it lies on this machine. The
image's id, which goes into the configuration, is written to standard output. The same files make the same id.

Exit codes: 0 the image is there; 1 it cannot be made here; 2 asked wrongly; 3 the engine gave no answer.
"""

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from sandboxes.errors import SandboxFault, SandboxMisconfigured
from sandboxes.inside import kernel
from sandboxes.policy import base_python

TAG = "assay-runner:latest"
LANGUAGES = ("python", "bash", "pytest")
"""What can be collected here. For others, bring an image: see `docs/sandboxes.md`."""
_COMMANDS = (
    "awk", "base64", "basename", "bash", "bc", "cat", "chmod", "cksum", "cmp", "comm", "cp", "cut", "date",
    "dd", "diff", "dirname", "du", "echo", "egrep", "env", "expand", "expr", "factor", "false", "fgrep", "find",
    "fmt", "fold", "grep", "head", "id", "join", "ln", "ls", "md5sum", "mkdir", "mkfifo", "mktemp", "mv", "nl",
    "nproc", "numfmt", "od", "paste", "pr", "printf", "pwd", "readlink", "realpath", "rev", "rm", "rmdir",
    "sed", "seq", "sh", "sha1sum", "sha256sum", "shuf", "sleep", "sort", "split", "stat", "sum", "tac", "tail",
    "tee", "test", "timeout", "touch", "tr", "true", "truncate", "tsort", "uname", "unexpand", "uniq", "wc",
    "xargs", "yes",
)  # fmt: skip
_LEFT_OUT = re.compile(
    r"tests?|idlelib|tkinter|turtledemo|lib2to3|ensurepip|site-packages|dist-packages|config-.*"
    r"|_(test|tkinter|xx).*\.so|.*\.opt-[12]\.pyc"
)
"""Of the standard library, what no program here has a use for."""
_FOLDERS = {"dev": 0o755, "proc": 0o755, "sys": 0o755, "etc": 0o755, "tmp": 0o1777}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LIBRARY = re.compile(r"(?:=> |^\s+)(/\S+) \(0x", re.MULTILINE)


class Tree:
    """What goes into the image: where it lies there, and where it comes from."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.links: dict[str, str] = {}

    def add(self, path: Path, at: Path | None = None) -> None:
        """Add a file, or a folder with what is in it, at its own place or another. Links on the way come along."""
        if at is None and (link := _first_link(path)):
            target = os.readlink(link)
            self.links[str(link)] = target
            self.add(Path(os.path.normpath(link.parent / target / path.relative_to(link))))
        elif path.is_dir():
            for inner in sorted(path.iterdir()):
                if not _LEFT_OUT.fullmatch(inner.name):
                    self.add(inner, at / inner.name if at else None)
        else:
            self.files[str(at or path)] = path

    def add_shared_libraries(self) -> None:
        """Add what the files so far are linked against. Raises SandboxMisconfigured when `ldd` is missing."""
        linked = [str(path) for path in self.files.values() if _is_elf(path)]
        try:
            said = subprocess.run(
                ["ldd", *linked], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
            )
        except OSError as error:
            raise SandboxMisconfigured(f"ldd, which comes with the C library, cannot be run: {error}") from error
        for library in sorted(set(_LIBRARY.findall(said.stdout))):
            self.add(Path(library))

    def write(self, layer: IO[bytes]) -> None:
        """As a tar archive, sorted, owned by root. Times are kept, because compiled Python names its source's."""
        with tarfile.open(fileobj=layer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, mode in sorted(self._folders().items()):
                archive.addfile(_entry(name, tarfile.DIRTYPE, mode))
            for link, target in sorted(self.links.items()):
                archive.addfile(_entry(link, tarfile.SYMTYPE, 0o777, linkname=target))
            for name, path in sorted(self.files.items()):
                with path.open("rb") as content:
                    about = os.fstat(content.fileno())
                    mode = 0o755 if about.st_mode & 0o100 else 0o644
                    entry = _entry(name, tarfile.REGTYPE, mode, size=about.st_size, mtime=int(about.st_mtime))
                    archive.addfile(entry, content)

    def _folders(self) -> dict[str, int]:
        needed = {str(parent).lstrip("/") for name in (*self.files, *self.links) for parent in Path(name).parents}
        return {**dict.fromkeys(needed - {""}, 0o755), **_FOLDERS}


def collect(languages: Sequence[str]) -> Tree:
    """This machine's files for the languages; Python's are always there, because the sandbox itself runs on them.

    Raises:
        SandboxMisconfigured: something that was asked for is not installed.
    """
    tree = Tree()
    python = Path(base_python())
    paths = _paths_of(python)
    tree.add(python)
    tree.links["/usr/local/bin/python3"] = str(python)
    for name in ("stdlib", "platstdlib"):
        tree.add(Path(paths[name]))
    if "bash" in languages:
        for command in filter(None, map(shutil.which, _COMMANDS)):
            tree.add(Path(command))
        tree.add(Path("/bin/sh"))
    if "pytest" in languages:
        for source, relative in _installed("pytest"):
            tree.add(source, Path(paths["purelib"]) / relative)
    tree.add_shared_libraries()
    return tree


def pack(tree: Tree, tag: str, image: IO[bytes]) -> None:
    """Write the tree as an archive for `docker load`. Nothing in it depends on when it was made."""
    with tempfile.TemporaryFile() as layer:
        tree.write(layer)
        layer.seek(0)
        digest = hashlib.file_digest(layer, "sha256").hexdigest()
        config = json.dumps(
            {
                "architecture": _ARCHITECTURES[kernel.MACHINE], "os": "linux", "created": "1970-01-01T00:00:00Z",
                "config": {}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            }
        ).encode()  # fmt: skip
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
        with tarfile.open(fileobj=image, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path, content in ((name, config), ("manifest.json", manifest)):
                archive.addfile(_entry(path, tarfile.REGTYPE, 0o644, size=len(content)), io.BytesIO(content))
            size = layer.seek(0, os.SEEK_END)
            layer.seek(0)
            archive.addfile(_entry("layer.tar", tarfile.REGTYPE, 0o644, size=size), layer)


def build(languages: Sequence[str] = LANGUAGES, tag: str = TAG) -> str:
    """Build the image and load it into the engine; its id, `sha256:...`.

    Raises:
        SandboxMisconfigured: something is not installed, or no engine can be used.
        SandboxUnavailable: the engine failed.
    """
    from sandboxes.docker_engine import Engine

    engine = Engine()
    with tempfile.TemporaryFile() as image:
        pack(collect(languages), tag, image)
        image.seek(0)
        return engine.load(image)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        "python -m sandboxes.runner_image",
        description="Build the docker backend's image from this machine's own files.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES, help="what it can run")
    parser.add_argument("--tag", default=TAG, help="a name for people; the configuration takes the id")
    options = parser.parse_args(arguments)
    try:
        image = build(options.languages, options.tag)
    except SandboxFault as fault:
        sys.stderr.write(f"error: {fault}\n")
        return 3 if fault.retryable else 1
    sys.stdout.write(f"{image}\n")
    return 0


def _first_link(path: Path) -> Path | None:
    return next((step for step in (*reversed(path.parents), path) if step.is_symlink()), None)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(4) == b"\x7fELF"


def _entry(name: str, kind: bytes, mode: int, **fields: Any) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.type, entry.mode = kind, mode
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def _paths_of(python: Path) -> dict[str, str]:
    """Where an interpreter without a virtual environment keeps its libraries."""
    asked = "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"
    said = subprocess.run([str(python), "-I", "-S", "-c", asked], capture_output=True, text=True, check=True)
    paths: dict[str, str] = json.loads(said.stdout)
    return paths


def _installed(name: str) -> Iterator[tuple[Path, str]]:
    """(file, path below the packages' folder) of a distribution and of all it requires."""
    waiting, seen = [name], set()
    while waiting:
        seen.add(name := waiting.pop())
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if len(seen) == 1:
                raise SandboxMisconfigured(f"{name} is not installed here; install it or leave it out") from None
            continue  # needed elsewhere only: on another system, by an older Python
        for file in found.files or ():
            if ".." not in file.parts and not file.name.endswith(".pyc"):
                yield Path(str(found.locate_file(file))), str(file)
        required = [line for line in found.requires or () if "extra ==" not in line]
        waiting += sorted({re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in required} - seen)


if __name__ == "__main__":
    sys.exit(main())
