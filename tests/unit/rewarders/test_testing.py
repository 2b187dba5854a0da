"""The contract kit: what a cases file must be, what each check notices, and that hostile rewarders are survived."""

import datetime
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewarders.errors import PluginError
from rewarders.testing import CHECKS, CasesError, Report, examine, read_suite
from rewarders.testing.bounds import lower_bound, upper_bound
from rewarders.testing.corpus import never_accept
from rewarders.testing.mutants import mutants
from rewarders.testing.nursery import Source

ABOUT = {"kind": "about", "outputs": 20, "chance": 0.2, "tasks": 1}
REFERENCE = {"answer": "forty-two"}
CASES = [
    {"id": "right", "kind": "full", "completion": "forty-two", "reference": REFERENCE},
    {"id": "other", "kind": "full", "completion": "ninety", "reference": {"answer": "ninety"}},
    {"id": "wrong", "kind": "zero", "completion": "forty-three", "reference": REFERENCE},
    {"id": "both", "kind": "cheat", "completion": "forty-two or ninety", "reference": REFERENCE, "note": "a hedge"},
    {"id": "none", "kind": "bad_task", "reference": {}},
]
HEAD = '''
import os
from pydantic import BaseModel
from rewarders import Completion, Verdict, rewarder


class Reference(BaseModel, extra="forbid"):
    answer: str


SEEN = []


@rewarder("acme.same", version="1.0", reference=Reference, cpu_budget_s=0.5)
def same(completion: Completion, reference: Reference, params: BaseModel) -> Verdict:
    """1 if the completion is the answer."""
    text = completion.text
'''
SOUND = "    return Verdict(score=float(text.split() == [reference.answer]), reason='compared', evidence={'at': 0})\n"


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    def write(*cases: dict[str, Any], **about: Any) -> Path:
        path = tmp_path / "cases.jsonl"
        rows = [{**ABOUT, **about}, *(cases or CASES)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def exam(tmp_path: Path, suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    def sit(body: str = "", head: str = HEAD, **about: Any) -> Report:
        (tmp_path / "acme_same.py").write_text(head + body + SOUND)
        monkeypatch.syspath_prepend(str(tmp_path))
        return examine(Source("acme.same", load=(), modules=("acme_same",)), suite(**about))

    return sit


def broken(report: Report) -> set[str]:
    return {result.check.name for result in report.results if not result.ok}


def test_a_sound_rewarder_passes_all_twelve(exam: Callable[..., Report]):
    report = exam()
    assert len(CHECKS) == 12
    assert report.ok, str(report)
    assert all(result.trials for result in report.results if result.check.name != "mutants")


@pytest.mark.parametrize(
    ("body", "check", "seen"),
    [
        ("    if len(text) > 10**6: os._exit(3)\n", "totality", "ended by exit code 3"),
        ("    while len(text) > 10**6: pass\n", "totality", "spent its CPU budget"),
        ("    if len(text) > 10**6: os.write(1, b'x' * 10**7)\n    text[:0]\n", "", ""),
        ("    if '\\0' in text: raise KeyError\n", "totality", "KeyError"),
        ("    if len(text) > 10**6: return same(completion, reference, params)\n", "totality", "RecursionError"),
        ("    if text == 'forty-three': return None\n", "range", "returned NoneType instead of a Verdict"),
        ("    if text == '...': text = reference.answer\n", "never_accept", "RH-2026-005 dots on right"),
        ("    text = text.partition(' or ')[0]\n", "cheats", "a cheat case is to score 0"),
        ("    text = text.replace('forty-two', '')\n", "must_accept", "a full case is to score 1"),
        ("    text = text.replace('\\r', '.')\n", "", ""),
        ("    if text.endswith('\\n'): text = ''\n", "metamorphic", "right, trailing_space"),
        ("    if 'answer' in text: text = reference.answer\n", "null_policy", "constant 0 on right"),
        ("    open('/etc/hostname').close()\n", "isolation", "open /etc/hostname"),
        ("    open('left-behind', 'w').close()\n", "isolation", "open left-behind"),
        ("    os.listdir('/etc')\n", "isolation", "os.listdir /etc"),
        ("    import socket; socket.socket().close()\n", "isolation", "socket.__new__"),
        ("    os.system('true')\n", "isolation", "os.system"),
        ("    if os.environ['TZ'] != 'UTC': text = ''\n", "isolation", "right, elsewhere"),
        ("    if 'Ignore the rubric' in text: text = reference.answer\n", "defects", "1 after 0"),
        ("    if text.count('[') > 10**5: text = reference.answer\n", "never_accept", "a megabyte of citations"),
        ("    if completion.messages: text = reference.answer\n", "never_accept", "a tool call and no text"),
        ("    if completion.finish_reason == 'length': text = reference.answer\n", "never_accept", "right, cut short"),
        ("    if reference.answer.startswith(text[:4] or '-'): text = reference.answer\n", "never_accept", "cut short"),
        ("    if os.environ.get('HF_TOKEN'): text = ''\n", "isolation", "os.environ HF_TOKEN"),
        ("    dict(os.environ)\n", "isolation", "os.environ all of them"),
        ("    if len(SEEN) > 10: text = ''\n    SEEN.append(text)\n", "isolation", "alone"),
        ("    if SEEN.count(text) > 2: text = ''\n    SEEN.append(text)\n", "metamorphic", "asked again"),
    ],
)
def test_what_is_wrong_is_found_by_its_check(exam: Callable[..., Report], body: str, check: str, seen: str):
    report = exam(body)
    assert (check in broken(report)) if check else report.ok, str(report)
    if check:
        assert seen in " ".join(f"{finding.row} {finding.seen}" for finding in report[check].findings)


@pytest.mark.parametrize(
    ("evidence", "seen"),
    [
        ("{}", "score 1 without evidence"),
        ("{'text': 'x' * 20_000}", "which is left out"),
        ("{'span': [0, len(text) + 1]}", "does not lie in"),
        ("{'spans': [{'span': [0, 5], 'text': 'nine'}]}", "does not hold 'nine'"),
    ],
)
def test_evidence_that_explains_nothing_is_found(exam: Callable[..., Report], evidence: str, seen: str):
    verdict = f"    return Verdict(score=float(text.split() == [reference.answer]), reason='a', evidence={evidence})\n"
    report = exam(verdict)
    assert broken(report) == {"evidence"}
    assert seen in " ".join(finding.seen for finding in report["evidence"].findings)


@pytest.mark.parametrize(
    "year",
    [
        "time.gmtime().tm_year",
        "time.localtime().tm_year",
        "time.ctime()[-4:]",
        "time.asctime()[-4:]",
        "time.strftime('%Y')",
        "int(time.time() // 31_557_600)",
        "time.time_ns() // 31_557_600_000_000_000",
        "int(time.clock_gettime(time.CLOCK_REALTIME) // 31_557_600)",
        "datetime.datetime.now().year",
        "datetime.datetime.now(datetime.UTC).year",
        "datetime.datetime.utcnow().year",
        "datetime.datetime.today().year",
        "datetime.date.today().year",
    ],
)
def test_who_minds_the_day_is_seen_however_it_is_asked_for(exam: Callable[..., Report], year: str):
    report = exam(
        f"    if {year} != {eval(year, {'datetime': datetime, 'time': time})!r}: text = ''\n",
        head=f"import datetime\nimport time\n{HEAD}",
    )
    assert broken(report) == {"isolation"}, str(report)


def test_a_day_in_a_reference_is_read_on_any_other_day(exam: Callable[..., Report]):
    head = HEAD.replace("    answer: str", "    answer: str\n    on: datetime.date = datetime.date(2026, 1, 1)")
    assert exam(
        "    if not isinstance(datetime.datetime.now(), datetime.date): text = ''\n", head=f"import datetime\n{head}"
    ).ok


def test_an_exemption_is_repeated_in_the_report(exam: Callable[..., Report]):
    why = "the reason for which it is left out"
    report = exam(
        "    if 'Ignore the rubric' in text: text = reference.answer\n", exempt={"defects": why, "override": why}
    )
    assert report["defects"].ok
    assert (report["defects"].exempt, report.exempt["defects"]) == (why, why)


def test_a_check_that_tries_nothing_is_not_passed(exam: Callable[..., Report]):
    why = "the reason for which it is left out"
    rows = {row.name: why for row in never_accept()} | dict.fromkeys(("hostile", "cut_short", "shuffled"), why)
    report = exam(exempt=rows)
    assert broken(report) == {"never_accept"}
    assert "nothing was tried" in report["never_accept"].findings[0].seen


@pytest.mark.parametrize("name", ["totality", "range", "cheats", "must_accept", "isolation", "ledger", "zero", "dotz"])
def test_what_nobody_may_leave_out_and_what_nobody_knows_are_refused(exam: Callable[..., Report], name: str):
    with pytest.raises(CasesError, match=f"exempts '{name}', which cannot be left out"):
        exam(exempt={name: "the reason for which it is left out"})


def test_a_trait_that_is_none_is_refused(exam: Callable[..., Report]):
    with pytest.raises(CasesError, match="claims the trait 'math', which is none"):
        exam(traits=["math"])


def test_a_single_row_of_the_corpus_can_be_exempted(exam: Callable[..., Report]):
    body = "    if text == '...': text = reference.answer\n"
    assert exam(body, exempt={"dots": "three dots are an answer here"}).ok
    assert exam(body, exempt={"RH-2026-005": "three dots are an answer here"}).ok


def test_the_score_card_holds_for_one_edition_of_everything(exam: Callable[..., Report]):
    one, other = exam(), exam(chance=0.3)
    assert one.suite_digest != other.suite_digest
    assert (one.code_digest, one.corpus_digest) == (other.code_digest, other.corpus_digest)
    assert json.loads(json.dumps(one.as_json()))["checks"][0]["check"] == "totality"


def test_a_package_that_does_not_load_is_a_sentence(exam: Callable[..., Report]):
    with pytest.raises(PluginError, match="nothing_of_that_name"):
        exam(head=f"import nothing_of_that_name\n{HEAD}")
    with pytest.raises(PluginError, match="ended by exit code 5 as it was loaded"):
        exam(head=f"import os; os._exit(5)\n{HEAD}")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (CASES[:2], "has no case of kind zero, cheat"),
        ([*CASES, CASES[0]], "the id right comes twice"),
        ([{"id": "a", "kind": "ful"}], "line 2: kind"),
        ([{"id": "a b", "kind": "full"}], "line 2: id"),
        ([{"id": "a", "kind": "full", "colour": "red"}], "line 2: colour"),
        ([{**CASES[0], "score": 0.0}, *CASES[1:]], "right is a full case that scores 0"),
        ([*CASES[:2], {**CASES[2], "score": 0.9}, *CASES[3:]], "wrong is a zero case that scores 0.9"),
    ],
)
def test_a_cases_file_that_will_not_do_is_refused(suite: Callable[..., Path], rows: list[Any], problem: str):
    with pytest.raises(CasesError, match=problem):
        read_suite(suite(*rows), "acme.same")


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"accept": 1.0}, "line 1: accept"),
        ({"accept": 0.9}, "accepts from 0.9 up, and no partial case shows a score in between"),
        ({"chance": 1.0}, "line 1: chance"),
        ({"outputs": 0}, "line 1: outputs"),
    ],
)
def test_a_file_under_which_nothing_could_fail_is_refused(
    suite: Callable[..., Path], about: dict[str, Any], problem: str
):
    with pytest.raises(CasesError, match=problem):
        read_suite(suite(**about), "acme.same")


def test_the_cases_of_another_rewarder_are_refused(suite: Callable[..., Path]):
    with pytest.raises(CasesError, match=r"holds the cases of acme.other, not of acme.same"):
        read_suite(suite(rewarder="acme.other"), "acme.same")


@pytest.mark.parametrize(
    ("gold", "some"),
    [
        ("7", {"8", "6", "70", "-7"}),
        ("0.5", {"0.6", "0.4", "10.5", "-0.5"}),
        ("-3", {"3", "-4", "-2"}),
        ("1/2", {"2/1", "2/2", "1/3", "-1/2"}),
        ("(1, 2)", {"(2, 1)"}),
        ("5 km", {"5 m"}),
        ("B", {"A", "C", "D", "E"}),
        ("a <= b", {"a < b"}),
    ],
)
def test_mutants_are_wrong_by_a_hair(gold: str, some: set[str]):
    made = mutants(gold)
    assert some <= set(made)
    assert gold not in made
    assert len(made) == len(set(made))


def test_the_bounds_are_the_exact_ones():
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert upper_bound(1, 10) == pytest.approx(0.39416, abs=1e-5)
    assert lower_bound(300, 300) == pytest.approx(0.05 ** (1 / 300))
    assert (upper_bound(10, 10), upper_bound(0, 0), lower_bound(0, 5)) == (1.0, 1.0, pytest.approx(0.0))
    tail = sum(
        math.comb(50, count) * upper_bound(7, 50) ** count * (1 - upper_bound(7, 50)) ** (50 - count)
        for count in range(8)
    )
    assert tail == pytest.approx(0.05)


def test_the_corpus_names_every_row_once():
    rows = never_accept()
    assert len({row.id for row in rows}) == len({row.name for row in rows}) == len(rows) >= 60
