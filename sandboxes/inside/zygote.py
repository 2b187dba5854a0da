"""A warm interpreter that forks keepers. It never sees a request, so no program can find another's in its memory.

Started by the warden with one socket. First it is told its policy; then each message is a socket for a new keeper, and
the answer is the keeper's pid together with a descriptor of its process. A zygote first splits into slots, one for each
control group: a process is born into the group of its parent, and moving one stops every fork on the machine for
milliseconds.
"""

import gc
import importlib
import json
import os
import signal
import site
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from sandboxes.inside import kernel, landlock, root, seccomp
from sandboxes.inside.cgroups import owned_by
from sandboxes.inside.child import Outlook
from sandboxes.inside.keeper import ORPHANED, Den, keep

MESSAGE_BYTES = 65536
INSIDE_UID = 1000
_ZYGOTE_OOM_SCORE, _KEEPER_OOM_SCORE = -500, 500
_NAMESPACES = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)  # fmt: skip


def main(control_fd: int) -> None:
    """Prepare as the policy says, report, then fork keepers until the warden is gone."""
    control = socket.socket(fileno=control_fd)
    kernel.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # with a handler, a program could interrupt pid 1 of its namespace
    policy = json.loads(control.recv(MESSAGE_BYTES))
    try:
        confinement = _prepare(policy)
    except (OSError, ImportError) as error:
        control.send(json.dumps({"error": str(error)}).encode())
        return
    os.environ.clear()
    os.environ.update(policy["env"])  # once, for all the programs
    gc.collect()
    gc.freeze()  # keeps the pages of everything imported shared between runs
    with suppress(ConnectionError):  # the warden is gone
        control.send(json.dumps({"ready": True, "landlock": confinement.landlock}).encode())
        if confinement.alone:
            _become_keeper(control, policy["shape"], confinement)
        _serve(control, confinement)


@dataclass(frozen=True)
class Confinement:
    """What every keeper of this policy puts on."""

    full: bool
    alone: bool
    """There is to be one keeper, and nothing else but the first process of the container."""
    proc: bool
    landlock: int
    readable: list[str]
    seccomp: bytes
    address_space_base: int
    uid: int
    """Who we are, to be known before a process is cloned into a user namespace where that has no name any more."""
    gid: int


def _prepare(policy: dict[str, Any]) -> Confinement:
    full = policy["tier"] == "full"
    packages = root.packages_at(policy["paths"]) if full else policy["paths"]
    if full:
        _own_the_mounts()
        root.build(policy["mounts"], policy["paths"], proc=True)
    sys.path += packages
    site.setquit()  # `exit` and `quit`, which programs expect to be there
    for name in policy["preload"]:
        importlib.import_module(name)
    address_space_base = _address_space()
    _prefer_to_be_killed(_ZYGOTE_OOM_SCORE)
    _become_nobody(policy["uid"])
    _check_readable([*policy["mounts"], *packages])
    if full:
        _rehearse(policy["shape"], os.geteuid(), os.getegid(), proc=policy["proc"])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps keepers; the warden has their pidfd
    alone = policy["tier"] == "alone"
    # Where nothing else keeps signals from the keeper, which we are to be, and from the first process.
    shielded = (os.getpid(), -os.getpgid(0), 1, -1) if alone else ()
    return Confinement(
        full=full,
        alone=alone,
        proc=policy["proc"],
        landlock=landlock.abi(),
        readable=[*root.readable(policy["mounts"]), *packages, *(["/proc"] if policy["proc"] else [])],
        seccomp=seccomp.assemble(policy["syscalls"], policy["filtered"], unix_sockets=full, shielded=shielded),
        address_space_base=address_space_base,
        uid=os.geteuid(),
        gid=os.getegid(),
    )


def _rehearse(shape: dict[str, int], uid: int, gid: int, *, proc: bool) -> None:
    """Isolate a process once, so that what the kernel refuses is known by name before anybody waits for it."""
    reader, writer = os.pipe()
    pid, pidfd = kernel.clone(_NAMESPACES)
    if pid == 0:
        try:
            _isolate(shape, uid, gid, proc=proc)
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    refused = os.read(reader, MESSAGE_BYTES).decode()
    os.close(reader)
    os.close(pidfd)
    os.waitpid(pid, 0)
    if refused:
        raise OSError(refused)


def _check_readable(mounts: list[str]) -> None:
    """Half a standard library would be our fault, and look like the program's."""
    for path in mounts:
        try:
            os.stat(path)
        except FileNotFoundError:
            continue
        except PermissionError:
            raise PermissionError(
                f"user {os.geteuid()} cannot read {path}: put it where everybody can read it, or name another"
                " interpreter"
            ) from None


def _prefer_to_be_killed(score: int) -> None:
    """When memory is short the kernel kills the program, not what looks after it. Only root may lower a score."""
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"%d" % score)
        os.close(descriptor)
    except OSError:
        return


def _address_space() -> int:
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def _own_the_mounts() -> None:
    """A mount namespace of our own, as root directly and as anybody else through a user namespace."""
    if os.geteuid() == 0:
        kernel.unshare(kernel.CLONE_NEWNS)
        return
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    _map_ids("/proc/self", uid, uid, gid, gid)


def _map_ids(proc: str, inside_uid: int, uid: int, inside_gid: int, gid: int) -> None:
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside_uid} {uid} 1"),
        ("gid_map", f"{inside_gid} {gid} 1"),
    ):
        descriptor = os.open(f"{proc}/{name}", os.O_WRONLY)
        os.write(descriptor, content.encode())
        os.close(descriptor)


def _become_nobody(uid: int) -> None:
    """As root, be somebody who owns nothing. Anybody else stays who they are."""
    if os.geteuid() == 0 and uid:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError as error:
            raise OSError(f"root cannot become user {uid}: {error.strerror}; start it as an ordinary user") from error
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # or /proc/self/uid_map would belong to root
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # forgotten with the old identity


def _serve(control: socket.socket, confinement: Confinement) -> None:
    """Fork a slot for each message, or as a slot a keeper; the socket that comes along is the new process's own."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not message:
            return
        order = json.loads(message)
        isolated = confinement.full and "shape" in order
        pid, pidfd = kernel.clone(_NAMESPACES) if isolated else _fork()
        if pid == 0:
            control.close()
            link = socket.socket(fileno=descriptors[0])
            if "shape" in order:
                _become_keeper(link, order["shape"], confinement)
            kernel.die_with_parent()
            control = link
            continue
        socket.send_fds(control, [b"%d" % pid], [pidfd])
        os.close(pidfd)
        os.close(descriptors[0])


def _fork() -> tuple[int, int]:
    pid = os.fork()
    return pid, os.pidfd_open(pid) if pid else -1


def _become_keeper(link: socket.socket, shape: dict[str, int], confinement: Confinement) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Without a pid namespace our death would free the program, so that we have to end it first.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL if confinement.full else ORPHANED)
    _prefer_to_be_killed(_KEEPER_OOM_SCORE)
    if confinement.full:
        den = _isolate(shape, confinement.uid, confinement.gid, proc=confinement.proc)
    else:
        den = _settle(alone=confinement.alone)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nobody of the same user looks into this process
    kernel.drop_capabilities()
    writable = [path for path in root.DEVICES if os.path.exists(path)]
    if confinement.landlock:
        landlock.restrict(confinement.landlock, confinement.readable, [*writable, den.work])
    if not confinement.alone:  # it ends everything with a signal that its program may not send
        seccomp.install(confinement.seccomp)
    outlook = Outlook(
        confinement.address_space_base,
        landlock=0 if confinement.full or confinement.alone else confinement.landlock,
        seccomp=confinement.seccomp if confinement.alone else b"",
        readable=confinement.readable,
        writable=[*writable, den.work],
    )
    keep(link, den, outlook)
    os._exit(0)


def _isolate(shape: dict[str, int], uid: int, gid: int, *, proc: bool) -> Den:
    """Settle in the namespaces that this process was cloned into; uid and gid are what it was cloned with."""
    _map_ids("/proc/self", INSIDE_UID, uid, INSIDE_UID, gid)
    kernel.set_hostname("sandbox")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    if proc:
        kernel.mount("proc", "/proc", "proc", flags | kernel.MS_NOEXEC)
    else:
        kernel.mount("tmpfs", "/proc", "tmpfs", flags | kernel.MS_NOEXEC, "mode=000,size=4k")
    size = f"mode=700,size={shape['disk_bytes']},nr_inodes={shape['inodes']}"
    kernel.mount("tmpfs", root.SCRATCH, "tmpfs", flags, size)
    kernel.drop_bounding_set()
    return Den(root.SCRATCH)


def _settle(*, alone: bool) -> Den:
    """Without namespaces orphans fall to us, and we have a folder of our own unless there is nobody else."""
    if alone:
        with suppress(OSError):  # gVisor lets orphans fall to the first process alone, which reaps them too
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        return Den(root.SCRATCH)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    work = f"{root.SCRATCH}/{owned_by(os.getpid())}"
    os.mkdir(work, 0o700)
    return Den(work, os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC))


if __name__ == "__main__":
    main(int(sys.argv[1]))
