"""SandboxFusion's clients are answered in their own words, over real HTTP."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox_servers import serving

from sandboxes.policy import find_policies

FIELDS_OF_A_RESPONSE = {"status", "message", "compile_result", "run_result", "executor_pod_name", "files"}
FIELDS_OF_A_COMMAND = {"status", "execution_time", "return_code", "stdout", "stderr"}
MISSING = {name for name, policy in find_policies().items() if policy.missing}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with serving() as server, httpx.Client(base_url=server.url, timeout=120) as client:
        yield client


def run_code(http: httpx.Client, code: str, language: str = "python", **fields: Any) -> dict[str, Any]:
    response = http.post("/run_code", json={"code": code, "language": language, **fields})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer.keys() == FIELDS_OF_A_RESPONSE
    for command in (answer["compile_result"], answer["run_result"]):
        assert command is None or command.keys() == FIELDS_OF_A_COMMAND
    return answer


def test_the_server_answers_a_ping_and_keeps_no_data_sets(http: httpx.Client):
    assert (http.get("/v1/ping").json(), http.get("/list_datasets").json()) == ("pong", [])


def test_a_program_that_ends_well_is_a_success(http: httpx.Client):
    answer = run_code(http, "print(input()[::-1])", stdin="abc\n")
    assert (answer["status"], answer["message"], answer["compile_result"]) == ("Success", "", None)
    command = answer["run_result"]
    assert (command["status"], command["return_code"], command["stdout"]) == ("Finished", 0, "cba\n")
    assert command["execution_time"] > 0


def test_the_request_that_verls_client_sends_is_served(http: httpx.Client):
    answer = run_code(
        http,
        "print('ok')",
        stdin="",
        compile_timeout=10,
        run_timeout=10,
        memory_limit_MB=1024,
        files={},
        fetch_files=[],
    )
    assert (answer["status"], answer["run_result"]["stdout"]) == ("Success", "ok\n")


def test_an_absent_input_and_unknown_fields_do_no_harm(http: httpx.Client):
    answer = run_code(http, "import sys; print(len(sys.stdin.read()))", stdin=None, args=["-v"], colour="red")
    assert answer["run_result"]["stdout"] == "0\n"


@pytest.mark.parametrize(
    ("code", "return_code", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
        ("x = b'x' * 10**9", -9, "out of memory"),
        ("def f(:", 1, "SyntaxError"),
    ],
)
def test_a_program_that_ends_badly_has_failed(http: httpx.Client, code: str, return_code: int, said: str):
    answer = run_code(http, code, memory_limit_MB=64)
    assert (answer["status"], answer["message"]) == ("Failed", "")
    assert (answer["run_result"]["status"], answer["run_result"]["return_code"]) == ("Finished", return_code)
    assert said in answer["run_result"]["stderr"]


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
def test_a_program_that_takes_too_long_has_exceeded_its_time(http: httpx.Client, code: str):
    answer = run_code(http, "print('so far', flush=True)\n" + code, run_timeout=1)
    assert (answer["status"], answer["run_result"]["status"]) == ("Failed", "TimeLimitExceeded")
    assert (answer["run_result"]["return_code"], answer["run_result"]["stdout"]) == (None, "so far\n")


def test_output_that_was_cut_off_is_never_a_success(http: httpx.Client):
    answer = run_code(http, "print('x' * 3_000_000)")
    assert (answer["status"], answer["run_result"]["status"]) == ("Failed", "Finished")
    assert answer["run_result"]["return_code"] != 0
    assert "more output" in answer["run_result"]["stderr"]


def test_output_beyond_what_theirs_cuts_silently_comes_back_whole(http: httpx.Client):
    answer = run_code(http, "print('x' * 400_000)")
    assert (answer["status"], len(answer["run_result"]["stdout"])) == ("Success", 400_001)


def test_files_go_in_and_come_back(http: httpx.Client):
    files = {"./data/in.txt": base64.b64encode(b"seven").decode(), "skipped.txt": None}
    code = "import os; open('out.txt', 'w').write(open('data/in.txt').read()); print(os.path.exists('skipped.txt'))"
    answer = run_code(http, code, files=files, fetch_files=["./out.txt", "missing.txt"])
    assert (answer["run_result"]["stdout"], answer["files"]) == (
        "False\n",
        {"./out.txt": base64.b64encode(b"seven").decode()},
    )


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "a/..", ".", "", ".ssh", "a b"])
@pytest.mark.parametrize("field", ["files", "fetch_files"])
def test_a_path_out_of_the_work_folder_is_refused(http: httpx.Client, path: str, field: str):
    body = {"code": "", "language": "python", field: {path: ""} if field == "files" else [path]}
    response = http.post("/run_code", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    "fields",
    [{"language": "klingon"}, {"language": None}, {"code": 1}, {"run_timeout": 0}, {"files": {"a": "%"}}, {"stdin": 5}],
)
def test_what_theirs_would_not_take_is_refused(http: httpx.Client, fields: dict[str, Any]):
    body = {"code": "print(1)", "language": "python", **fields}
    assert http.post("/run_code", json=body).status_code == 422


@pytest.mark.parametrize("language", ["pytest", "csharp", "lean"])
def test_a_language_of_theirs_that_is_not_ours_is_a_failure_of_the_sandbox(http: httpx.Client, language: str):
    answer = run_code(http, "", language)
    assert (answer["status"], answer["run_result"]) == ("SandboxError", None)
    assert language in answer["message"]


@pytest.mark.skipif("go" not in MISSING, reason="every toolchain is installed")
def test_a_toolchain_that_is_not_installed_is_a_failure_of_the_sandbox(http: httpx.Client):
    answer = run_code(http, "package main", "go")
    assert (answer["status"], "go is not" in answer["message"]) == ("SandboxError", True)


@pytest.mark.skipif("cpp" in MISSING, reason="there is no g++")
def test_a_compiled_program_tells_of_its_compiler(http: httpx.Client):
    good = run_code(
        http, '#include <cstdio>\nint main() { int n; scanf("%d", &n); printf("%d\\n", 2 * n); }', "cpp", stdin="4"
    )
    assert (good["status"], good["compile_result"]["return_code"], good["run_result"]["stdout"]) == (
        "Success",
        0,
        "8\n",
    )
    bad = run_code(http, "int main() { return x; }", "cpp")
    assert (bad["status"], bad["compile_result"]["status"], bad["run_result"]) == ("Failed", "Finished", None)
    assert bad["compile_result"]["return_code"] != 0
    assert "was not declared" in bad["compile_result"]["stderr"]


@pytest.mark.skipif("javascript" in MISSING, reason="there is no node")
def test_nodejs_is_javascript(http: httpx.Client):
    assert run_code(http, "console.log(6 * 7)", "nodejs")["run_result"]["stdout"] == "42\n"


@pytest.mark.parametrize("path", ["/run_jupyter", "/get_prompts"])
def test_what_is_not_spoken_says_so(http: httpx.Client, path: str):
    assert http.post(path, json={}).status_code == 501


CASES = [{"input": {"stdin": f"{n}\n"}, "output": {"stdout": f"{n * n}\n"}} for n in (1, 2, 10**5)]
RIGHT = "Here it is:\n```python\nprint(int(input()) ** 2)\n```\nDone."
WRONG_AT_TWO = RIGHT.replace("int(input()) ** 2", "n if (n := int(input())) != 2 else 5")


def submission(
    completion: str, test: Any = CASES, extra: dict[str, Any] | None = None, **config: Any
) -> dict[str, Any]:
    row = {"id": 7, "content": "square it", "labels": {}, "test": test}
    chosen = {"dataset_type": "CommonOJDataset", "language": "python", "provided_data": row, "extra": extra or {}}
    return {"dataset": "mine", "id": 7, "completion": completion, "config": {**chosen, **config}}


def submit(http: httpx.Client, completion: str, *arguments: Any, **config: Any) -> dict[str, Any]:
    response = http.post("/submit", json=submission(completion, *arguments, **config))
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    assert result.keys() == {
        "id", "accepted", "extracted_code", "full_code", "test_code", "tests", "extracted_type", "extra",
    }  # fmt: skip
    return result


def test_a_right_submission_is_accepted(http: httpx.Client):
    result = submit(http, RIGHT)
    assert (result["id"], result["accepted"], result["extracted_type"]) == (7, True, "fenced")
    assert result["extracted_code"] == "print(int(input()) ** 2)\n"
    assert [test["passed"] for test in result["tests"]] == [True] * 3
    assert result["tests"][0]["exec_info"].keys() == FIELDS_OF_A_RESPONSE
    assert result["tests"][0]["test_info"] == CASES[0]


def test_the_first_failure_is_the_last_run_unless_all_are_asked_for(http: httpx.Client):
    assert [t["passed"] for t in submit(http, WRONG_AT_TWO)["tests"]] == [True, False]
    everything = submit(http, WRONG_AT_TWO, CASES, {"run_all_cases": True})
    assert [t["passed"] for t in everything["tests"]] == [True, False, False]
    assert not everything["accepted"]


@pytest.mark.parametrize(
    ("completion", "extracted_type"),
    [
        ("```python\nprint(int(input()) ** 2)", "incomplete_fenced"),
        ("print(int(input()) ** 2)", "heuristic"),
        ("```\nprint(int(input()) ** 2)\n```", "fenced"),
    ],
)
def test_the_program_is_found_where_it_stands(http: httpx.Client, completion: str, extracted_type: str):
    result = submit(http, completion)
    assert (result["accepted"], result["extracted_type"]) == (True, extracted_type)


@pytest.mark.parametrize("completion", ["", "```cpp\nint main() {}\n```", "   "])
def test_a_completion_without_a_program_is_rejected(http: httpx.Client, completion: str):
    result = submit(http, completion)
    assert (result["accepted"], result["tests"], result["extracted_type"]) == (False, [], "empty")


TRICKS = {
    "leaves": "import sys; sys.exit(0)",
    "off by one on a large number": "n = int(input()); print(n * n + (n > 1000))",
    "says the same in other words": "n = int(input()); print(f'{n * n:e}')",
    "prints what is right, then dies": "print(int(input()) ** 2, flush=True); import os; os.abort()",
    "prints more than that": "n = int(input()); print(n * n, n)",
    "prints what is right and never ends": "print(int(input()) ** 2, flush=True)\nwhile True: pass",
}


@pytest.mark.parametrize("code", TRICKS.values(), ids=TRICKS)
def test_a_trick_is_not_accepted(http: httpx.Client, code: str):
    assert not submit(http, f"```python\n{code}\n```", run_timeout=1)["accepted"]


def test_the_caller_chooses_the_checker(http: httpx.Client):
    third = [{"input": {"stdin": ""}, "output": {"stdout": "0.333333\n"}}]
    code = "```python\nprint(1 / 3)\n```"
    assert not submit(http, code, third)["accepted"]
    assert submit(http, code, third, {"checker": {"kind": "float", "abs": 1e-5}})["accepted"]


def test_long_cases_are_cut_in_the_answer_unless_they_are_asked_for(http: httpx.Client):
    long = [{"input": {"stdin": "x" * 5000}, "output": {"stdout": "5000"}}]
    code = "```python\nprint(len(input()))\n```"
    assert len(submit(http, code, long)["tests"][0]["test_info"]["input"]["stdin"]) == 1000
    assert submit(http, code, long, {"return_full_case": True})["tests"][0]["test_info"] == long[0]


def test_tests_may_come_as_text_and_the_row_among_others(http: httpx.Client):
    row = {"id": 7, "test": json.dumps(CASES)}
    assert submit(http, RIGHT, provided_data=[{"id": 6, "test": "[]"}, row])["accepted"]


@pytest.mark.skipif("cpp" in MISSING, reason="there is no g++")
def test_a_submission_that_does_not_compile_fails_every_case(http: httpx.Client):
    result = submit(http, "```cpp\nint main( {}\n```", CASES, {"run_all_cases": True}, language="cpp")
    assert [test["exec_info"]["run_result"] for test in result["tests"]] == [None] * 3
    assert not result["accepted"]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"dataset_type": "AutoEvalDataset"}, "config.dataset_type"),
        ({"dataset_type": "HumanEvalDataset"}, "config.dataset_type"),
        ({"dataset_type": None}, "config.dataset_type"),
        ({"custom_extract_logic": "submit_code_blocks([])"}, "config.custom_extract_logic"),
        ({"language": None}, "config.language"),
        ({"language": "klingon"}, "language"),
        ({"provided_data": None}, "config.provided_data"),
        ({"provided_data": [{"id": 8}]}, "config.provided_data"),
        ({"provided_data": {"id": 7, "test": []}}, "config.provided_data"),
        ({"provided_data": {"id": 7, "test": "["}}, "config.provided_data"),
        ({"provided_data": {"id": 7, "test": [{"input": {}, "output": {"stdout": ""}}]}}, "config.provided_data"),
        ({"extra": {"checker": "kindly"}}, "config.extra.checker"),
        ({"extra": {"checker": {"kind": "float", "abs": -1}}}, "config.extra.checker"),
    ],
)
def test_what_cannot_be_judged_soundly_is_refused(http: httpx.Client, config: dict[str, Any], field: str):
    response = http.post("/submit", json=submission(RIGHT, **{"extra": None, **config}))
    assert (response.status_code, response.json()["field"]) == (422, field)


def test_a_type_judged_by_its_exit_code_is_told_what_to_use_instead(http: httpx.Client):
    detail = http.post("/submit", json=submission(RIGHT, dataset_type="AutoEvalDataset")).json()["detail"]
    assert "sys.exit(0)" in detail
    assert "programs.tests" in detail


@pytest.mark.skipif("go" not in MISSING, reason="every toolchain is installed")
def test_a_failure_of_ours_is_no_rejected_submission(http: httpx.Client):
    assert http.post("/submit", json=submission("```go\npackage main\n```", language="go")).status_code == 503
