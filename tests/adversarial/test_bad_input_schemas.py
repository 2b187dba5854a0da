"""The OpenAPI document, as schemathesis reads it: every check it has, on every route, with keys and without."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
from targets import Target

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("ASSAY_SCHEMATHESIS_EXAMPLES", "10")
"""For each route and kind of test."""


def test_the_service_is_what_its_document_says_whatever_is_made_of_it(target: Target, tmp_path: Path):
    headers = [f"--header={name.title()}: {value}" for name, value in target.headers.items()]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{target.url}/openapi.json"]
    options = [f"--max-examples={EXAMPLES}", "--seed=1", "--continue-on-failure", "--warnings=off"]
    done = subprocess.run(
        [*command, *options, *headers], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Tested: " in done.stdout
    assert target.client.get("/readyz").status_code == 200


def test_the_document_asks_for_a_key_where_the_service_does(target: Target):
    document = target.client.get("/openapi.json").json()
    keyed = bool(target.headers)
    assert ("securitySchemes" in document["components"]) == keyed == bool(document.get("security"))
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            if path in ("/healthz", "/readyz"):
                assert route["security"] == []
                continue
            answer = httpx.request(method, target.url + path.replace("{", "").replace("}", ""))
            assert (answer.status_code == 401) == keyed, (method, path)
