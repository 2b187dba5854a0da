"""Everything that is shipped loads: TOML files, README commands, links, one licence."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from env_server.config import ServiceConfig, load_config
from rewarders.registry import Registry
from rewarders.rubric_files import load_rubric
from trainer.config import SftConfig, TrainConfig
from trainer.config_file import load_config as load_trainer_config

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "docs", "env_server", "examples", "rewarders", "sandboxes", "tests", "trainer")
TOML = sorted([*ROOT.glob("*.toml"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.toml"))])
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")] + sorted(
    ROOT.glob("docs/*.md")
)


@pytest.mark.parametrize("path", TOML, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_shipped_toml_file_loads(path: Path):
    data = tomllib.loads(path.read_text("utf-8"))
    kind = path.relative_to(ROOT).parts[0]
    if path.parent.name == "rubrics":
        rubric = load_rubric(path)
        assert path.name == f"{rubric.name}.toml"
        registry = Registry.load(["assay"])
        assert all(registry.get(part.rewarder) for part in rubric.parts)
    elif "server" in data or "rubrics" in data:
        load_config(path, {})
    elif kind == "examples":
        load_trainer_config(SftConfig if "sft" in data else TrainConfig, path)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    found, pending = [], ""
    for line in "".join(blocks("sh")).splitlines():
        pending += line + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quoted argument goes on in the next line
            continue
        found += [words] if words else []
        pending = ""
    assert not pending, "the README holds a command that does not end"
    return found


@pytest.mark.parametrize("command", commands(), ids=lambda words: " ".join(words[:3]))
def test_every_command_of_the_readme_exists(command: list[str]):
    program, *arguments = command
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif Path(program).name in ("env-server", "trainer"):
        verbs = [word for word in arguments[:2] if re.fullmatch(r"[a-z-]+", word) and not Path(word).suffix]
        known = verbs if verbs[:1] in (["plugins"], ["audit"]) else verbs[:1]
        text = help_of(Path(program).name, *known)
        assert [word for word in arguments if word.startswith("--") and word.partition("=")[0] not in text] == []
    elif Path(program).name == "python":
        assert (ROOT / arguments[0]).exists() or arguments[0] in ("-m", "-c")
    else:
        assert program in ("curl", "git", "cd", "pip", ".venv/bin/pip", "source", ".")


def help_of(program: str, *verbs: str) -> str:
    wide = {"COLUMNS": "200", "TERM": "dumb", "PATH": "/usr/bin:/bin"}
    command = [str(Path(sys.executable).parent / program), *verbs, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(
    "block", re.findall(r"```toml\n(.*?)```", (ROOT / "docs/service.md").read_text("utf-8"), re.DOTALL)
)
def test_every_configuration_in_the_documents_is_one(block: str):
    ServiceConfig.model_validate(tomllib.loads(block))


COMPOSITION = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
INTERNAL = {
    name
    for name, network in COMPOSITION["networks"].items()
    if network and network["internal"] and network["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
}
"""Networks that lead nowhere, and not to this host either."""


@pytest.mark.parametrize("name", COMPOSITION["services"])
def test_a_container_of_the_composition_has_no_privileges_and_stays_on_this_host(name: str):
    service = COMPOSITION["services"][name]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service)
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


@pytest.mark.parametrize("name", ["env-server", "sandboxes"])
def test_what_starts_processes_for_others_has_an_end_to_what_it_takes(name: str):
    service = COMPOSITION["services"][name]
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["pids_limit"] > 0


def test_every_secret_is_asked_for_by_the_name_of_its_variable():
    for name, secret in COMPOSITION["secrets"].items():
        default = secret["file"].partition(":")[2]
        variable = f"{name.upper()}_FILE"
        assert secret["file"].startswith(f"${{{variable}:")
        assert default.startswith("?") or variable in default, "an empty file would be no key, and say nothing"


@pytest.mark.parametrize("name", ["sandboxes", "postgres", "vllm", "trainer"])
def test_what_runs_programs_or_holds_records_leads_nowhere(name: str):
    assert set(COMPOSITION["services"][name]["networks"]) <= INTERNAL


def test_only_the_service_and_the_trainer_meet_others_on_their_networks():
    shared = {name: set(service["networks"]) for name, service in COMPOSITION["services"].items()}
    others = set(shared) - {"env-server", "trainer"}
    assert not [(one, two) for one in others for two in others - {one} if shared[one] & shared[two] - {"policy"}]


def test_the_project_says_its_licence_once_and_everywhere():
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"


def test_every_package_folder_is_shipped():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    packages = ("sandboxes", "rewarders", "env_server", "trainer")
    found = {".".join(p.parent.relative_to(ROOT).parts) for top in packages for p in (ROOT / top).rglob("__init__.py")}
    assert listed == found


def test_ci_runs_the_readmes_own_test_command():
    assert "make test" in README
    assert "make test" in (ROOT / ".ci/run").read_text("utf-8")
