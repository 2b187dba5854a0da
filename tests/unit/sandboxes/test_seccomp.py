"""The filter, run by a small interpreter of its machine: what passes, what is refused, and with which error."""

import errno
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandboxes.inside import kernel
from sandboxes.inside.seccomp import assemble
from sandboxes.policy import syscalls

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003}
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NUMBERS = {name: value for name, value in syscalls().items() if isinstance(value, int)}
FILTERED: Mapping[str, int] = syscalls()["filtered"]
FULL = assemble(NUMBERS.values(), FILTERED, unix_sockets=True)
LANDLOCK = assemble(NUMBERS.values(), FILTERED, unix_sockets=False)
AF_UNIX, AF_INET, AF_NETLINK, AF_VSOCK = 1, 2, 16, 40
CLONE_VM, CLONE_THREAD, SIGCHLD = 0x100, 0x10000, 17
NAMESPACES = (
    kernel.CLONE_NEWNS, kernel.CLONE_NEWUTS, kernel.CLONE_NEWIPC, kernel.CLONE_NEWUSER, kernel.CLONE_NEWPID,
    kernel.CLONE_NEWNET, 0x02000000, 0x80,
)  # fmt: skip
PR_SET_NAME, PR_SET_SECCOMP, PR_SET_MM, PR_SET_PTRACER = 15, 22, 35, 0x59616D61
TIOCSTI, TIOCLINUX, TCGETS = 0x5412, 0x541C, 0x5401


def judged(program: bytes, number: int, *arguments: int, machine: str = kernel.MACHINE) -> int:
    """What the filter says of a system call. The program is classic BPF as in linux/filter.h."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("IIQ6Q", number, ARCHITECTURES[machine], 0, *padded)
    code = list(struct.iter_unpack("HBBI", program))
    accumulator = position = 0
    while True:
        operation, if_true, if_false, value = code[position]
        position += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("I", data, value)
            case 0x06:
                return value
            case 0x15:
                position += if_true if accumulator == value else if_false
            case 0x35:
                position += if_true if accumulator >= value else if_false
            case 0x45:
                position += if_true if accumulator & value else if_false
            case _:
                raise AssertionError(f"operation {operation:#x} is unknown")


def refused(error: int) -> int:
    return REFUSE | error


@pytest.mark.parametrize("name", ["read", "write", "mmap", "execve", "futex", "exit_group", "wait4", "getpid"])
def test_what_programs_need_passes(name: str):
    assert judged(FULL, NUMBERS[name]) == judged(LANDLOCK, NUMBERS[name]) == ALLOW


@given(st.integers(0, max(NUMBERS.values())))
def test_a_number_that_is_not_listed_is_not_permitted(number: int):
    if number not in FILTERED.values():
        assert judged(FULL, number) == (ALLOW if number in NUMBERS.values() else refused(errno.EPERM))


@given(st.integers(max(*NUMBERS.values(), *FILTERED.values()) + 1, 2**32 - 1))
def test_a_number_of_the_future_is_unknown(number: int):
    assert judged(FULL, number) == refused(errno.ENOSYS)


@given(st.integers(0, 1000).map(lambda number: 0x40000000 | number))
def test_the_x32_numbers_do_not_lead_around_the_list(number: int):
    assert judged(FULL, number) == refused(errno.ENOSYS)


@pytest.mark.parametrize("machine", sorted(set(ARCHITECTURES) - {kernel.MACHINE}))
def test_a_call_of_another_architecture_kills(machine: str):
    assert judged(FULL, NUMBERS["read"], machine=machine) == KILL


@pytest.mark.parametrize("family", [AF_INET, 10, AF_NETLINK, AF_VSOCK, 17, 0, 1 << 32 | AF_INET])
def test_sockets_other_than_unix_ones_are_refused(family: int):
    assert judged(FULL, FILTERED["socket"], family) == refused(errno.EAFNOSUPPORT)


def test_unix_sockets_pass_only_where_nobody_else_can_be_reached():
    assert judged(FULL, FILTERED["socket"], AF_UNIX) == ALLOW
    assert judged(LANDLOCK, FILTERED["socket"], AF_UNIX) == refused(errno.EAFNOSUPPORT)


@pytest.mark.parametrize("flag", NAMESPACES)
def test_no_namespace_can_be_made(flag: int):
    assert judged(FULL, FILTERED["clone"], flag | SIGCHLD) == refused(errno.EPERM)
    assert judged(FULL, FILTERED["clone"], flag | CLONE_VM | CLONE_THREAD) == refused(errno.EPERM)


def test_processes_and_threads_can_be_made():
    assert judged(FULL, FILTERED["clone"], SIGCHLD) == ALLOW
    assert judged(FULL, FILTERED["clone"], 0x3D0F00) == ALLOW  # what pthread_create asks for
    assert judged(FULL, FILTERED["clone3"]) == refused(errno.ENOSYS)  # so that the C library asks clone instead


@pytest.mark.parametrize("option", [PR_SET_SECCOMP, PR_SET_MM, PR_SET_PTRACER, 1 << 32 | PR_SET_MM])
def test_prctl_changes_nothing_that_matters(option: int):
    assert judged(FULL, FILTERED["prctl"], option) == refused(errno.EPERM)


def test_prctl_names_a_thread():
    assert judged(FULL, FILTERED["prctl"], PR_SET_NAME) == ALLOW


@pytest.mark.parametrize("request_", [TIOCSTI, TIOCLINUX, 1 << 32 | TIOCSTI])
def test_nothing_is_typed_into_a_terminal(request_: int):
    assert judged(FULL, FILTERED["ioctl"], 0, request_) == refused(errno.EPERM)
    assert judged(FULL, FILTERED["ioctl"], 0, TCGETS) == ALLOW


@pytest.mark.parametrize("name", ["prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler"])
def test_only_the_callers_own_limits_and_priorities_change(name: str):
    assert judged(FULL, FILTERED[name], 0) == ALLOW
    assert judged(FULL, FILTERED[name], 1) == refused(errno.EPERM)


def test_priorities_of_users_and_groups_do_not_change():
    assert judged(FULL, FILTERED["setpriority"], 0, 0) == ALLOW
    assert {judged(FULL, FILTERED["setpriority"], *who) for who in ((0, 1), (1, 0), (2, 0))} == {refused(errno.EPERM)}
    assert judged(FULL, FILTERED["ioprio_set"], 1, 0) == ALLOW
    assert {judged(FULL, FILTERED["ioprio_set"], *who) for who in ((1, 1), (2, 0), (3, 0))} == {refused(errno.EPERM)}


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_every_call_is_judged(number: int, arguments: list[int]):
    assert judged(FULL, number, *arguments) & 0xFFFF0000 in (ALLOW, REFUSE)


@pytest.mark.parametrize("command", [1024, 1026, 1040], ids=["F_SETLEASE", "F_NOTIFY", "F_SETDELEG"])
def test_what_others_do_with_a_file_is_neither_watched_nor_held_up(command: int):
    assert judged(FULL, FILTERED["fcntl"], 0, command) == refused(errno.EPERM)
    assert judged(FULL, FILTERED["fcntl"], 0, 3) == ALLOW
    assert not [name for name in NUMBERS if "notify" in name]


@pytest.mark.parametrize("name", ["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"])
def test_signals_pass_but_to_those_that_are_shielded(name: str):
    shielding = assemble(NUMBERS.values(), FILTERED, unix_sockets=True, shielded=(5, -5, 1, -1))
    for pid in (5, -5, 1, -1):
        assert judged(FULL, FILTERED[name], pid & 0xFFFFFFFF) == ALLOW
        assert judged(shielding, FILTERED[name], pid & 0xFFFFFFFF) == refused(errno.EPERM)
    assert judged(shielding, FILTERED[name], 7) == ALLOW
