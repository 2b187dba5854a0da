"""The images of compose.yaml, built and started as it says, on a base that no registry was asked for."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
BASE = "assay-test-base"
ABSENT = "THE IMAGES ARE NOT BUILT HERE: "
COMPOSER = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
EXTRAS = {"env-server": ("server", "postgres"), "sandboxes": ("server",)}
"""The trainer's image is left out: the torch that is pinned brings gigabytes of CUDA."""


def run(*command: object, **options: Any) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def requirements(extras: Sequence[str]) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"]
    ours = [*project["project"]["dependencies"], *project["build-system"]["requires"], "wheel"]
    return [*ours, *(one for extra in extras for one in optional[extra])]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Debian with Python and, as its only index, the wheels that the images install."""
    if not works("docker", "info"):
        pytest.skip(ABSENT + "there is no container engine")
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip(ABSENT + "debootstrap is missing, or root")
    folder = tmp_path_factory.mktemp("base")
    (release,) = [line for line in Path("/etc/os-release").read_text().splitlines() if "VERSION_CODENAME" in line]
    packages = "python3,python3-pip,python3-venv,ca-certificates"
    tree = folder / "tree"
    if not works("debootstrap", "--variant=minbase", f"--include={packages}", release.partition("=")[2], str(tree)):
        pytest.skip(ABSENT + "debootstrap could not make a Debian")
    python = run("chroot", tree, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    download(python, tree / "wheels")
    (tree / "etc/pip.conf").write_text(
        "[global]\nno-index = true\nfind-links = /wheels\nbreak-system-packages = true\n"
    )
    (tree / "usr/bin/python").symlink_to("python3")
    with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
        run("docker", "import", "-", BASE, stdin=tar.stdout)
    shutil.rmtree(tree)
    yield BASE
    run("docker", "rmi", "--force", BASE, *(f"assay-test-{target}" for target in EXTRAS))


def download(python: str, into: Path) -> None:
    needed = requirements(sorted({extra for extras in EXTRAS.values() for extra in extras}))
    pins = ["--constraint", ROOT / "constraints.txt", "--python-version", python, "--only-binary", ":all:"]
    run(sys.executable, "-m", "pip", "download", "--quiet", "--dest", into, *pins, *needed)


@pytest.fixture(scope="module")
def images(base: str) -> dict[str, str]:
    """Every image that can be built without a network, by its target."""
    for target in EXTRAS:
        options = ["--build-arg", f"BASE={base}", "--target", target, "--tag", f"assay-test-{target}"]
        run("docker", "build", "--quiet", "--network", "none", *options, ROOT)
    return {target: f"assay-test-{target}" for target in EXTRAS}


def started(image: str, service: str, entry: str, *arguments: str) -> str:
    """What a command says in a container that is as locked in as the composition's, without any network."""
    said = COMPOSE[service]
    options = ["--network=none", "--read-only", *(f"--tmpfs={place}" for place in said["tmpfs"])]
    options += [f"--cap-drop={name}" for name in said["cap_drop"]]
    options += [f"--security-opt={one.replace('seccomp:.', f'seccomp={ROOT}')}" for one in said["security_opt"]]
    command = ["docker", "run", "--rm", *options, f"--entrypoint={entry}", image, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def test_the_service_starts_on_a_read_only_root(images: dict[str, str]):
    checks = json.loads(started(images["env-server"], "env-server", "env-server", "check", "--json"))
    missing = ["sandbox"]  # which is why the sandboxes have a container of their own
    assert [check["name"] for check in checks if not check["ok"]] == missing, checks


def test_programs_are_isolated_in_a_container_without_privileges(images: dict[str, str]):
    said = started(images["sandboxes"], "sandboxes", "env-server", "sandbox", "doctor")
    assert "namespaces:full may be used" in said
    assert "programs in python run" in said
    assert "not offered: the sandbox for bash" not in said


@pytest.mark.skipif(not works(*COMPOSER, "version"), reason="NOT CHECKED BY COMPOSE ITSELF: apt install docker-compose")
@pytest.mark.parametrize("profile", [[], ["--profile", "gpu"]], ids=["service", "gpu"])
def test_compose_reads_the_composition(profile: list[str], tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    named = dict.fromkeys(("POSTGRES_PASSWORD_FILE", "SANDBOX_TOKEN_FILE", "METRICS_KEY_FILE"), str(secret))
    read = yaml.safe_load(run(*COMPOSER, *profile, "config", cwd=ROOT, env={**os.environ, **named}))
    assert {"env-server", "sandboxes", "postgres", "prometheus"} <= set(read["services"])


@pytest.mark.skipif(not works(*COMPOSER, "version"), reason="NOT CHECKED BY COMPOSE ITSELF: apt install docker-compose")
@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD_FILE", "SANDBOX_TOKEN_FILE", "METRICS_KEY_FILE"])
def test_a_secret_that_is_not_named_is_asked_for(missing: str, tmp_path: Path):
    named = dict.fromkeys(("POSTGRES_PASSWORD_FILE", "SANDBOX_TOKEN_FILE", "METRICS_KEY_FILE"), str(tmp_path))
    del named[missing]
    done = subprocess.run(
        [*COMPOSER, "config"], cwd=ROOT, env={**os.environ, **named}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "names a file with" in done.stderr
