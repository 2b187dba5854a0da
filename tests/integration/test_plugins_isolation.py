"""Plug-ins in virtual environments of their own: they never meet, and a faulty one is contained, named and counted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from raw_items import raw_item

from env_server import isolation
from env_server.config import ServiceConfig, load_config
from env_server.isolation import IsolatedPlugin, load_plugins
from env_server.schemas import ScoredItem, ScoreResponse
from env_server.service import Service
from env_server.task_checking import Found, check_tasks
from rewarders.errors import ConfigError

PLUGIN = '''
import ctypes
import os
import time

import shared_dependency
from pydantic import BaseModel

from rewarders import Completion, Verdict, rewarder
from rewarders.errors import ConfigError, InvalidTask


class Reference(BaseModel, extra="forbid"):
    answer: str


class Params(BaseModel, extra="forbid"):
    shout: bool = False


@rewarder("TEAM.says", version="1.0", reference=Reference, params=Params, cpu_budget_s=0.5)
def says(completion: Completion, reference: Reference, params: Params) -> Verdict:
    """1 if it says the answer."""
    match completion.text:
        case "burn":
            while True:
                pass
        case "segfault":
            ctypes.string_at(0)
        case "slow":
            time.sleep(0.01)
        case "environment":
            return Verdict(score=1.0, reason="told", evidence={"names": sorted(os.environ)})
        case "raise":
            raise ValueError("as told")
        case "configuration":
            raise ConfigError("an error of ours, raised by a plug-in")
        case "refusal":
            raise InvalidTask("said of a task once the completion was seen", field="task.reference")
        case "garbage":
            for descriptor in range(3, 40):
                try:
                    os.write(descriptor, b"garbage" * 100)
                except OSError:
                    pass
    said = completion.text.upper() if params.shout else completion.text
    return Verdict(score=float(said == reference.answer), reason="compared", evidence=shared_dependency.EVIDENCE)
'''
NOISY = (
    PLUGIN
    + """

import threading
import time

def make_noise():
    while True:
        for descriptor in range(3, 40):
            try:
                os.write(descriptor, NOISE)
            except OSError:
                pass
        time.sleep(0.005)

threading.Thread(target=make_noise, daemon=True).start()
time.sleep(DELAY_S)
"""
)
"""Writes wherever it can, from the moment it is imported, in the very process that starts the workers."""
Score = Callable[..., tuple[ScoredItem, ...]]


def environment(folder: Path, **modules: str) -> Path:
    """A virtual environment that has what is installed here, and these modules."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    for name, source in modules.items():
        (site / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


@pytest.fixture(scope="module")
def venvs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("venvs")
    teams = {
        team: environment(
            folder / team,
            plugin=PLUGIN.replace("TEAM", team),
            shared_dependency=f"EVIDENCE = {{'version': {version}}}\n",
        )
        for team, version in (("acme", 1), ("beta", 2))
    }
    broken = environment(folder / "broken", plugin="import nothing_of_that_name\n")
    noisy = {
        team: environment(
            folder / team,
            plugin=NOISY.replace("TEAM", team).replace("NOISE", noise).replace("DELAY_S", delay_s),
            shared_dependency="EVIDENCE = {}\n",
        )
        for team, noise, delay_s in (
            ("loud", "b'garbage'", "0.0"),
            ("sly", "b'1 1'", "0.0"),
            ("early", "b'\\xff'", "0.3"),
        )
    }
    return {**teams, **noisy, "broken": broken, "gone": folder / "gone"}


@pytest.fixture
def config(odd_config: Callable[..., ServiceConfig], venvs: dict[str, Path]) -> Callable[..., ServiceConfig]:
    def build(*teams: str) -> ServiceConfig:
        plugins = {team: {"isolation": "venv", "venv": venvs[team], "modules": ["plugin"]} for team in teams}
        built = odd_config(plugins=plugins, workers={"processes": 1}, sandbox={"backend": "off"}).model_dump()
        rubrics = {f"{team}.v1": {"name": f"{team}.v1", "parts": [{"rewarder": f"{team}.says"}]} for team in teams}
        uncached = {"cache": {"max_bytes": 0}}  # the same item a hundred times is to be a hundred jobs
        return ServiceConfig.model_validate({**built, **uncached, "rubrics": {**built["rubrics"], **rubrics}})

    return build


@pytest.fixture
def opened(config: Callable[..., ServiceConfig]) -> Callable[..., AbstractAsyncContextManager[Service]]:
    from env_server.app import open_service

    return lambda *teams: open_service(config(*teams))


def item(text: str, team: str, answer: Any = "4") -> dict[str, Any]:
    return raw_item(text, f"{team}.v1", {"answer": answer})


@dataclass(frozen=True)
class State:
    """What the service says of itself once it has answered."""

    trouble: str | None
    limitation: str | None
    plugins: list[dict[str, Any]]


def score(opened: Any, teams: tuple[str, ...], *items: dict[str, Any]) -> tuple[State, tuple[ScoredItem, ...]]:
    async def run() -> tuple[State, bytes]:
        async with opened(*teams) as service:
            answer = await service.engine.score(items)
            plugins = [pool.describe() for pool in service.engine.pool.isolated.values()]
            return State(service.trouble, service.limitation, plugins), answer

    state, answer = asyncio.run(run())
    return state, ScoreResponse.model_validate_json(answer).items


def test_two_plug_ins_have_two_versions_of_the_same_library(opened):
    _, (acme, beta) = score(opened, ("acme", "beta"), item("4", "acme"), item("4", "beta"))
    assert [each.components[0].verdict.evidence["version"] for each in (acme, beta)] == [1, 2]
    assert [each.reward for each in (acme, beta)] == [1.0, 1.0]


def test_the_library_of_a_plug_in_never_comes_into_the_service(opened):
    score(opened, ("acme",), item("4", "acme"))
    assert "shared_dependency" not in sys.modules


@pytest.mark.parametrize(("says", "reason"), [("burn", "too_costly"), ("segfault", "crashed"), ("5", "compared")])
def test_a_completion_is_blamed_there_as_it_is_here(opened, says: str, reason: str):
    _, (scored,) = score(opened, ("acme",), item(says, "acme"))
    assert (scored.reward, scored.components[0].verdict.reason) == (0.0, reason)


@pytest.mark.parametrize(("says", "named"), [("raise", "acme.says raised ValueError"), ("garbage", "acme.says")])
def test_a_plug_in_that_fails_is_contained_named_and_counted(opened, says: str, named: str):
    state, (failed, fine, other) = score(
        opened, ("acme",), item(says, "acme"), item("4", "acme"), raw_item("a" * 100, "length.v1")
    )
    assert (failed.reward, failed.status) == (None, "unscored")
    assert failed.fault.message.startswith((named, f"the worker running {named}"))
    assert (fine.reward, other.reward) == (1.0, 1.0)
    (counted,) = state.plugins
    assert (counted["plugin"], counted["jobs"], counted["faults"]) == ("acme", 2, {"RewarderFault": 1})


@pytest.mark.parametrize(("team", "named"), [("broken", "nothing_of_that_name"), ("gone", "cannot run")])
def test_a_plug_in_that_cannot_be_started_is_in_nobodys_way(opened, team: str, named: str):
    state, (failed, fine, other) = score(
        opened, (team, "acme"), item("4", team), item("4", "acme"), raw_item("a" * 100, "length.v1")
    )
    assert failed.reward is None
    assert named in failed.fault.message
    assert f"[plugins.{team}]" in failed.fault.message
    assert (fine.reward, other.reward) == (1.0, 1.0)
    assert state.trouble is None
    assert named in state.limitation


@pytest.mark.parametrize("team", ["loud", "sly", "early"])
def test_one_that_writes_into_the_protocol_hangs_nobody(opened, team: str):
    state, (failed, fine, other) = score(
        opened, (team, "acme"), item("4", team), item("4", "acme"), raw_item("a" * 100, "length.v1")
    )
    assert failed.reward in (None, 1.0)  # its worker may be there before the noise is
    assert (fine.reward, other.reward) == (1.0, 1.0)
    assert state.trouble is None


def test_one_that_never_answers_rightly_is_named_and_counted(opened):
    state, (failed, fine) = score(opened, ("early", "acme"), item("4", "early"), item("4", "acme"))
    assert (failed.reward, fine.reward) == (None, 1.0)
    assert "[plugins.early]" in state.limitation
    counted = next(each for each in state.plugins if each["plugin"] == "early")
    assert (counted["jobs"], counted["faults"]) == (1, {"RewarderFault": 1})


def test_a_plug_in_sees_nothing_of_the_environment_of_the_service(opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JUDGE_API_KEY", "not for everybody")
    _, (told,) = score(opened, ("acme",), item("environment", "acme"))
    names = told.components[0].verdict.evidence["names"]
    assert "PATH" in names
    assert not {"JUDGE_API_KEY", "HOME", "PYTHONPATH", "PYTEST_CURRENT_TEST"} & set(names)


def test_nor_does_the_process_that_is_asked_what_it_offers(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JUDGE_API_KEY", "not for everybody")
    plugin = scripted(tmp_path, 'echo "the key is ${JUDGE_API_KEY-unknown}" >&2; exit 3')
    assert "the key is unknown" in str(plugin.trouble)


def test_a_reference_that_is_refused_there_is_answered_as_one_that_is_refused_here(opened):
    _, (there, fine, here) = score(
        opened, ("acme",), item("4", "acme", answer=4), item("4", "acme"), raw_item("", "echo.v1", {"answer": 4})
    )
    assert (there.status, there.reward, there.fault) == ("invalid", None, None)
    assert fine.reward == 1.0
    told = there.problem.model_dump(exclude={"item"})
    assert told == {**here.problem.model_dump(exclude={"item"}), "detail": told["detail"]}
    assert told["detail"] == here.problem.detail.replace("odd.echo", "acme.says")


@pytest.mark.parametrize("says", ["configuration", "refusal"])
def test_what_a_plug_in_raises_is_its_fault_and_never_the_tasks(opened, says: str):
    _, (failed,) = score(opened, ("acme",), item(says, "acme"))
    assert (failed.status, failed.fault.kind, failed.fault.attempt) == ("unscored", "RewarderFault", 1)


def test_the_check_of_tasks_finds_what_would_be_refused_there(config, tmp_path: Path):
    tasks = tmp_path / "tasks.jsonl"
    rows = [item("", "acme", answer)["task"] | {"id": f"answer-{answer!r}"} for answer in ("4", 4)]
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list[Found]()
    tally = check_tasks(config("acme"), tasks, None, found.append)
    assert (tally.tasks, dict(tally.codes)) == (2, {"invalid_reference": 1})
    assert (found[0].task, found[0].rewarder) == ("answer-4", "acme.says")


def test_params_that_are_refused_there_stop_the_service_at_its_start(config, opened):
    built = config("acme").model_dump()
    built["rubrics"]["acme.v1"]["parts"][0]["params"] = {"whisper": True}
    from env_server.app import open_service

    async def run() -> None:
        async with open_service(ServiceConfig.model_validate(built)):
            pass

    with pytest.raises(ConfigError, match="whisper"):
        asyncio.run(run())


def test_the_digest_on_the_record_is_of_the_code_over_there(config, venvs, tmp_path: Path):
    def digest() -> str:
        (plugin,) = load_plugins(config("acme")).isolated
        return plugin.specs[0].code_digest

    (source,) = venvs["acme"].glob("lib/python*/site-packages/plugin.py")
    before, content = digest(), source.read_text()
    try:
        source.write_text(content + "# changed\n")
        assert digest() != before
    finally:
        source.write_text(content)
    assert digest() == before


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_START_S", 3.0)


def scripted(folder: Path, script: str) -> IsolatedPlugin:
    """An environment whose Python is a shell script; `$4` is the descriptor that answers are expected on."""
    python = folder / "venv/bin/python"
    python.parent.mkdir(parents=True)
    script = script.replace("CORE", isolation.core_digest())
    python.write_text(f"#!/bin/bash\ncat > /dev/null\n{script}\n")
    python.chmod(0o755)
    section = {"isolation": "venv", "venv": folder / "venv", "load": ["acme"]}
    config = ServiceConfig.model_validate({"plugins": {"load": [], "acme": section}})
    plugin = IsolatedPlugin("acme", config.plugins.isolated["acme"])
    plugin.describe()
    return plugin


def described(**rewarder: Any) -> str:
    spec = {"name": "acme.x", "version": "1", "kind": "pure", "cpu_budget_s": 1, "distribution": "", "code_digest": ""}
    one = {"spec": {**spec, **rewarder}, "reference_fields": []}
    return json.dumps({"core": "CORE", "fingerprint": "f", "rewarders": [one]})


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("echo garbage >&$4", "did not say what it offers"),
        ("echo '[1, 2]' >&$4", "did not say what it offers"),
        ("true", "did not say what it offers"),
        ("echo 'no such module' >&2; exit 3", "left with 3: no such module"),
        ("exec sleep 60", "was not ready within 3 s"),
        ("kill -9 $$", "left with -9"),
        ("exec head -c 20000000 /dev/zero >&$4", "says more than 4,194,304 bytes"),
        ("(sleep 300 >&$4) & exit 0", "was not ready within 3 s"),
        ("""echo '{"core": "another", "rewarders": []}' >&$4""", "is not the one that serves; install the same"),
        ("echo '{}' >&$4", "its description is none"),
        (f"echo '{described(name='other.x')}' >&$4", "offers 'other.x', which does not begin with 'acme'"),
        (f"echo '{described(kind='async')}' >&$4", "acme.x is async; only what computes can be isolated"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_whatever_an_environment_says_is_a_sentence_about_it(tmp_path: Path, script: str, trouble: str):
    plugin = scripted(tmp_path, script)
    assert plugin.trouble is not None
    assert plugin.trouble.startswith("[plugins.acme]: ")
    assert trouble in plugin.trouble


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[plugins]\nlaod = ["assay"]', "plugins.laod"),
        ('[plugins.acme]\nisolation = "process"\nvenv = "/x"\nload = ["a"]', "plugins.acme.isolation"),
        ('[plugins.acme]\nisolation = "venv"\nvenv = "/x"', "nothing would be loaded"),
    ],
)
def test_a_mistake_in_the_section_is_named(tmp_path: Path, table: str, problem: str):
    path = tmp_path / "env.toml"
    path.write_text(table)
    with pytest.raises(ConfigError, match=problem):
        load_config(path, {})


@pytest.mark.parametrize("victim", ["worker", "nursery"])
def test_what_is_killed_in_the_middle_of_a_request_loses_nothing(opened, victim: str):
    items = [item("slow", "acme", "slow") for _ in range(100)]

    async def run() -> tuple[bytes, int, dict[str, Any]]:
        async with opened("acme") as service:
            pool = service.engine.pool.isolated["acme"]
            nursery = pool.pool._nursery
            assert nursery is not None
            answer = asyncio.create_task(service.engine.score(items))
            for _ in range(3 if victim == "worker" else 1):
                await asyncio.sleep(0.2)
                assert not answer.done(), "it was answered before anything was killed"
                pids = children(nursery._process.pid) if victim == "worker" else [nursery._process.pid]
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            done = await answer
            return done, pool.describe()["jobs"], pool.describe()["faults"]

    done, jobs, faults = asyncio.run(run())
    answered = ScoreResponse.model_validate_json(done).items
    assert (len(answered), jobs) == (100, 100)
    unscored = [each for each in answered if each.reward is None]
    assert {each.reward for each in answered} <= {1.0, None}
    assert len({each.record_id for each in answered}) == 100
    assert faults.get("RewarderFault", 0) == len(unscored)
    assert all("acme" in each.fault.message or "worker" in each.fault.message for each in unscored)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_process_that_serves_is_closed_to_its_neighbours():
    script = (
        "from env_server.isolation import keep_others_out as k; import ctypes; k(); print(ctypes.CDLL(None).prctl(3))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_a_plug_in_whose_processes_are_killed_gets_new_ones(opened):
    async def run() -> list[bytes]:
        async with opened("acme") as service:
            before = await service.engine.score([item("4", "acme")])
            nursery = service.engine.pool.isolated["acme"].pool._nursery
            assert nursery is not None
            nursery._process.kill()
            return [before, await service.engine.score([item("4", "acme"), raw_item("a" * 100, "length.v1")])]

    for answer in asyncio.run(run()):
        assert {each.reward for each in ScoreResponse.model_validate_json(answer).items} == {1.0}
