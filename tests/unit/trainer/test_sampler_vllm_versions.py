"""What vLLM's versions have, as they say it themselves, and what is made of a server that lacks something.

Routes that do not matter here are left out. What samples is tested with a real vLLM in tests/vllm.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rewarders.errors import ConfigError
from rewarders.types import FinishReason
from trainer.samplers import SampleRequest
from trainer.samplers.building import transfer_for
from trainer.samplers.replica import Replica, ServerLost
from trainer.samplers.row_seeds import row_seed
from trainer.samplers.vllm_adapter import (
    WORKER_EXTENSION,
    Generation,
    ServerFacts,
    generation_request,
    parse_generation,
    refuse_unfit,
    sampling_parameters,
    serve_arguments,
    server_facts,
)
from trainer.samplers.vllm_server import WrongWeights, checked_sample

TRAINING = ["/pause", "/resume", "/collective_rpc", "/update_weight_version", "/weight_info", "/reset_prefix_cache"]
ROUTES = {
    "0.30.0": [*TRAINING, "/v1/completions", "/inference/v1/generate", "/server_info"],
    "0.32.0": [*TRAINING, "/v1/completions", "/inference/v1/generate", "/server_info", "/weight_checker", "/version"],
    "0.32.0 without --enable-scale-out": [*TRAINING, "/v1/completions", "/server_info", "/weight_checker"],
    "0.33.0": [*TRAINING, "/inference/v1/generate", "/server_info", "/weight_checker", "/abort_requests"],
}
MODELS = {"data": [{"id": "m", "max_model_len": 512}]}
REQUEST = SampleRequest(group_size=2, max_new_tokens=9, temperature=0.7, seed="s", weight_version="step-3")


def facts(version: str = "0.32.0", routes: list[str] | None = None, **config: Any) -> ServerFacts:
    info = {
        "vllm_config": {"model_config": {"dtype": "torch.float32", "logprobs_mode": "processed_logprobs"}, **config}
    }
    paths = {route: {} for route in (ROUTES[version] if routes is None else routes)}
    return server_facts("http://h", version, {"paths": paths}, MODELS, info)


@pytest.mark.parametrize("version", ROUTES)
def test_every_version_we_know_can_be_trained_with(version: str):
    known = facts(version)
    assert known.generates_tokens == ("/inference/v1/generate" in ROUTES[version])
    assert known.checks_weights == ("/weight_checker" in ROUTES[version])
    assert (known.model, known.max_tokens, known.dtype) == ("m", 512, "float32")


@pytest.mark.parametrize("missing", TRAINING)
def test_a_server_that_lacks_a_route_is_refused_with_its_version_and_the_route(missing: str):
    with pytest.raises(ConfigError, match=f"vLLM 0.27.1 at http://h has no {missing}") as raised:
        facts("0.27.1", [route for route in ROUTES["0.32.0"] if route != missing])
    assert "VLLM_SERVER_DEV_MODE=1" in raised.value.hint


def test_a_server_for_users_alone_is_refused():
    with pytest.raises(ConfigError, match=r"has no /pause, .*, /reset_prefix_cache"):
        facts("0.32.0", ["/v1/completions", "/v1/chat/completions", "/health"])


def test_what_a_server_does_not_say_is_not_held_against_it():
    paths = {route: {} for route in ROUTES["0.32.0"]}
    for info in ({}, {"vllm_config": "a text"}, {"vllm_config": {"model_config": None}}):
        silent = server_facts("http://h", "0.40.0", {"paths": paths}, {"data": [{"id": "m"}]}, info)
        refuse_unfit(silent, "http://h", dtype="float32", max_tokens=100_000)


def test_what_a_server_says_wrong_is_refused_all_at_once():
    raw = facts(model_config={"dtype": "torch.float16", "logprobs_mode": "raw_logprobs"})
    with pytest.raises(ConfigError) as raised:
        refuse_unfit(raw, "http://h", dtype="bfloat16", max_tokens=1024)
    for said in ("computes in float16", "reports raw_logprobs", "room for 512 tokens"):
        assert said in str(raised.value)


def test_auto_takes_what_the_servers_were_started_for():
    plain, extended = facts(), facts(parallel_config={"worker_extension_cls": WORKER_EXTENSION})
    nccl, ipc = (facts(weight_transfer_config={"backend": backend}) for backend in ("nccl", "ipc"))
    here, away = "http://127.0.0.1:1", "http://10.0.0.7:1"
    assert transfer_for([nccl, nccl], [away, away]) == "nccl"
    assert transfer_for([ipc], [here]) == "ipc"
    assert transfer_for([nccl, ipc], [here, here]) == "file"
    assert transfer_for([extended], [here]) == "shared_memory"
    assert transfer_for([extended], [away]) == "file"
    assert transfer_for([extended, plain], [here, here]) == "file"


def test_nothing_about_a_draw_is_left_to_the_server():
    parameters = sampling_parameters(REQUEST, (2, 5), 7)
    assert parameters["top_p"] == parameters["repetition_penalty"] == 1.0
    assert parameters["top_k"] == parameters["min_p"] == parameters["presence_penalty"] == 0
    assert (parameters["temperature"], parameters["seed"], parameters["stop_token_ids"]) == (0.7, 7, [2, 5])
    for known in (facts(), facts("0.32.0 without --enable-scale-out")):
        _, body = generation_request(known, (4, 5), parameters)
        assert {"token_ids", "prompt"} & body.keys()
        assert body.get("sampling_params", body)["seed"] == 7


def test_a_started_server_is_one_that_would_be_accepted():
    arguments = serve_arguments(model="m", dtype="float32", max_tokens=88, memory_share=0.3, eager=True)
    assert "processed_logprobs" in arguments
    assert "--revision" not in arguments
    assert WORKER_EXTENSION in arguments
    module, _, name = WORKER_EXTENSION.rpartition(".")
    assert hasattr(__import__(module, fromlist=[name]), name)


def test_a_started_server_loads_the_revision_that_is_trained():
    arguments = serve_arguments(
        model="m", revision="abc123", dtype="float32", max_tokens=88, memory_share=0.3, eager=True
    )
    assert arguments[arguments.index("--revision") + 1] == "abc123"


def test_rows_have_seeds_of_their_own_that_vllm_takes():
    seeds = {row_seed("1/2", prompt, index) for prompt in range(50) for index in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert row_seed("1/2", 3, 4) == row_seed("1/2", 3, 4) != row_seed("1/3", 3, 4)


def test_both_routes_tell_the_same():
    logprobs = {"content": [{"token_id": 5, "logprob": -1.5}, {"token_id": 2, "logprob": -0.5}]}
    spans = [{"version": "step-3", "start": 0, "end": 2}]
    newer = {
        "choices": [{"token_ids": [5, 2], "finish_reason": "stop", "weight_versions": spans, "logprobs": logprobs}]
    }
    older = {"choices": [{"token_ids": [5, 2], "finish_reason": "stop", "logprobs": {"token_logprobs": [-1.5, -0.5]}}]}
    wanted = Generation((5, 2), (-1.5, -0.5), FinishReason.STOP, ("step-3",))
    assert parse_generation(newer) == wanted
    assert parse_generation(older).versions is None
    assert parse_generation(older).logprobs == wanted.logprobs


@pytest.mark.parametrize(
    ("generation", "error", "said"),
    [
        (Generation((5,), (-1.0,), FinishReason.STOP, ("step-2",)), WrongWeights, "sampled with 'step-2'"),
        (Generation((5,), (-1.0,), FinishReason.STOP, ("step-2", "step-3")), WrongWeights, "'step-2' and 'step-3'"),
        (Generation((5,), (-1.0,), FinishReason.ABORT, ("step-3",)), ServerLost, "ended a completion with abort"),
        (Generation((), (), FinishReason.STOP, ("step-3",)), ServerLost, "after 0 tokens"),
        (Generation((5, 6), (-1.0,), FinishReason.STOP, ("step-3",)), ServerLost, "2 tokens and 1 log-prob"),
        (Generation((5,), (float("nan"),), FinishReason.STOP, ("step-3",)), ServerLost, "no finite number"),
        (Generation((5,), (float("-inf"),), FinishReason.STOP, None), ServerLost, "no finite number"),
    ],
)
def test_a_completion_that_cannot_be_trained_on_is_an_error(generation: Generation, error: type, said: str):
    with pytest.raises(error, match=said):
        checked_sample(generation, REQUEST, "http://h")


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def listening() -> Iterator[Callable[[list[Answer]], tuple[str, list[str]]]]:
    """A server that treats one request after the other as told, and what it was asked."""
    opened: list[ThreadingHTTPServer] = []

    def listen(answers: list[Answer]) -> tuple[str, list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                answers[min(len(asked), len(answers)) - 1](self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        opened.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", asked

    yield listen
    for server in opened:
        server.shutdown()
        server.server_close()


def answering(status: int, body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.fixture
def replica() -> Iterator[Callable[[str], Replica]]:
    opened: list[Replica] = []

    def build(url: str) -> Replica:
        opened.append(Replica(url, timeout_s=5))
        return opened[-1]

    yield build
    for each in opened:
        each.close()


def test_a_connection_that_breaks_is_made_again(listening: Any, replica: Any):
    url, asked = listening([hanging_up, hanging_up, answering(200, b'{"weight_version": "step-1"}')])
    assert replica(url).weight_version() == "step-1"
    assert len(asked) == 3


def test_a_bad_answer_is_not_asked_for_again_and_is_quoted(listening: Any, replica: Any):
    url, asked = listening([answering(500, json.dumps({"error": "EngineDead " + "x" * 5000}).encode())])
    with pytest.raises(ServerLost, match=r"/weight_info answered 500: .*EngineDead") as raised:
        replica(url).weight_version()
    assert len(asked) == 1
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{}", b"null", b'{"version": "1", "data": []}'])
def test_something_that_is_not_vllm_is_a_mistake_in_the_configuration(listening: Any, replica: Any, body: bytes):
    url, _ = listening([answering(200, body)])
    with pytest.raises(ConfigError, match=url):
        replica(url).facts()


def test_nobody_there_is_named_with_what_to_do(replica: Any):
    with pytest.raises(ConfigError, match=r"no answer from the vLLM server at http://127\.0\.0\.1:9/version") as raised:
        replica("http://127.0.0.1:9/").facts()
    assert "is it running?" in raised.value.hint
