"""Languages as data: every shipped policy loads, says what it needs, and is known by what it holds."""

import platform
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from sandboxes.errors import SandboxMisconfigured
from sandboxes.namespaces import NamespaceSandbox
from sandboxes.policy import LanguageTable, Policy, find_policies, languages, offered, syscalls
from sandboxes.types import MIB, Limits

LANGUAGES = {"bash", "c", "cpp", "go", "java", "javascript", "pytest", "python", "rust"}
NUMBERS = Path(f"/usr/include/{platform.machine()}-linux-gnu/asm/unistd_64.h")
DANGEROUS = {
    "add_key", "bpf", "chroot", "clone3", "delete_module", "finit_module", "fsmount", "fsopen", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "memfd_create", "mount", "mount_setattr", "move_mount", "open_by_handle_at", "open_tree", "perf_event_open",
    "pidfd_getfd", "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key",
    "setns", "swapon", "umount2", "unshare", "userfaultfd",
}  # fmt: skip
PYTHON = languages()["python"].model_dump()


def policy(**changes: object) -> Policy:
    """Python's policy with some of it changed."""
    return Policy("python", LanguageTable.model_validate(PYTHON | changes), find_policies()["python"].names, None)


def test_every_language_that_is_promised_ships():
    assert set(languages()) == LANGUAGES


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_a_shipped_policy_starts_programs_in_one_way_and_compiles_into_what_it_keeps(name: str):
    table = languages()[name]
    assert table.warm is (table.run is None)
    assert table.compile is None or table.compile.artefacts
    assert table.version.argv[0].startswith("{")
    assert "/tmp" not in table.mounts


def test_a_fence_names_one_language():
    fences = [fence for table in languages().values() for fence in table.fences]
    assert len(fences) == len(set(fences))


def test_a_policy_with_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match="netwrok"):
        LanguageTable.model_validate(PYTHON | {"netwrok": True})


def test_a_missing_tool_is_misconfigured_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sandboxes.inside.toolchains._SEARCH", str(tmp_path))
    policies = find_policies()
    assert "c" not in offered(policies)
    with pytest.raises(SandboxMisconfigured, match=r"gcc.*install"):
        NamespaceSandbox(policies=policies).policy_digest("c")


def test_an_unknown_language_is_misconfigured_and_the_known_ones_are_named():
    with pytest.raises(SandboxMisconfigured, match=r"cobol.*python"):
        NamespaceSandbox().policy_digest("cobol")


@pytest.mark.parametrize(
    "change",
    [
        {"mounts": ("/usr",)},
        {"env": {"PATH": "/usr/bin"}},
        {"preload": ("json",)},
        {"proc": True},
        {"address_space": False},
        {"least_memory_bytes": 1},
        {"least_pids": 2},
        {"out_of_memory_exits": ()},
        {"main": "program.py"},
        {"version": {"argv": ("{python}", "-c", "print('another')")}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_everything_that_can_change_a_result(change: dict[str, object]):
    assert policy(**change).digest != policy().digest


def test_the_digest_does_not_change_with_the_order_of_keys():
    forwards, backwards = {"A": "1", "B": "2"}, {"B": "2", "A": "1"}
    upside_down = Policy("python", LanguageTable.model_validate(dict(reversed(PYTHON.items()))), policy().names, None)
    assert policy(env=forwards).digest == policy(env=backwards).digest
    assert upside_down.digest == policy().digest


def test_limits_are_raised_to_what_the_runtime_needs_and_never_lowered():
    needy = policy(least_memory_bytes=384 * MIB, least_pids=64)
    raised = needy.raised(Limits(memory_bytes=16 * MIB, pids=1, cpu_s=7))
    assert (raised.memory_bytes, raised.pids, raised.cpu_s) == (384 * MIB, 64, 7)
    generous = Limits(memory_bytes=1024 * MIB, pids=100)
    assert needy.raised(generous) == generous


def test_a_command_is_told_the_memory_it_may_use():
    java_like = policy(run={"argv": ("-m{memory_mib}", "-x{heap_mib}")})
    assert java_like.run_argv(Limits(memory_bytes=512 * MIB)) == ["-m512", "-x384"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_dangerous_system_call_is_allowed(machine: str):
    table = tomllib.loads((resources.files("sandboxes") / "policies" / "syscalls.toml").read_text("utf-8"))[machine]
    assert set(table) & DANGEROUS == set()
    assert {"clone", "clone3", "ioctl", "prctl", "socket"} <= set(table["filtered"])
    assert set(table["filtered"].values()) & {number for number in table.values() if isinstance(number, int)} == set()


@pytest.mark.skipif(not NUMBERS.is_file(), reason=f"no {NUMBERS}: install the C library's headers to check the numbers")
def test_the_numbers_are_those_of_the_kernels_header():
    header = dict(re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text()))
    ours = {name: number for name, number in syscalls().items() if name != "filtered"} | syscalls()["filtered"]
    known = {name: number for name, number in ours.items() if name in header}
    assert known == {name: int(header[name]) for name in known}
    assert len(known) > 0.95 * len(ours), "names that no kernel has"
