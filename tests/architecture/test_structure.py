"""Taste as tests: floors, sizes, import weight, public names, and that what is shipped loads."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sandboxes", "rewarders", "env_server", "trainer")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "attacks" not in path.parts)
PROGRAMS = [*SOURCES, *sorted(ROOT.glob("examples/**/*.py")), *sorted(ROOT.glob("benchmarks/**/*.py"))]
VAGUE = {"utils", "helpers", "common", "base", "misc", "manager", "util", "helper"}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def modules_after(statement: str) -> set[str]:
    return set(run(sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)").split())


def test_the_floors_hold():
    run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= 400
    long = [f"{function.name}: {length(function)}" for function in functions(path) if length(function) > 80]
    assert not long


def test_most_files_and_functions_are_much_smaller():
    assert statistics.median(len(path.read_text("utf-8").splitlines()) for path in SOURCES) <= 150
    sizes = sorted(length(function) for path in SOURCES for function in functions(path))
    assert statistics.median(sizes) <= 13
    assert sizes[len(sizes) * 9 // 10] <= 40


def test_nothing_has_a_vague_name():
    assert [path for path in PROGRAMS if path.stem in VAGUE] == []
    nodes = (node for path in PROGRAMS for node in ast.walk(parsed(path)))
    assert {node.name.lower() for node in nodes if isinstance(node, ast.ClassDef)} & VAGUE == set()


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import rewarders", {"torch", "fastapi", "httpx", "sympy", "numpy"}),
        ("import rewarders.maths, rewarders.layout", {"torch", "fastapi", "httpx", "sympy", "numpy"}),
        ("import sandboxes", {"torch", "fastapi", "httpx", "docker", "rewarders"}),
        ("import env_server.client", {"torch", "fastapi", "starlette", "uvicorn", "sqlalchemy", "sympy"}),
        ("import env_server.dialects.trl, env_server.dialects.verl", {"torch", "trl", "verl", "numpy", "fastapi"}),
        ("import env_server.cli", {"torch", "fastapi", "uvicorn", "sqlalchemy", "sympy", "httpx"}),
        ("import env_server.worker_process", {"torch", "fastapi", "asyncio", "sqlalchemy"}),
        ("import trainer.cli", {"torch", "transformers", "fastapi", "sqlalchemy", "numpy", "matplotlib"}),
    ],
)
def test_imports_weigh_no_more_than_they_must(statement: str, absent: set[str]):
    assert modules_after(statement) & absent == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted_and_exist(package: str):
    module = __import__(package)
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(names, key=lambda name: (name != name.upper(), name))
    assert all(hasattr(module, name) for name in names)


def test_a_plug_in_author_can_hold_every_public_name():
    import rewarders

    assert len(rewarders.__all__) <= 13


def test_only_the_app_names_what_the_service_is_built_of():
    backends = {"NamespaceSandbox(", "DockerSandbox(", "RemoteSandbox(", "FusionSandbox("}
    builders = {"WorkerPool(", "CallPool(", "LedgerWriter(", "Engine(", *backends}
    users = {
        path.name
        for path in (ROOT / "env_server").rglob("*.py")
        for builder in builders
        if builder in path.read_text("utf-8") and f"class {builder[:-1]}" not in path.read_text("utf-8")
    }
    assert users <= {"app.py", "checking.py"}, "checking.py tries the ledger alone; everything else is wired in app.py"


def test_nobody_else_catches_everything():
    broad = [path.relative_to(ROOT) for path in SOURCES if any(map(catches_everything, ast.walk(parsed(path))))]
    assert broad == [Path("rewarders/errors.py")]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def catches_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    return node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
