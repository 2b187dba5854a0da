"""Which build this service is: on every record."""

from importlib import metadata

SERVICE_BUILD = f"assay {metadata.version('assay')}"
