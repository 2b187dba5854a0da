"""The body of `/metrics`: of this process alone, or of all server processes that share a directory."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from env_server.observing.shared_folder import as_a_whole

SHARED_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client. It has to be set before the process starts."""
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each one, of which Prometheus makes nothing


def exposition(registry: CollectorRegistry) -> bytes:
    """In Prometheus' text format."""
    folder = os.environ.get(SHARED_DIR)
    if not folder:
        return generate_latest(registry)
    everyone = CollectorRegistry()
    with as_a_whole(Path(folder)):
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
