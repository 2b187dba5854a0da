"""How a program ended is told as it was."""

import signal

from sandboxes.conformance.expecting import expect, expect_that, run
from sandboxes.errors import SandboxMisconfigured
from sandboxes.types import MIB, Outcome, Sandbox


async def exit_codes_are_told(sandbox: Sandbox) -> None:
    """By `sys.exit`, by `os._exit`, and by coming to the end."""
    sources = {"": 0, "raise SystemExit": 0, "import sys; sys.exit(7)": 7, "import os; os._exit(255)": 255}
    for source, code in sources.items():
        expect(await run(sandbox, source), exit_code=code, signal=None)


async def an_exit_with_a_message_prints_it_and_exits_with_1(sandbox: Sandbox) -> None:
    """As Python says."""
    expect(await run(sandbox, "import sys; sys.exit('so long')"), exit_code=1, stderr=b"so long\n")


async def an_uncaught_exception_exits_with_1_and_a_traceback(sandbox: Sandbox) -> None:
    """The traceback names the program's own file and nothing of ours."""
    result = await run(sandbox, "def f():\n    raise ValueError('no')\n\nf()\n")
    expect(result, exit_code=1, stdout=b"")
    lines = result.stderr.decode("utf-8", "replace")
    expect_that("main.py" in lines and lines.rstrip().endswith("ValueError: no"), f"the traceback is {lines!r}")
    expect_that("sandboxes" not in lines, f"the traceback shows the sandbox: {lines!r}")


async def signals_are_told(sandbox: Sandbox) -> None:
    """Sent by itself or by the kernel."""
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT, signal.SIGUSR1):
        source = f"import os, time; os.kill(os.getpid(), {int(number)}); time.sleep(9)"
        expect(await run(sandbox, source), Outcome.SIGNALLED, signal=int(number), exit_code=None)
    crash = await run(sandbox, "import ctypes; ctypes.string_at(8)")
    expect(crash, Outcome.SIGNALLED, signal=int(signal.SIGSEGV))


async def a_signal_with_a_handler_is_the_programs_own(sandbox: Sandbox) -> None:
    """A program is no first process of its system: it may handle signals and be ended by those it does not."""
    source = """
        import os, signal
        signal.signal(signal.SIGTERM, lambda number, frame: print("handled"))
        os.kill(os.getpid(), signal.SIGTERM)
    """
    expect(await run(sandbox, source), exit_code=0, stdout=b"handled\n")


async def what_is_registered_for_the_end_runs_at_the_end(sandbox: Sandbox) -> None:
    """`atexit`, threads and buffers end as they do in an interpreter."""
    source = """
        import atexit, threading, time
        atexit.register(print, "last")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        print("first", end=" ")
    """
    expect(await run(sandbox, source), exit_code=0, stdout=b"first thread\nlast\n")


async def a_source_that_is_no_program_fails_like_one(sandbox: Sandbox) -> None:
    """Whatever the text is, it is the program's failure."""
    for source in ("def (:", "x = '\0'", "print('\ud800')", "\ufeff\ufeff", "\x1b[2J", "if 1:\n\t  x\n        y"):
        result = await run(sandbox, source)
        expect_that(result.outcome is Outcome.EXITED and result.exit_code != 0, f"{source!r} ended as {result.outcome}")


async def a_megabyte_of_source_runs(sandbox: Sandbox) -> None:
    """The source may be as long as a program gets."""
    source = "\n".join(f"x{number} = {number}" for number in range(80_000)) + "\nprint(x79999)\n"
    expect_that(len(source) > MIB, "the sample is too short")
    expect(await run(sandbox, source, memory_bytes=512 * MIB, cpu_s=5.0), exit_code=0, stdout=b"79999\n")


async def endless_recursion_is_the_programs_failure(sandbox: Sandbox) -> None:
    """With and without the interpreter's own limit."""
    plain = await run(sandbox, "def f(): return f()\nf()")
    expect(plain, exit_code=1)
    deep = await run(sandbox, "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f([x]) + 1\nf(1)")
    expect_that(deep.exit_code != 0, "it came back from an endless recursion")


async def an_unknown_language_is_our_fault(sandbox: Sandbox) -> None:
    """Asking for it raises, and so never becomes a score."""
    try:
        await run(sandbox, "hello", language="no-such-language")
    except SandboxMisconfigured:
        return
    expect_that(False, "a program in a language that does not exist was run")


async def a_result_says_what_was_used(sandbox: Sandbox) -> None:
    """Wall time, CPU time and memory are near to what the program really used."""
    result = await run(sandbox, "import time; x = bytearray(64 << 20); time.sleep(0.3)")
    expect(result, exit_code=0, backend=sandbox.backend, policy_digest=sandbox.policy_digest("python"))
    expect_that(0.3 <= result.wall_s < 3.0, f"0.3 s of sleep took {result.wall_s:.3f} s")
    expect_that(result.peak_memory_bytes >= 60 * MIB, f"64 MiB were counted as {result.peak_memory_bytes} bytes")
    busy = await run(sandbox, "import time\nwhile time.process_time() < 0.3: pass")
    expect_that(0.25 <= busy.cpu_s < 1.5, f"0.3 s of CPU time were counted as {busy.cpu_s:.3f} s")


REQUIREMENTS = (
    exit_codes_are_told,
    an_exit_with_a_message_prints_it_and_exits_with_1,
    an_uncaught_exception_exits_with_1_and_a_traceback,
    signals_are_told,
    a_signal_with_a_handler_is_the_programs_own,
    what_is_registered_for_the_end_runs_at_the_end,
    a_source_that_is_no_program_fails_like_one,
    a_megabyte_of_source_runs,
    endless_recursion_is_the_programs_failure,
    an_unknown_language_is_our_fault,
    a_result_says_what_was_used,
)
