"""What the sandbox server lets in, what it refuses, and what it says about it."""

import asyncio
import base64
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sandbox_servers import SandboxServer, serving

from sandboxes.errors import SandboxMisconfigured
from sandboxes.remote import RemoteSandbox
from sandboxes.types import Program

TOKEN = "a-token-of-some-length"
JSON = {"content-type": "application/json"}
HELLO = {"program": {"source": "print('hello')"}}


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture(scope="module")
def guarded(token_file: Path) -> Iterator[SandboxServer]:
    with serving("--token-file", str(token_file)) as server:
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with serving("--most-open", "1") as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def refused(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert problem["status"] == status
    return problem


def test_a_program_runs_with_curl_alone(http: httpx.Client):
    body = {**HELLO, "stdin": base64.b64encode(b"\xff/+").decode()}
    result = http.post("/v1/run", json=body).json()
    assert (base64.urlsafe_b64decode(result["stdout"]), result["exit_code"]) == (b"hello\n", 0)


def test_the_languages_are_listed_with_digest_and_version_or_why_not(http: httpx.Client):
    languages = http.get("/v1/policies").json()["languages"]
    assert languages["python"]["version"].startswith("Python 3")
    assert all(bool(offer["policy_digest"]) != bool(offer["missing"]) for offer in languages.values())


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"cookie": TOKEN}])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/run"), ("GET", "/v1/policies"), ("POST", "/run_code")])
def test_without_the_token_nothing_is_served(guarded: SandboxServer, method: str, path: str, header: dict[str, str]):
    response = httpx.request(method, guarded.url + path, headers=header, json=HELLO if method == "POST" else None)
    refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


def test_with_the_token_programs_run_and_anyone_may_ask_for_health(guarded: SandboxServer):
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert httpx.post(f"{guarded.url}/v1/run", json=HELLO, headers=headers).json()["exit_code"] == 0
    assert httpx.get(f"{guarded.url}/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(("token", "works"), [(TOKEN, True), ("another token", False)])
def test_a_client_shows_its_token(guarded: SandboxServer, token: str, works: bool):
    async def work() -> bool:
        sandbox = RemoteSandbox([guarded.url], token=token)
        try:
            await sandbox.start()
            return (await sandbox.run(Program(source=""))).succeeded
        finally:
            await sandbox.close()

    if works:
        assert asyncio.run(work())
    else:
        with pytest.raises(SandboxMisconfigured, match="token"):
            asyncio.run(work())


SECRET = "do-not-repeat-me"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{", None),
        ("[]", None),
        ("{}", "program"),
        ({"program": {"source": 1}}, "program.source"),
        ({"program": {"source": "", "language": None}}, "program.language"),
        ({"program": {"source": "", "files": {SECRET + " /../": ""}}}, "program.files"),
        ({"program": {"source": "", "files": {"a": SECRET + "%"}}}, "program.files"),
        ({"program": {"source": "", "limits": {"cpu_s": "5"}}}, "program.limits.cpu_s"),
        ({"program": {"source": "", "limits": {"memory_bytes": 1}}}, "program.limits.memory_bytes"),
        ({"program": {"source": ""}, "stdin": SECRET + "%"}, "stdin"),
        ({"program": {"source": ""}, SECRET: 1}, None),
        ({"program": {"source": ""}, "source": base64.b64encode(b"\xff").decode()}, None),
    ],
)
def test_what_is_not_valid_is_refused_by_field_and_not_repeated(
    http: httpx.Client, body: str | dict[str, object], field: str | None
):
    text = body if isinstance(body, str) else json.dumps(body)
    response = http.post("/v1/run", content=text, headers=JSON)
    assert refused(response, 422).get("field") == field
    assert SECRET not in response.text


def test_what_is_not_json_is_refused(http: httpx.Client):
    refused(http.post("/v1/run", content="program=1", headers={"content-type": "text/plain"}), 415)


def test_a_body_that_says_it_is_too_long_is_not_even_read(http: httpx.Client):
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=30) as connection:
        connection.sendall(b"POST /v1/run HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_long_is_refused(http: httpx.Client):
    chunks = (b'"' + b"x" * 1024 * 1024 for _ in range(70))
    try:
        response = http.post("/v1/run", content=chunks, headers=JSON)
    except httpx.TransportError:  # the server hung up while we were still sending
        return
    refused(response, 413)


def test_addresses_and_methods_that_are_not_there_are_problems_too(http: httpx.Client):
    refused(http.get("/v1/nothing"), 404)
    refused(http.get("/v1/run"), 405)
    refused(http.post(f"/v1/submissions/{'0' * 32}/run", json={}), 404)


def test_closing_what_is_closed_is_no_error(http: httpx.Client):
    opened = http.post("/v1/submissions", json=HELLO)
    path = f"/v1/submissions/{opened.json()['id']}"
    assert [opened.status_code, http.delete(path).status_code, http.delete(path).status_code] == [201, 204, 204]


def test_with_every_room_taken_the_next_is_told_to_come_back(http: httpx.Client):
    opened = http.post("/v1/submissions", json=HELLO).json()
    response = http.post("/v1/submissions", json=HELLO)
    assert refused(response, 503)["code"] == "busy"
    assert int(response.headers["retry-after"]) > 0
    assert http.post("/v1/run", json=HELLO).json()["exit_code"] == 0  # what stays not open needs no room
    http.delete(f"/v1/submissions/{opened['id']}")
    assert http.post("/v1/submissions", json=HELLO).status_code == 201


def test_a_language_that_cannot_run_is_misconfigured_and_not_to_be_tried_again(http: httpx.Client):
    response = http.post("/v1/run", json={"program": {"source": "", "language": "klingon"}})
    problem = refused(response, 503)
    assert (problem["code"], problem["retryable"]) == ("misconfigured", False)
    assert "retry-after" not in response.headers


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "sandboxes", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file and --allow-remote"),
        (["--host", "0.0.0.0", "--allow-remote"], "that needs --token-file"),
        (["--host", "example.org", "--allow-remote"], "that needs --token-file"),
        (["--port", "65536"], "no port"),
        (["--parallel", "0"], "no whole number from 1"),
        (["--backend", "chroot"], "invalid choice"),
        (["--backend", "docker"], "--image"),
        (["--token-file", "/nonexistent"], "cannot be read"),
    ],
)
def test_a_command_that_asks_wrongly_says_what_to_do_and_leaves_with_2(arguments: list[str], said: str):
    done = command("serve", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_is_not_enough_to_be_reached_from_elsewhere(token_file: Path):
    done = command("serve", "--host", "0.0.0.0", "--token-file", str(token_file))
    assert (done.returncode, "--allow-remote" in done.stderr) == (2, True)


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path):
    (tmp_path / "token").write_text("hunter2")
    done = command("serve", "--token-file", str(tmp_path / "token"))
    assert (done.returncode, "at least 16" in done.stderr) == (2, True)


def test_a_port_that_is_taken_is_named(http: httpx.Client):
    done = command("serve", "--port", str(http.base_url.port))
    assert (done.returncode, str(http.base_url.port) in done.stderr) == (2, True)


def test_importing_the_promise_loads_no_http():
    code = "import sys, sandboxes, sandboxes.types, sandboxes.wire; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"httpx", "fastapi", "starlette", "uvicorn"} & set(done.stdout.split()) == set()
