"""On the tests' side: runs trusted tests against a candidate in another process, and writes down what came of each.

Reads `order.json`, writes `verdict.json`. Nothing of the candidate's ever runs here; once it is gone every test fails.
"""

import ast
import builtins
import importlib
import importlib.machinery
import inspect
import json
import os
import socket
import symtable
import sys
import warnings
from typing import Any

from .attempt import Attempt
from .link import CandidateLeft, Link
from .remote import CandidateModule, Handle
from .strict import install, strictly

LINK = 3
SHARED = {"capsys", "capsysbinary", "capfd", "capfdbinary", "caplog", "recwarn", "monkeypatch", "tmp_path", "tmpdir"}
"""Fixtures that look into the process, or onto the disk, that the tests would have to share with the candidate."""
NAME_CHARS = 80
MAX_TESTS = 10_000
"""The candidate may have a say in how many there are."""


def unbound(code: str) -> list[str]:
    """Names that code reads from its module and nobody has put there."""
    table = symtable.symtable(code, "tests", "exec")
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    bound |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_namespace()}
    read: set[str] = set()
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        waiting += scope.get_children()
        for symbol in scope.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or scope is table):
                read.add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
    return sorted(read - bound - set(dir(builtins)) - {"__file__"})


def lend_modules(tree: ast.Module) -> None:
    """Give tests the standard modules that they forgot to import: a candidate's `math` would be told what is right.

    A name that is used for more than its attributes is no module.
    """
    nodes = list(ast.walk(tree))
    owners = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    others = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in owners}
    for name in sys.stdlib_module_names.intersection(unbound(ast.unparse(tree))) - others:
        setattr(builtins, name, importlib.import_module(name))


class TestLoader(importlib.machinery.SourceFileLoader):
    """Imports the task's files with strict comparisons, and without `*` for the candidate's names."""

    module = "solution"

    def source_to_code(self, data: Any, path: Any, **options: Any) -> Any:  # type: ignore[override]
        """Compile one file."""
        tree = ast.parse(data)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == self.module and node.names[0].name == "*":
                lend_modules(tree)
                wanted = [name for name in unbound(ast.unparse(tree)) if not name.startswith("_")]
                node.names = [ast.alias(name) for name in wanted] or [ast.alias("__name__", "_")]
        return compile(strictly(tree), path, "exec", dont_inherit=True)


def left_out(item: Any) -> bool:
    """Whether the author marks a test to be skipped or to fail, without a condition."""
    skips = [getattr(holder, "__unittest_skip__", False) for holder in (item.cls, item.obj)]
    return any((item.get_closest_marker("skip"), item.get_closest_marker("xfail"), *skips))


class Recorder:
    """A pytest plug-in that keeps what came of each test."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.left_out = 0
        self.broken: str | None = None

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Every test has failed until it has passed; what its author marks to be skipped or to fail is no test."""
        wanted = [item for item in items if not left_out(item)]
        self.left_out = len(items) - len(wanted)
        items[:] = wanted if len(wanted) <= MAX_TESTS else []
        if len(wanted) > MAX_TESTS:
            self.outcomes["all"] = {"outcome": "too_many"}
        for item in items:
            self.outcomes[item.nodeid] = {"outcome": "not_run"}
            for fixture in sorted(SHARED & set(getattr(item, "fixturenames", ()))):
                self.link.refuse(f"a test uses the fixture {fixture}, which cannot see into the candidate's process")
            if inspect.iscoroutinefunction(item.obj):
                self.link.refuse("a test is async; the candidate's coroutines cannot be awaited from its process")

    def pytest_collectreport(self, report: Any) -> None:
        """A file that skips itself may do so because of the candidate."""
        if report.outcome == "skipped":
            self.outcomes[report.nodeid] = {"outcome": "skipped"}

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        """Keep the kind of a failure, and whose it is when a file cannot be collected."""
        kept = self.outcomes.setdefault(node.nodeid, {"outcome": "not_collected"})
        error = call.excinfo.value.__cause__ or call.excinfo.value  # pytest wraps what an import raises
        kept["raised"] = type(error).__name__[:NAME_CHARS]
        if kept["outcome"] == "not_collected" and self._is_ours(error):
            self.broken = f"a test file cannot be imported: {error.name} is not there"

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test has passed if all of its three phases did, and the candidate was there to the end."""
        kept = self.outcomes[report.nodeid]
        if report.outcome != "passed" or self.link.gone:
            kept["outcome"] = "skipped" if report.outcome == "skipped" else "failed"
        elif report.when == "call" and kept["outcome"] == "not_run":
            kept["outcome"] = "passed"

    def _is_ours(self, error: BaseException) -> bool:
        """A module that is not there is the task's mistake, unless the candidate raised it."""
        by_import = isinstance(error, ModuleNotFoundError) and error.name is not None
        return by_import and not self.link.is_candidates(error)


def run_pytest(order: dict[str, Any], link: Link) -> dict[str, Any]:
    """Run the task's files with pytest."""
    import pytest

    TestLoader.module = order["module"]
    sys.modules[order["module"]] = CandidateModule(order["module"], Handle(link, 0))
    here, hook = os.getcwd(), importlib.machinery.FileFinder.path_hook((TestLoader, [".py"]))

    def strict_here(path: str) -> Any:
        if os.path.commonpath([here, os.path.abspath(path)]) != here:
            raise ImportError
        return hook(path)

    sys.path_hooks.insert(0, strict_here)
    sys.path_importer_cache.clear()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    recorder = Recorder(link)
    off = [f"-pno:{name}" for name in ("cacheprovider", "faulthandler", "junitxml", "warnings", "logging", "doctest")]
    flags = ["-c", "tests.ini", "--rootdir=.", "--assert=plain", "--tb=no", "--capture=no", "-q", *off]
    flags += ["--exitfirst"] if order["stop_at_first"] else []
    status = pytest.main([*flags, *order["collect"]], [recorder])
    if status == pytest.ExitCode.USAGE_ERROR:
        recorder.broken = "pytest does not accept the test files"
    tests = list(recorder.outcomes.values())
    return {"tests": tests, "left_out": recorder.left_out, "broken": recorder.broken, "asked": link.asked}


def run_asserts(order: dict[str, Any], link: Link) -> dict[str, Any]:
    """Run a task's asserts, and its `check` unless they call it themselves."""
    candidate = Handle(link, 0)
    tree = ast.parse(order["code"])
    names = {"__name__": "tests"}
    borrowed = []
    asked = 0
    with Attempt() as attempt:
        names["candidate"] = names[order["entry_point"]] = entry = getattr(candidate, order["entry_point"])
        if not isinstance(entry, Handle):
            raise TypeError("the entry point is no function")
        lend_modules(tree)
        for name in unbound(order["code"]):
            if name not in names:
                with Attempt() as borrowing:
                    names[name] = getattr(candidate, name)
                    borrowed.append(name)
                if isinstance(borrowing.error, CandidateLeft):
                    raise borrowing.error
        asked = link.asked
        exec(compile(strictly(tree), "tests", "exec", dont_inherit=True), names)
        if not calls_check(tree) and callable(names.get("check")):
            names["check"](names[order["entry_point"]])  # type: ignore[operator]
    outcome = "passed" if attempt.raised is None and not link.gone else "failed"
    test = {"outcome": outcome, "raised": (attempt.raised or "")[:NAME_CHARS]}
    found = order["entry_point"] in names
    return {"tests": [test], "borrowed": borrowed, "found": found, "asked": link.asked - asked}


def calls_check(tree: ast.Module) -> bool:
    """Whether a statement of the module calls `check`."""
    calls = (node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "check" for call in calls)


def main() -> None:
    """Load the candidate, run the tests, write the verdict."""
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    with open("order.json", encoding="utf-8") as file:
        order = json.load(file)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    link = Link(socket.socket(fileno=LINK), order["patience_s"], Handle)
    install()
    with Attempt() as loading:
        link.load(order["path"])
    verdict: dict[str, Any] = {"tests": [], "load_raised": loading.raised and loading.raised[:NAME_CHARS]}
    if loading.raised is None:
        verdict.update(run_asserts(order, link) if order["kind"] == "asserts" else run_pytest(order, link))
    verdict.update(gone=link.gone, uncrossable=link.uncrossable)
    with open("verdict.json", "w", encoding="utf-8") as file:
        json.dump(verdict, file)
    os._exit(0)
