"""A real HTTP server on loopback that speaks like an OpenAI-compatible endpoint and answers as it is told."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECTION = re.compile(r"^BEGIN (\S+) (\w+)\n(.*)\nEND \1 \2$", re.MULTILINE)

GREETING = [{"role": "user", "content": "Hello."}]
GREETED = ["Hello."]


@dataclass(frozen=True)
class Asked:
    """A request, taken apart as only somebody who knows the prompt's layout can."""

    body: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        return self.body["response_format"]["json_schema"]["schema"]

    @property
    def nonce(self) -> str:
        return self.schema["properties"]["nonce"]["enum"][0]

    @property
    def sections(self) -> dict[str, str]:
        user = self.body["messages"][1]["content"]
        return {title: json.loads(text) for title, _, text in SECTION.findall(user)}

    @property
    def fields(self) -> list[str]:
        return [key for key in self.schema["required"] if key not in ("reasoning", "nonce")]

    def object(self, reasoning: str = "It was weighed.", **answers: Any) -> str:
        """A reply as it should be."""
        return json.dumps({"reasoning": reasoning, **answers, "nonce": self.nonce}, ensure_ascii=False)


Script = Callable[[Asked], Any]
"""From a request to the reply's text, a whole document, or a status with headers."""


@dataclass
class JudgeEndpoint:
    """What was asked, and what to say."""

    script: Script
    url: str = ""
    greeting: Script | None = None
    """What to say to a greeting, which no text has a part in; by default, hello."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    greetings: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    model: str = "scripted-1"
    fingerprint: str | None = None
    headers: list[dict[str, str]] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        greeted = body.get("messages") == GREETING or (body.get("text_1") == body.get("text_2") == GREETED)
        with self.lock:
            (self.greetings if greeted else self.requests).append(body)
            self.paths.append(path)
            self.headers.append(headers)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            script = (self.greeting or self._hello) if greeted else self.script
            said = script(Asked(body))
        finally:
            with self.lock:
                self.busy -= 1
        if isinstance(said, tuple):
            return said
        if isinstance(said, str):
            said = self.document(said)
        return 200, {}, said

    def _hello(self, asked: Asked) -> Any:
        return {"data": [{"index": 0, "score": 0.0}]} if "text_2" in asked.body else "Hello."

    def document(self, text: str | None, finish: str = "stop", logprobs: Any = None) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"prompt_tokens": 100, "completion_tokens": 20}
        said = {"model": self.model, "system_fingerprint": self.fingerprint, "usage": usage}
        return {**said, "choices": [{**choice, "logprobs": logprobs}]}


@contextmanager
def judge_endpoint(script: Script) -> Iterator[JudgeEndpoint]:
    """The endpoint, for as long as it is needed."""
    endpoint = JudgeEndpoint(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = json.loads(self.rfile.read(length))
            status, headers, document = endpoint.answer(self.path, body, dict(self.headers))
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *arguments: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
