"""A run finds nothing of another, and leaves nothing."""

import asyncio

from sandboxes.conformance.expecting import expect, expect_that, program, run
from sandboxes.types import Outcome, Sandbox


async def a_run_leaves_no_file_for_the_next(sandbox: Sandbox) -> None:
    """Neither in the work folder nor in any other, and what was sent is as it was sent."""
    source = """
        import os, sys
        print(open("sent").read(), os.path.exists("left"), os.path.exists("/tmp/left"), os.path.exists("/dev/shm/left"))
        for path in ("left", "/tmp/left", "/dev/shm/left", "sent"):
            try:
                open(path, "w").write("changed")
            except OSError:
                pass
    """
    async with sandbox.open(program(source, files={"sent": b"sent"})) as submission:
        for _ in range(2):
            expect(await submission.run(), exit_code=0, stdout=b"sent False False False\n")
    expect(await run(sandbox, source, files={"sent": b"sent"}), exit_code=0, stdout=b"sent False False False\n")


async def a_run_leaves_nothing_in_the_interpreter(sandbox: Sandbox) -> None:
    """Modules, builtins and environment are those of a new one."""
    source = """
        import builtins, json, os, random
        print(hasattr(builtins, "left"), hasattr(json, "left"), "LEFT" in os.environ)
        builtins.left = json.left = os.environ["LEFT"] = "left"
    """
    async with sandbox.open(program(source)) as submission:
        for _ in range(2):
            expect(await submission.run(), exit_code=0, stdout=b"False False False\n")


async def no_process_outlives_its_run(sandbox: Sandbox) -> None:
    """A daemon that hides from its parent and from signals is gone when the result comes."""
    source = """
        import os, signal, sys, time
        before = sys.stdin.read()
        if before:
            try:
                os.kill(int(before), 0)
                print("alive")
            except OSError:
                print("gone")
            sys.exit()
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                os.write(writer, str(os.getpid()).encode())
                time.sleep(3)
            os._exit(0)
        print(os.read(reader, 20).decode())
    """
    async with sandbox.open(program(source)) as submission:
        first = await submission.run()
        expect(first, exit_code=0)
        expect_that(first.wall_s < 2.0, f"the result came with the daemon's end, after {first.wall_s:.2f} s")
        expect(await submission.run(first.stdout.strip()), exit_code=0, stdout=b"gone\n")


async def a_child_that_holds_the_streams_is_not_awaited(sandbox: Sandbox) -> None:
    """The program's own end is the end."""
    source = """
        import os, time
        if os.fork() == 0:
            time.sleep(3)
            print("late", flush=True)
            os._exit(0)
        print("early", flush=True)
    """
    result = await run(sandbox, source)
    expect(result, exit_code=0, stdout=b"early\n")
    expect_that(result.wall_s < 2.0, f"the result came after {result.wall_s:.2f} s")


async def ended_children_may_be_left_unawaited(sandbox: Sandbox) -> None:
    """Run after run."""
    source = """
        import os
        for _ in range(8):
            if os.fork() == 0:
                os._exit(0)
        print("done")
    """
    async with sandbox.open(program(source)) as submission:
        for _ in range(5):
            expect(await submission.run(), exit_code=0, stdout=b"done\n")


async def a_submission_goes_on_after_a_run_that_was_ended(sandbox: Sandbox) -> None:
    """Whichever limit it was."""
    source = """
        import sys, time
        what = sys.stdin.read()
        if what == "time": time.sleep(60)
        if what == "memory": x = bytearray(1 << 40)
        if what == "output":
            while True: print("x" * 1000)
        print("fine")
    """
    limited = program(source, wall_s=0.5, output_bytes=10_000)
    async with sandbox.open(limited) as submission:
        for what, outcome in (
            (b"time", Outcome.TIMED_OUT), (b"memory", Outcome.OUT_OF_MEMORY), (b"output", Outcome.OUTPUT_LIMIT),
        ):  # fmt: skip
            expect(await submission.run(what), outcome)
            expect(await submission.run(), exit_code=0, stdout=b"fine\n")


async def submissions_at_once_do_not_mix(sandbox: Sandbox) -> None:
    """Each gets its own source, files, input and output."""
    source = """
        import os, sys, time
        word, here = sys.stdin.read(), sorted(os.listdir())
        open("mine", "w").write(word)
        time.sleep(0.05)
        print(WORD, word, open("file").read(), open("mine").read(), here)
    """

    async def one(word: str) -> None:
        sent = program(source.replace("WORD", repr(word)), files={"file": word.encode()})
        async with sandbox.open(sent) as submission:
            for turn in ("a", "b"):
                said = f"{word} {word + turn} {word} {word + turn} ['file', 'main.py']\n"
                expect(await submission.run((word + turn).encode()), exit_code=0, stdout=said.encode())

    await asyncio.gather(*(one(f"word{number}") for number in range(8)))


async def a_caller_that_leaves_takes_its_run_with_it(sandbox: Sandbox) -> None:
    """The place is free for others at once."""
    abandoned = asyncio.create_task(run(sandbox, "import time; time.sleep(4)"))
    await asyncio.sleep(0.2)
    abandoned.cancel()
    await asyncio.gather(abandoned, return_exceptions=True)
    expect(await run(sandbox, "print('here')"), exit_code=0, stdout=b"here\n")


REQUIREMENTS = (
    a_run_leaves_no_file_for_the_next,
    a_run_leaves_nothing_in_the_interpreter,
    no_process_outlives_its_run,
    a_child_that_holds_the_streams_is_not_awaited,
    ended_children_may_be_left_unawaited,
    a_submission_goes_on_after_a_run_that_was_ended,
    submissions_at_once_do_not_mix,
    a_caller_that_leaves_takes_its_run_with_it,
)
