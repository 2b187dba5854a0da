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
    options = _parser().parse_args(arguments)
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
    from sandboxes.namespaces import NamespaceSandbox

    return NamespaceSandbox(
        tier=options.tier, parallel=settings.parallel + settings.most_open, python=options.python, cgroup=options.cgroup
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m sandboxes", description="A sandbox for programs that nobody trusts.")
    serve = parser.add_subparsers(dest="command", required=True).add_parser(
        "serve", help="run programs for others", description=main.__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )  # fmt: skip
    _add_address(serve)
    _add_sandbox(serve)
    serve.add_argument("--json", action="store_true", help="say where it listens as JSON, for programs")
    return parser


def _add_address(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("address")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on")
    group.add_argument("--port", type=_port, default=8090, help="port; 0 takes a free one")
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the bearer token that callers have to show"
    )
    group.add_argument("--allow-remote", action="store_true", help="listen where other machines can reach it")


def _add_sandbox(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("sandbox")
    group.add_argument("--backend", choices=["namespaces", "docker"], default="namespaces", help="what isolates")
    group.add_argument("--tier", choices=["full", "landlock"], default="full", help="landlock is weaker: no namespaces")
    group.add_argument("--parallel", type=_count, default=os.cpu_count() or 1, help="programs that run at once")
    group.add_argument("--most-open", type=_count, default=64, help="submissions open at once, running or not")
    group.add_argument("--idle-s", type=_count, default=60, help="a submission not run for so long is closed")
    group.add_argument("--python", help="interpreter for Python programs; this one, without its packages, if not given")
    group.add_argument("--cgroup", default="", help="a delegated control group (version 2); '-' uses none")


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
