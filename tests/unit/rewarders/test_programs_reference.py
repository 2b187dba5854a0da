import copy
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from rewarders.programs import Params, Reference
from rewarders.programs.reference import HiddenReference, ImpossibleReference, VariantsReference

STDIO = {"kind": "stdio", "cases": [{"stdin": "3 4\n", "stdout": "7\n"}], "checker": "tokens"}
CALL = {"kind": "call", "entry_point": "add", "cases": [{"args": [3, 4], "kwargs": {}, "expected": 7}]}
ASSERTS = {"kind": "asserts", "entry_point": "add", "code": "def check(candidate):\n    assert candidate(1, 2) == 3"}
PYTEST = {"kind": "pytest", "files": {"test_add.py": "import solution"}, "module": "solution.py"}


def read(tests: Any, model: type[BaseModel] = Reference, **fields: Any) -> BaseModel:
    return model.model_validate({"language": "python", "tests": tests, **fields})


@pytest.mark.parametrize("tests", [STDIO, CALL, ASSERTS, PYTEST], ids=lambda tests: tests["kind"])
def test_a_task_of_every_kind_is_read(tests: dict[str, Any]):
    assert read(tests).tests.kind == tests["kind"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tests", "changes"),
    [
        (STDIO, {"cases": []}),
        (STDIO, {"cases": [{"stdout": "1"}] * 10_001}),
        (STDIO, {"cases": [{"stdin": "1"}]}),
        (STDIO, {"cases": [{"stdin": 1, "stdout": "1"}]}),
        (STDIO, {"checker": "kind"}),
        (STDIO, {"checker": {"kind": "float", "abs": -1.0}}),
        (STDIO, {"checker": {"kind": "program", "source": ""}}),
        (STDIO, {"extra": 1}),
        (CALL, {"cases": []}),
        (CALL, {"cases": [{"args": [1]}]}),
        (CALL, {"cases": [{"args": 1, "expected": 1}]}),
        (CALL, {"cases": [{"expected": {"$unknown": 1}}]}),
        (CALL, {"cases": [{"args": [{"$set": 1}], "expected": 1}]}),
        (CALL, {"cases": [{"kwargs": {"a": {"$int": "7"}}, "expected": 1}]}),
        (CALL, {"cases": [{"kwargs": {"not a name": 1}, "expected": 1}]}),
        (CALL, {"entry_point": "a b"}),
        (CALL, {"entry_point": "a.b.c"}),
        (CALL, {"tolerance": {"abs": -1.0}}),
        (ASSERTS, {"code": ""}),
        (ASSERTS, {"code": "assert add(1"}),
        (ASSERTS, {"code": "def check(candidate):\n    assert True"}),
        (ASSERTS, {"entry_point": "a.b"}),
        (PYTEST, {"files": {}}),
        (PYTEST, {"files": {"helper.py": ""}}),
        (PYTEST, {"files": {"test_a.py": "def"}}),
        (PYTEST, {"files": {"../test_a.py": ""}}),
        (PYTEST, {"files": {"/test_a.py": ""}}),
        (PYTEST, {"files": {"test_a.py": "", "solution.py": ""}}),
        (PYTEST, {"files": {"test_a.py": "", "order.json": ""}}),
        (PYTEST, {"module": "solution"}),
        (PYTEST, {"module": "main.py"}),
        (PYTEST, {"module": "a/b.py"}),
        (STDIO, {"kind": "unknown"}),
    ],
)
def test_a_task_that_could_not_be_judged_is_refused(tests: dict[str, Any], changes: dict[str, Any]):
    with pytest.raises(ValidationError):
        read({**copy.deepcopy(tests), **changes})


def test_what_is_refused_is_not_quoted():
    for tests in ({**ASSERTS, "code": "assert secret == 'x"}, {**CALL, "cases": [{"expected": {"$secret": 1}}]}):
        with pytest.raises(ValidationError) as caught:
            read(tests)
        problem = caught.value.errors(include_input=False)[0]
        assert problem["type"] == "refused"
        assert "secret" not in problem["msg"]


@pytest.mark.parametrize("tests", [CALL, ASSERTS, PYTEST], ids=lambda tests: tests["kind"])
def test_tests_that_speak_python_are_for_python_alone(tests: dict[str, Any]):
    for model, fields in (
        (Reference, {"tests": tests}),
        (HiddenReference, {"hidden": tests}),
        (VariantsReference, {"variants": [tests]}),
    ):
        with pytest.raises(ValidationError, match="are for Python"):
            model.model_validate({"language": "cpp", **fields})


def test_other_languages_have_stdio():
    assert Reference.model_validate({"language": "cpp", "tests": STDIO}).language == "cpp"


def test_a_policy_for_trusted_programs_is_no_language_of_a_task():
    with pytest.raises(ValidationError, match="trusted"):
        Reference.model_validate({"language": "pytest", "tests": STDIO})


def test_companions_read_their_own_fields():
    assert read(STDIO, ImpossibleReference, impossible=True).impossible is True  # type: ignore[attr-defined]
    assert HiddenReference.model_validate({"language": "python"}).hidden is None
    assert (
        VariantsReference.model_validate({"language": "python", "variants": [STDIO, CALL]}).variants[1].kind == "call"
    )


@pytest.mark.parametrize(
    "params",
    [{"score": "half"}, {"limits": {"wall_s": 0.0}}, {"submission_wall_s": 0.0}, {"max_code_bytes": 0}, {"unknown": 1}],
)
def test_params_out_of_range_are_refused(params: dict[str, Any]):
    with pytest.raises(ValidationError):
        Params.model_validate(params)
