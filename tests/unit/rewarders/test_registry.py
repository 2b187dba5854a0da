"""What a registry refuses, and that it says whose fault it is."""

import inspect
import math
import types

import odd_rewarders
import pytest
from pydantic import BaseModel

from rewarders import AssayError, Completion, Registry, RewarderFault, Verdict, rewarder
from rewarders.errors import InvalidTask, PluginError, boundary
from rewarders.tools import Tools


def fine(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Say something."""
    return Verdict(score=1.0, reason="ok")


def marked(function=fine, **mark):
    twin = types.FunctionType(function.__code__, globals(), function.__name__)
    twin.__annotations__, twin.__doc__ = dict(function.__annotations__), function.__doc__
    return rewarder(mark.pop("name", "acme.fine"), version=mark.pop("version", "1.0"), **mark)(twin)


def two_arguments(completion: Completion, params: BaseModel) -> Verdict:
    """Too few."""
    return Verdict(score=1.0, reason="ok")


def no_docstring(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    return Verdict(score=1.0, reason="ok")


def returns_a_float(completion: Completion, reference: None, params: BaseModel) -> float:
    """Not a verdict."""
    return 1.0


async def waits(completion: Completion, reference: None, params: BaseModel, tools: Tools) -> Verdict:
    """Async."""
    return Verdict(score=1.0, reason="ok")


async def without_tools(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """Async, as a plain function would be written."""
    return Verdict(score=1.0, reason="ok")


def with_tools(completion: Completion, reference: None, params: BaseModel, tools: Tools) -> Verdict:
    """Plain, as an async function would be written."""
    return Verdict(score=1.0, reason="ok")


def yields(completion: Completion, reference: None, params: BaseModel) -> Verdict:
    """A generator."""
    yield Verdict(score=1.0, reason="ok")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (marked(name="Fine"), "the name 'Fine'"),
        (marked(name="fine"), "the name 'fine'"),
        (marked(version="one"), "the version 'one'"),
        (marked(two_arguments), "takes other arguments"),
        (marked(no_docstring), "has no docstring"),
        (marked(returns_a_float), "annotated to return a Verdict"),
        (marked(without_tools), r"is async and takes other arguments than \(completion, reference, params, tools\)"),
        (marked(with_tools), r"takes other arguments than \(completion, reference, params\)"),
        (marked(yields), "yields; a rewarder returns one Verdict"),
        (marked(waits, cpu_budget_s=2.0), "is async, so cpu_budget_s and preload mean nothing"),
        (marked(waits, preload=["json"]), "is async, so cpu_budget_s and preload mean nothing"),
        (marked(check=lambda reference: ()), r"its check takes other arguments than \(reference, params\)"),
        (marked(cpu_budget_s=0), "cpu_budget_s is 0"),
        (marked(cpu_budget_s=math.nan), "cpu_budget_s is nan"),
    ],
)
def test_a_function_that_breaks_the_contract_is_refused_with_its_distribution(broken, says):
    with pytest.raises(PluginError, match=says) as caught:
        Registry().add(broken, "acme-rewards 2.1")
    assert "acme-rewards 2.1" in str(caught.value)


def test_an_async_function_is_known_as_one_and_has_no_cpu_budget():
    registry = Registry()
    plain = registry.add(marked(), "acme 1").describe()
    waiting = registry.add(marked(waits, name="acme.waits"), "acme 1").describe()
    assert (plain["kind"], plain["cpu_budget_s"]) == ("pure", 2.0)
    assert (waiting["kind"], waiting["cpu_budget_s"]) == ("async", None)


def test_the_code_digest_of_an_async_rewarder_covers_what_its_tools_are_made_of():
    registry = Registry()
    plain = registry.add(marked(), "acme 1")
    waiting = registry.add(marked(waits, name="acme.waits"), "acme 1")
    assert plain.code_digest != waiting.code_digest


def test_a_taken_name_names_both_distributions():
    registry = Registry()
    registry.add(marked(), "first 1.0")
    with pytest.raises(PluginError, match=r"second 1\.0.*'acme\.fine' is taken by first 1\.0"):
        registry.add(marked(), "second 1.0")


def test_a_module_without_rewarders_is_refused():
    with pytest.raises(PluginError, match="holds no rewarder"):
        Registry().add_module(types.ModuleType("empty"), "acme 1")


def test_a_module_that_cannot_be_imported_is_named_with_the_reason():
    with pytest.raises(PluginError, match=r"module 'no_such_module' raised ModuleNotFoundError"):
        Registry.load([], ["no_such_module"])


def test_a_distribution_that_is_not_installed_is_named():
    with pytest.raises(PluginError, match="no installed distribution named 'acme-rewards'"):
        Registry.load(["acme-rewards"])


def test_the_built_in_rewarders_are_found_through_their_entry_points():
    registry = Registry.load(["assay"])
    assert {"layout.length", "layout.tags", "maths.equal"} <= {spec.name for spec in registry}
    spec = registry.get("maths.equal")
    assert spec is not None
    assert spec.distribution.startswith("assay ")
    assert spec.summary
    assert spec.code_digest.startswith("sha256:")


def test_each_rewarder_sees_only_the_reference_fields_it_declares():
    spec = Registry.load([], ["odd_rewarders"]).get("odd.echo")
    assert spec is not None
    assert spec.read_reference({"answer": "4", "sources": []}) == odd_rewarders.Reference(answer="4")


def test_a_reference_that_does_not_validate_is_the_tasks_fault_and_is_not_repeated():
    spec = Registry.load([], ["odd_rewarders"]).get("odd.echo")
    assert spec is not None
    with pytest.raises(InvalidTask) as caught:
        spec.read_reference({"answer": ["canary"]})
    assert caught.value.field == "task.reference.answer"
    assert "canary" not in str(caught.value)


def test_a_boundary_attributes_strangers_errors_and_lets_ours_through():
    with (
        pytest.raises(RewarderFault, match=r"acme\.x raised KeyError at test_registry\.py:\d+") as caught,
        boundary(RewarderFault, "acme.x"),
    ):
        raise KeyError("k")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(AssayError, match="ours"), boundary(RewarderFault, "acme.x"):
        raise AssayError("ours")


def test_a_rewarder_in_a_namespace_package_has_a_code_digest_that_follows_its_code(tmp_path, monkeypatch):
    (tmp_path / "acme_ns").mkdir()
    module = tmp_path / "acme_ns" / "quotes.py"
    source = inspect.getsource(odd_rewarders).replace("odd.", "acme_ns.")
    module.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    first = Registry.load([], ["acme_ns.quotes"]).fingerprint
    module.write_text(source + "# changed\n")
    assert Registry.load([], ["acme_ns.quotes"]).fingerprint != first
