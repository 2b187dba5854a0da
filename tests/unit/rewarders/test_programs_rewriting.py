import json

import pytest

from rewarders.programs.constants import NotConstant, evaluate
from rewarders.programs.inside.crossing import encode
from rewarders.programs.plain import value_of
from rewarders.programs.rewriting import call_cases, check_syntax, parsed


def expression(source: str):
    return parsed(source).body[0].value  # type: ignore[attr-defined]


def met(test: str, value: object, code: str = "def check(candidate):\n    assert {}") -> bool:
    cases = call_cases(code.format(test), "f")
    assert cases is not None, "not rewritten"
    return all(case.expectation.met_by(value_of(encode(value))) for case in cases)


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [
        ("candidate(1) == 2", [2], [2.0, 3, True, "2", None]),
        ("2 == candidate(1)", [2], [3]),
        ("f(1) == 2", [2], [3]),
        ("candidate(1) == True", [True], [1, 1.0, False]),
        ("candidate(1) == 1", [1], [True, 1.0]),
        ("candidate(1) == 2.0", [2.0, 2], [2.5, True]),
        ("candidate(1) == (10**9 + 7) ** 2", [(10**9 + 7) ** 2], [(10**9 + 8) ** 2, float((10**9 + 7) ** 2)]),
        ("candidate(1) == [1] * 3 + [-1]", [[1, 1, 1, -1]], [(1, 1, 1, -1), [1, 1, 1]]),
        ("candidate(1) == (1, 'a')", [(1, "a")], [[1, "a"]]),
        ("candidate(1) == {'a': {1, 2}}", [{"a": {1, 2}}], [{"a": [1, 2]}, {}]),
        ("candidate(1) == set()", [set()], [frozenset(), [], {}]),
        ("candidate(1) == {}", [{}], [set(), []]),
        ("candidate(1) == None", [None], [False, 0]),
        ("candidate(1) == ''", [""], ["a", None]),
        ("candidate(1) == float('inf')", [float("inf")], [1.0]),
        ("candidate(1) != 5", [4, "5"], [5, 5.0]),
        ("candidate(1) != 1", [2], [1, True]),
        ("candidate(1) is True", [True], [1]),
        ("candidate(1) is not True", [1, False], [True]),
        ("candidate(1) is None", [None], [0]),
        ("candidate(1) is not None", [0], [None]),
        ("candidate(1)", [1, "a", [0], float("nan")], [0, "", [], {}, set(), None, 0.0]),
        ("not candidate(1)", [0, "", set()], [1, {1}]),
        ("abs(candidate(1) - 0.5) < 1e-6", [0.5, 0.5 + 1e-9], [0.6, True, "0.5", None, [0.5], 10**400, float("nan")]),
        ("abs(0.5 - candidate(1)) <= 0.1", [0.5, 0.45], [0.7]),
        ("abs(candidate(1) - 2.0 / 3.0) < 1 - 1e-6", [1, 0], [2]),
        ("math.isclose(candidate(1), 0.1)", [0.1], [0.2, False, "0.1"]),
        ("math.isclose(candidate(1), 1, rel_tol=0.1, abs_tol=1e-3)", [1.05, 1], [1.2, 10**400]),
        ("candidate(1) == 2 and candidate(2) == 2", [2], [3]),
        ("candidate(1) == 2, 'a message'", [2], [3]),
    ],
)
def test_an_assert_of_a_common_form_becomes_a_call_and_what_it_expects(test: str, right: list, wrong: list):
    code = "import math\ndef check(candidate):\n    assert {}"
    assert [met(test, value, code) for value in right] == [True] * len(right)
    assert [met(test, value, code) for value in wrong] == [False] * len(wrong)


def test_requests_hold_the_arguments_and_nothing_of_what_is_expected():
    cases = call_cases("assert f(1, (2.5,), key=b'x') == 424242\nassert f() == 7", "f")
    assert cases is not None
    assert [json.loads(case.request) for case in cases] == [
        {"entry_point": "f", "args": [1, {"$tuple": [2.5]}], "kwargs": {"key": {"$bytes": "eA=="}}},
        {"entry_point": "f", "args": [], "kwargs": {}},
    ]


@pytest.mark.parametrize(
    "code",
    [
        "assert f(1) == 2",
        "METADATA = {'a': 'b'}\n\ndef check(candidate):\n    'x'\n    assert True, 'why'\n    assert f(1) == 2\n    f",
        "import math\nfrom typing import Any\ndef check(c):\n    import math\n    pass\n    assert c(1) == 2\ncheck(f)",
    ],
)
def test_what_surrounds_the_asserts_is_passed_over(code: str):
    cases = call_cases(code, "f")
    assert cases is not None
    assert len(cases) == 1


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(3):\n    assert f(i) == i",
        "x = f(1)\nassert x == 2",
        "x = 1\nassert f(x) == 2",
        "assert f(1) == g(1)",
        "assert f(1) == f(2)",
        "assert g(1) == 2",
        "assert tuple(f(1)) == (2,)",
        "assert f(1).x == 2",
        "assert f(1) < 2",
        "assert 1 < f(1) < 2",
        "assert f(1) == 2 or f(1) == 3",
        "assert f(1) is 'a'",
        "assert f(*[1]) == 2",
        "assert f(**{'a': 1}) == 2",
        "assert f(1)(2) == 2",
        "assert False",
        "assert isinstance(f(1), list)",
        "assert abs(f(1) - 2) < f(2)",
        "assert abs(f(1) - 2) < float('nan')",
        "abs = f\nassert abs(f(1) - 2) < 1",
        "f = len\nassert f('a') == 1",
        "def f(x):\n    return x\nassert f(1) == 1",
        "def check(candidate):\n    assert candidate(1) == 2\ndef helper():\n    pass",
        "def check(candidate, other):\n    assert candidate(1) == 2",
        "def check(candidate=len):\n    assert candidate('a') == 1",
        "@print\ndef check(candidate):\n    assert candidate(1) == 2",
        "def check(abs):\n    assert abs(1) == 2",
        "async def check(candidate):\n    assert candidate(1) == 2",
        "from math import *\nassert f(1) == 2",
        "import os\nassert f(1) == 2",
        "check(f)",
        "assert f(9 ** 9 ** 9) == 2",
        "assert abs(f(1) - 10 ** 400) < 1",
        "assert f([0] * 10 ** 9) == 2",
        "if f(1) == 2:\n    assert True",
        "try:\n    assert f(1) == 2\nexcept ValueError:\n    pass",
    ],
)
def test_one_statement_of_another_form_leaves_them_all_as_they_are(code: str):
    assert call_cases(code, "f") is None


@pytest.mark.parametrize("entry_point", ["abs", "set", "check"])
def test_a_function_named_like_a_word_of_the_forms_is_not_rewritten(entry_point: str):
    assert call_cases(f"assert {entry_point}(1) == 2", entry_point) is None


@pytest.mark.parametrize("code", ["def check(candidate):\n    assert True", "'nothing'", "import math"])
def test_asserts_that_never_call_are_seen_to_be_empty(code: str):
    assert call_cases(code, "f") == ()


@pytest.mark.parametrize("code", ["assert f(1) = 2", "return 1", "\0", "(" * 1000, "x = '\\d'\nassert f(1"])
def test_code_that_does_not_compile_is_refused_without_quoting_it(code: str):
    for refuse in (parsed, check_syntax, lambda text: call_cases(text, "f")):
        with pytest.raises(ValueError, match=r"^is not Python") as caught:
            refuse(code)
        assert "f(1" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("-1", -1),
        ("~5", -6),
        ("not 1", False),
        ("'a' 'b'", "ab"),
        ("2 ** -1", 0.5),
        ("7 // 2 % 2", 1),
        ("1 << 10", 1024),
        ("b'a' + b'b'", b"ab"),
        ("3 * 'ab'", "ababab"),
        ("[1] * -1", []),
        ("1j * 1j", -1 + 0j),
        ("math.pi", 3.141592653589793),
        ("set([1, 2])", {1, 2}),
        ("tuple([1])", (1,)),
        ("frozenset('a')", frozenset("a")),
        ("{1: [2]}", {1: [2]}),
    ],
)
def test_constant_expressions_are_worth_what_python_says(source: str, value: object):
    assert evaluate(expression(source)) == value
    assert type(evaluate(expression(source))) is type(value)


@pytest.mark.parametrize(
    "source",
    [
        "x",
        "f()",
        "...",
        "1 / 0",
        "2 ** 10 ** 10",
        "10 ** 100000",
        "1 << 10 ** 30",
        "'a' * 10 ** 9",
        "[[0] * 1000] * 1000",
        "'%s' % 1",
        "'a' + 1",
        "{[]}",
        "{**{}}",
        "[*[1]]",
        "f'{1}'",
        "lambda: 1",
        "[x for x in []]",
        "1 if 1 else 2",
        "a.b",
        "open('x')",
        "set(1)",
        "float('x')",
        "(1 << 65000) * (1 << 65000)",
        "1e308 ** 2",
        "10 ** 10 ** 10 ** 10",
        "-'a'",
    ],
)
def test_what_is_no_constant_or_a_vast_one_is_not_computed(source: str):
    with pytest.raises(NotConstant):
        evaluate(expression(source))
