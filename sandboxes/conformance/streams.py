"""Standard input, standard output and standard error carry bytes."""

from sandboxes.conformance.expecting import expect, expect_that, run
from sandboxes.types import MIB, Outcome, Sandbox

_COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


async def bytes_cross_unchanged(sandbox: Sandbox) -> None:
    """Every byte, in both directions."""
    data = bytes(range(256)) * 16
    expect(await run(sandbox, _COPY, data), exit_code=0, stdout=data, stderr=b"", truncated=False)


async def no_input_is_an_end_of_file(sandbox: Sandbox) -> None:
    """A program that reads does not wait."""
    expect(await run(sandbox, "import sys; print(len(sys.stdin.read()))"), exit_code=0, stdout=b"0\n")


async def input_may_be_larger_than_a_pipe(sandbox: Sandbox) -> None:
    """Five megabytes, read to the end."""
    result = await run(sandbox, "import sys; print(len(sys.stdin.buffer.read()))", b"x" * (5 * MIB))
    expect(result, exit_code=0, stdout=b"%d\n" % (5 * MIB))


async def input_need_not_be_read(sandbox: Sandbox) -> None:
    """Nobody waits for a program to take what it does not want."""
    expect(await run(sandbox, "print('done')", b"x" * (5 * MIB)), exit_code=0, stdout=b"done\n")


async def two_megabytes_of_output_arrive(sandbox: Sandbox) -> None:
    """Output is drained while the program runs, so that it neither waits nor is cut."""
    result = await run(sandbox, "print('x' * 1023 + '\\n', end='') or print('y' * (2 << 20))", output_bytes=4 * MIB)
    expect(result, exit_code=0, truncated=False)
    expect_that(len(result.stdout) == 1024 + (2 << 20) + 1, f"{len(result.stdout)} bytes arrived")


async def output_up_to_the_limit_is_whole(sandbox: Sandbox) -> None:
    """To the byte."""
    result = await run(sandbox, "import os; os.write(1, b'x' * 1000); os.write(2, b'y' * 24)", output_bytes=1024)
    expect(result, exit_code=0, stdout=b"x" * 1000, stderr=b"y" * 24, truncated=False)


async def output_over_the_limit_ends_the_program(sandbox: Sandbox) -> None:
    """What came before is kept, and the result says that it is not all."""
    result = await run(sandbox, "while True: print('x' * 1000)", output_bytes=5000)
    expect(result, Outcome.OUTPUT_LIMIT, truncated=True, exit_code=None)
    expect_that(0 < len(result.stdout) <= 5000, f"{len(result.stdout)} bytes of at most 5000 arrived")


async def standard_error_counts_as_output(sandbox: Sandbox) -> None:
    """The limit is for both together."""
    result = await run(sandbox, "import sys\nwhile True: sys.stderr.write('x' * 1000)", output_bytes=5000)
    expect(result, Outcome.OUTPUT_LIMIT, truncated=True)
    both = await run(sandbox, "import os; os.write(1, b'x' * 600); os.write(2, b'y' * 600)", output_bytes=1000)
    expect_that(both.truncated and len(both.stdout) + len(both.stderr) <= 1000, "each stream has a limit of its own")


async def streams_may_be_closed(sandbox: Sandbox) -> None:
    """A program without streams is still awaited."""
    result = await run(sandbox, "import os, time; [os.close(n) for n in range(3)]; time.sleep(0.2); os._exit(3)")
    expect(result, exit_code=3, stdout=b"", stderr=b"")
    expect_that(result.wall_s >= 0.2, f"it was given up after {result.wall_s:.3f} s")


REQUIREMENTS = (
    bytes_cross_unchanged,
    no_input_is_an_end_of_file,
    input_may_be_larger_than_a_pipe,
    input_need_not_be_read,
    two_megabytes_of_output_arrive,
    output_up_to_the_limit_is_whole,
    output_over_the_limit_ends_the_program,
    standard_error_counts_as_output,
    streams_may_be_closed,
)
