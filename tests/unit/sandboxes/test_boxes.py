"""From limits to what the kernel is told, from facts to a result, and a cache of compiled programs that stays small."""

import os
import resource
import signal

import pytest

from sandboxes.boxes import Artefacts, Origin, result_of, rlimits, run_terms, shape_of, source_files, spec_of
from sandboxes.policy import LanguageTable, Policy, find_policies, languages
from sandboxes.types import MIB, Limits, Outcome, Program, SandboxResult

POLICIES = find_policies()
ORIGIN = Origin("namespaces:full", "sha256:0")
FACTS = {
    "run": 1, "status": 0, "stopped": None, "truncated": False, "out_of_memory": False, "cpu_s": 0.25, "wall_s": 0.5,
    "peak_bytes": 4096, "files": [],
}  # fmt: skip


def result(facts: dict[str, object], *blobs: bytes) -> SandboxResult:
    return result_of((FACTS | facts, [*(blobs or (b"", b""))]), Limits(), POLICIES["python"], ORIGIN)


def made(size: int = 0, outcome: Outcome = Outcome.EXITED) -> SandboxResult:
    """A compiler's result."""
    return SandboxResult(
        outcome=outcome, exit_code=0 if outcome is Outcome.EXITED else None, files={"program": bytes(size)}, wall_s=1,
        cpu_s=1, peak_memory_bytes=0, backend="test", policy_digest="test",
    )  # fmt: skip


def test_every_limit_reaches_each_process():
    limits = Limits(cpu_s=3.5, memory_bytes=128 * MIB, disk_bytes=8 * MIB, pids=5, open_files=64)
    told = rlimits(limits, address_space=1.0)
    assert all(hasattr(resource, name) for name in told)
    assert told["RLIMIT_AS"] == 128 * MIB
    assert told["RLIMIT_FSIZE"] == 8 * MIB
    assert told["RLIMIT_NOFILE"] == 64
    assert told["RLIMIT_CORE"] == 0
    assert told["RLIMIT_NPROC"] == 6, "the keeper counts too"
    assert told["RLIMIT_CPU"] > limits.cpu_s, "the limit of all processes together comes first"


def test_a_runtime_that_reserves_much_has_no_limit_of_its_address_space():
    assert "RLIMIT_AS" not in rlimits(Limits(), address_space=0)


def test_the_stack_is_no_larger_than_the_memory():
    assert rlimits(Limits(memory_bytes=16 * MIB), address_space=0)["RLIMIT_STACK"] == 16 * MIB
    assert rlimits(Limits(memory_bytes=1024 * MIB), address_space=0)["RLIMIT_STACK"] == 64 * MIB


@pytest.mark.parametrize(("disk_bytes", "inodes"), [(4096, 256), (16 * MIB, 1024), (1024 * MIB, 4096)])
def test_scratch_space_has_files_in_proportion(disk_bytes: int, inodes: int):
    assert shape_of(Limits(disk_bytes=disk_bytes)) == {"disk_bytes": disk_bytes, "inodes": inodes}


def test_the_warden_is_told_every_limit_but_those_of_a_process():
    terms = run_terms(Limits(), ["out"], last=True)
    assert set(Limits.model_fields) - set(terms) == {"open_files"}
    assert (terms["fetch"], terms["last"]) == (["out"], True)


def test_the_source_lies_beside_the_files_whatever_characters_it_holds():
    program = Program(source="print('\ud800')", files={"data.txt": b"1"})
    assert source_files(POLICIES["python"], program) == [
        ("data.txt", b"1", 0o644),
        ("main.py", b"print('\xed\xa0\x80')", 0o644),
    ]


def test_a_file_in_the_place_of_the_source_does_not_replace_it():
    program = Program(source="honest", files={"main.py": b"another"})
    assert source_files(POLICIES["python"], program) == [("main.py", b"honest", 0o644)]


def test_a_warm_interpreter_is_given_the_file_and_others_a_command():
    assert spec_of(POLICIES["python"], Limits(), None)["main"] == "main.py"
    assert spec_of(POLICIES["c"], Limits(), ["./program"])["argv"] == ["./program"]


def test_facts_become_a_result():
    told = result({"status": 3 << 8, "files": ["out/a"], "truncated": True}, b"said", b"complained", b"content")
    assert (told.outcome, told.exit_code, told.signal) == (Outcome.EXITED, 3, None)
    assert (told.stdout, told.stderr, told.files) == (b"said", b"complained", {"out/a": b"content"})
    assert (told.cpu_s, told.wall_s, told.peak_memory_bytes, told.truncated) == (0.25, 0.5, 4096, True)
    assert (told.backend, told.policy_digest, told.stage) == ("namespaces:full", "sha256:0", "run")


def test_a_languages_own_code_for_no_memory_is_understood():
    assert result({"status": 86 << 8}).outcome is Outcome.OUT_OF_MEMORY
    plain = Policy("plain", LanguageTable.model_validate(languages()["c"].model_dump()), {}, None)
    assert result_of((FACTS | {"status": 86 << 8}, [b"", b""]), Limits(), plain, ORIGIN).exit_code == 86


def test_a_limit_that_was_passed_counts_even_if_the_program_exited_in_time():
    assert result({"cpu_s": Limits().cpu_s + 0.01}).outcome is Outcome.CPU_LIMIT


def test_a_killed_program_has_its_signal():
    assert os.WTERMSIG(int(signal.SIGBUS)) == result({"status": int(signal.SIGBUS)}).signal


def test_the_cache_gives_back_what_was_put():
    cache, program = Artefacts(), made(10)
    cache.put("a", program)
    assert cache.get("a") is program
    assert cache.get("b") is None


def test_the_cache_forgets_what_was_used_least_recently():
    cache = Artefacts(most_bytes=3 * MIB)
    for key in "ab":
        cache.put(key, made(MIB))
    cache.get("a")
    cache.put("c", made(MIB))
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]


def test_a_program_larger_than_the_cache_is_not_kept():
    cache = Artefacts(most_bytes=MIB)
    cache.put("small", made(1))
    cache.put("large", made(2 * MIB))
    assert cache.get("large") is None


def test_results_without_content_do_not_fill_the_cache_for_ever():
    cache = Artefacts(most_bytes=MIB)
    for number in range(10_000):
        cache.put(str(number), made(0))
    assert sum(cache.get(str(number)) is not None for number in range(10_000)) < 1_000


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CPU_LIMIT, Outcome.OUT_OF_MEMORY])
def test_a_compiler_that_ran_into_a_limit_is_asked_again(outcome: Outcome):
    cache = Artefacts()
    cache.put("a", made(1, outcome))
    assert cache.get("a") is None
