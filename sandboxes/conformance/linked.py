"""Two programs with a socket between them, which is all they share."""

from sandboxes.conformance.expecting import expect, expect_that, program
from sandboxes.types import LINK_FD, Outcome, Sandbox

_LINK = f"import socket; link = socket.socket(fileno={LINK_FD})\n"


async def linked_programs_talk_both_ways(sandbox: Sandbox) -> None:
    """And the results come in the order of the arguments."""
    judge = program(_LINK + "link.sendall(b'question'); print(link.recv(100).decode())")
    candidate = program(_LINK + "print(link.recv(100).decode(), flush=True); link.sendall(b'answer'); link.recv(1)")
    first, second = await sandbox.run_linked(judge, candidate)
    expect(first, exit_code=0, stdout=b"answer\n")
    expect_that(second.stdout == b"question\n", f"the candidate wrote {second.stdout!r}")


async def a_megabyte_crosses_the_link(sandbox: Sandbox) -> None:
    """In each direction, whole."""
    judge = program(
        _LINK
        + "import threading\n"
        + "threading.Thread(target=lambda: (link.sendall(b'x' * (1 << 20)), link.shutdown(socket.SHUT_WR))).start()\n"
        + "got = 0\n"
        + "while data := link.recv(65536): got += len(data)\n"
        + "print(got)"
    )
    candidate = program(_LINK + "while data := link.recv(65536): link.sendall(data)")
    first, _ = await sandbox.run_linked(judge, candidate)
    expect(first, exit_code=0, stdout=b"%d\n" % (1 << 20))


async def the_judges_end_ends_the_candidate(sandbox: Sandbox) -> None:
    """Long before the candidate's own limits."""
    candidate = program("import time; time.sleep(60)", wall_s=30.0)
    first, second = await sandbox.run_linked(program("print('enough')"), candidate)
    expect(first, exit_code=0, stdout=b"enough\n")
    expect_that(second.wall_s < 10.0, f"the candidate went on for {second.wall_s:.1f} s")


async def the_candidates_end_is_an_end_of_file(sandbox: Sandbox) -> None:
    """The judge goes on, and says what it thinks of that."""
    judge = program(_LINK + "print(link.recv(10)); import time; time.sleep(0.1); print('judged')")
    first, second = await sandbox.run_linked(judge, program("import os; os._exit(4)"))
    expect(first, exit_code=0, stdout=b"b''\njudged\n")
    expect(second, exit_code=4)


async def linked_programs_see_nothing_of_each_other(sandbox: Sandbox) -> None:
    """Their folders are their own."""
    source = _LINK + (
        "import os\n"
        "before = sorted(os.listdir())\n"
        "open('mine', 'w').write('x')\n"
        "link.sendall(b'.'), link.recv(1)\n"
        "print(before, len(os.listdir()), flush=True)\n"
        "link.sendall(b'.'), link.recv(1)\n"
    )
    judge, candidate = program(source, files={"tests": b""}), program(source, files={"solution": b""})
    first, second = await sandbox.run_linked(judge, candidate)
    expect(first, exit_code=0, stdout=b"['main.py', 'tests'] 3\n")
    expect_that(second.stdout == b"['main.py', 'solution'] 3\n", f"the candidate saw {second.stdout!r}")


async def each_linked_program_has_limits_of_its_own(sandbox: Sandbox) -> None:
    """The candidate's end by a limit is told as that, and the judge's result is not touched."""
    judge = program(_LINK + "print(link.recv(10))", wall_s=8.0)
    first, second = await sandbox.run_linked(judge, program("while True: pass", cpu_s=0.4))
    expect(first, exit_code=0, stdout=b"b''\n")
    expect(second, Outcome.CPU_LIMIT)


async def a_candidate_cannot_keep_the_link_open(sandbox: Sandbox) -> None:
    """A child of its that holds it is gone with it."""
    candidate = program("import os, time\nif os.fork() == 0: time.sleep(60)\n", wall_s=4.0)
    first, _ = await sandbox.run_linked(program(_LINK + "print(link.recv(10))", wall_s=8.0), candidate)
    expect(first, exit_code=0, stdout=b"b''\n")
    expect_that(first.wall_s < 3.0, f"the judge had to wait for {first.wall_s:.1f} s")


REQUIREMENTS = (
    linked_programs_talk_both_ways,
    a_megabyte_crosses_the_link,
    the_judges_end_ends_the_candidate,
    the_candidates_end_is_an_end_of_file,
    linked_programs_see_nothing_of_each_other,
    each_linked_program_has_limits_of_its_own,
    a_candidate_cannot_keep_the_link_open,
)
