"""One of several server processes: the supervisor runs `env_server.server_process LISTENER REPORT CONNECTIONS NUMBER`.

LISTENER is the socket that all of them share, CONNECTIONS the memory in which each says how many it has. REPORT is
written to once this one can score. The configuration comes on standard input, as JSON.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from env_server.accepting import Among, Connections
from env_server.cli import exit_codes
from env_server.config import ServiceConfig
from env_server.dying import die_with_parent
from env_server.observing.exposition import SHARED_DIR
from env_server.observing.shared_folder import used
from env_server.serving import serve_on


def main(arguments: list[str]) -> None:
    """Serve until told to leave, or until the supervisor is gone."""
    die_with_parent(signal.SIGTERM)
    listener, report = (socket.socket(fileno=int(one)) for one in arguments[:2])
    config = ServiceConfig.model_validate_json(sys.stdin.buffer.read())

    def ready() -> None:
        with report:
            report.send(b"1")

    with exit_codes(), listener, used(Path(os.environ[SHARED_DIR])):
        connections = Connections(int(arguments[2]), config.server.workers)
        serve_on(listener, config, ready, Among(int(arguments[3]), connections))


if __name__ == "__main__":
    main(sys.argv[1:])
