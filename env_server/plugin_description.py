"""What a virtual environment offers: `PYTHON -I -m env_server.plugin_description FD`, asked and answered in JSON once.

Runs in the environment that it describes, so it imports neither the server nor asyncio.
"""

import json
import os
import sys
from typing import Any

from rewarders.errors import AssayError, PluginError
from rewarders.registry import Registry, code_digest


def main(arguments: list[str]) -> None:
    """Read a question from standard input, answer it on the descriptor; what plug-ins print goes elsewhere."""
    with os.fdopen(int(arguments[0]), "wb") as answers:
        os.dup2(2, 1)
        try:
            said = _answer(json.load(sys.stdin))
        except AssayError as error:
            said = {"error": str(error)}
        answers.write(json.dumps(said).encode())


def core_digest() -> str:
    """Of the code that runs rewarders: what has to be the same on both sides."""
    return code_digest(["rewarders", "env_server"], "assay")


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    registry = Registry.load(question["load"], question["modules"])
    if "params" in question:
        spec = registry.get(question["rewarder"])
        if spec is None:
            raise PluginError(f"there is no rewarder {question['rewarder']!r} any more")
        spec.check_params(question["params"])
        return {}
    described = [
        {
            "spec": spec.describe(),
            "reference_fields": sorted(spec.reference_fields),
            "preload": spec.preload,
        }
        for spec in registry
    ]
    return {"core": core_digest(), "fingerprint": registry.fingerprint, "rewarders": described}


if __name__ == "__main__":
    main(sys.argv[1:])
