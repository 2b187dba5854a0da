"""`python -m sandboxes serve`: this machine's sandbox, for others to use over HTTP.

Exit codes: 0 ended as asked; 1 the sandbox must not be used here; 2 asked wrongly; 3 it could not be started just now.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandboxes.errors import SandboxFault

if TYPE_CHECKING:
    from sandboxes.service.server import Backend
    from sandboxes.service.settings import ServiceSettings


_MOST = 65_536
_LAST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.backend == "docker") != bool(options.image):
        parser.error("--backend docker and --image go together")
    try:
        from sandboxes.service.serving import AskedWrongly
    except ModuleNotFoundError as missing:
        return _fail(2, f"serving needs {missing.name}, which is not installed: pip install 'assay[server]'")
    try:
        _serve(options)
    except AskedWrongly as wrong:
        return _fail(2, str(wrong))
    except SandboxFault as fault:
        return _fail(3 if fault.retryable else 1, str(fault))
    return 0


def _serve(options: argparse.Namespace) -> None:
    from sandboxes.service.serving import listen, read_token, serve_forever

    token = read_token(options.token_file)
    listener = listen(options.host, options.port, token=token, allow_remote=options.allow_remote)
    settings = _settings(options, token)
    serve_forever(_backend(options, settings), settings, listener, _say_ready_json if options.json else _say_ready)


def _settings(options: argparse.Namespace, token: str) -> "ServiceSettings":
    from sandboxes.service.settings import ServiceSettings

    return ServiceSettings(
        parallel=options.parallel, most_open=options.most_open, idle_s=options.idle_s, token=token
    )  # fmt: skip


def _backend(options: argparse.Namespace, settings: "ServiceSettings") -> "Backend":
    """The backend, with room for what is open and for what runs without staying open."""
    room = settings.parallel + settings.most_open
    if options.backend == "docker":
        from sandboxes.docker import DockerSandbox

        return DockerSandbox(options.image, runtime=options.runtime, parallel=room)
    from sandboxes.namespaces import NamespaceSandbox

    return NamespaceSandbox(tier=options.tier, parallel=room, python=options.python, cgroup=options.cgroup)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m sandboxes", description="A sandbox for programs that nobody trusts.")
    does = "Run programs for others over HTTP, until SIGTERM or SIGINT."
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help=does, description=does)
    _add_address(serve)
    _add_sandbox(serve)
    serve.add_argument("--json", action="store_true", help="say where it listens as JSON, for programs")
    return parser


def _add_address(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument_group("address").add_argument
    add("--host", default="127.0.0.1", help="address to listen on [%(default)s]")
    add("--port", type=_port, default=8090, help="port; 0 takes a free one [%(default)s]")
    add("--token-file", type=Path, metavar="FILE", help="holds the bearer token that callers have to show")
    add("--allow-remote", action="store_true", help="listen where other machines can reach it")


def _add_sandbox(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument_group("sandbox").add_argument
    add("--backend", choices=["namespaces", "docker"], default="namespaces", help="what isolates [%(default)s]")
    add("--tier", choices=["full", "landlock"], default="full", help="of namespaces; landlock is weaker [%(default)s]")
    add(
        "--python",
        metavar="FILE",
        help="of namespaces: interpreter for Python programs [this one without its packages]",
    )
    add(
        "--cgroup",
        default="",
        help="of namespaces: a delegated control group (version 2); '-' uses none [looks for one]",
    )
    add("--image", metavar="DIGEST", help="of docker: the runner image")
    add("--runtime", help="of docker: the engine's runtime, such as runsc")
    cores = os.cpu_count() or 1
    add(
        "--parallel", type=_count, metavar="N", default=cores, help="programs that run at once [the cores: %(default)s]"
    )
    add("--most-open", type=_count, metavar="N", default=64, help="submissions open, running or not [%(default)s]")
    add(
        "--idle-s",
        type=_count,
        metavar="N",
        default=60,
        help="a submission not run for so long is closed [%(default)s]",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {_MOST}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; choose one up to {_LAST_PORT}, or 0 for a free one")
    return int(text)


def _say_ready(url: str, backend: str) -> None:
    sys.stderr.write(f"ready at {url} ({backend}; Ctrl-C ends it)\n")


def _say_ready_json(url: str, backend: str) -> None:
    sys.stdout.write(json.dumps({"url": url, "pid": os.getpid(), "backend": backend}) + "\n")
    sys.stdout.flush()


def _fail(code: int, message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
