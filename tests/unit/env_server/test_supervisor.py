"""What each of several server processes takes, and what the service's exit code is."""

import io
import json
import logging
import signal

import pytest

from env_server.config import ServiceConfig
from env_server.observing import logs
from env_server.observing.settings import LogConfig
from env_server.supervisor import _exit_code, share_of

PLUGIN = {"isolation": "venv", "venv": "/somewhere", "load": ["acme"]}


def config(workers: int) -> ServiceConfig:
    return ServiceConfig.model_validate(
        {
            "server": {"workers": workers},
            "workers": {"processes": 5},
            "calls": {"at_once": 64},
            "sandbox": {"parallel": 1},
            "judges": {"j": {"url": "http://127.0.0.1:1/v1", "model": "m", "at_once": 7}},
            "plugins": {"acme": {**PLUGIN, "processes": 3}, "beta": PLUGIN},
            "rubrics": {"length.v1": {"parts": [{"rewarder": "odd.length"}]}},
        }
    )


def test_the_processes_together_have_what_is_configured_and_each_has_something():
    shares = [share_of(config(3), number) for number in (1, 2, 3)]
    assert [share.workers.processes for share in shares] == [2, 2, 1]
    assert sum(share.calls.at_once for share in shares) == 64
    assert [share.sandbox.parallel for share in shares] == [1, 1, 1]
    assert [share.judges["j"].at_once for share in shares] == [3, 2, 2]
    assert [share.plugins.isolated["acme"].processes for share in shares] == [1, 1, 1]
    assert [share.plugins.isolated["beta"].processes for share in shares] == [None, None, None]
    assert {share.server.workers for share in shares} == {3}


def test_what_is_not_shared_is_the_same_in_each():
    whole, share = config(2), share_of(config(2), 2)
    own = {"workers", "calls", "sandbox", "judges", "plugins"}
    assert share.model_dump(exclude=own) == whole.model_dump(exclude=own)


def test_a_configuration_arrives_in_a_server_process_as_it_was_read():
    share = share_of(config(2), 1)
    assert ServiceConfig.model_validate_json(share.model_dump_json()) == share


@pytest.mark.parametrize(
    ("ended", "code"), [(0, 0), (-signal.SIGTERM, 0), (2, 2), (143, 143), (-signal.SIGKILL, 3), (-signal.SIGSEGV, 3)]
)
def test_the_service_ends_as_its_processes_do(ended: int, code: int):
    assert _exit_code(ended) == code


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_of_the_log_says_which_process_it_is_from(form: str):
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers, root.level
    try:
        logs.set_up(LogConfig.model_validate({"format": form}), stream, process=2)
        logs.say(logging.getLogger("env_server"), logging.INFO, "serving")
    finally:
        root.handlers, root.level = before
    line = stream.getvalue()
    assert (json.loads(line)["process"] if form == "json" else line.split()[-1]) in (2, "process=2")
