"""Every limit ends what goes over it, says that it did, and leaves alone what stays below."""

from sandboxes.conformance.expecting import expect, expect_that, run
from sandboxes.types import MIB, Outcome, Sandbox


async def the_wall_clock_ends_a_program_that_waits(sandbox: Sandbox) -> None:
    """Within a second of the limit."""
    result = await run(sandbox, "import time; print('so far', flush=True); time.sleep(60)", wall_s=0.4)
    expect(result, Outcome.TIMED_OUT, exit_code=None, signal=None, stdout=b"so far\n")
    expect_that(0.4 <= result.wall_s < 3.0, f"it took {result.wall_s:.2f} s to end it after 0.4 s")


async def cpu_time_ends_a_program_that_works(sandbox: Sandbox) -> None:
    """Long before the wall clock would."""
    result = await run(sandbox, "while True: pass", cpu_s=0.4, wall_s=20.0)
    expect(result, Outcome.CPU_LIMIT)
    expect_that(result.wall_s < 10.0, f"it took {result.wall_s:.2f} s to see 0.4 s of CPU time")


async def several_processes_share_one_cpu_limit(sandbox: Sandbox) -> None:
    """Those that run at once, and those that have ended."""
    at_once = "import os\nfor _ in range(2): os.fork()\nwhile True: pass"
    expect(await run(sandbox, at_once, cpu_s=0.5, wall_s=20.0), Outcome.CPU_LIMIT)
    in_turn = """
        import os
        while True:
            if os.fork() == 0:
                sum(range(300_000))
                os._exit(0)
            os.wait()
    """
    expect(await run(sandbox, in_turn, cpu_s=0.5, wall_s=20.0), Outcome.CPU_LIMIT)


async def sleeping_costs_no_cpu_time(sandbox: Sandbox) -> None:
    """A program is judged by the CPU time it spent."""
    expect(await run(sandbox, "import time; time.sleep(0.6)", cpu_s=0.3), exit_code=0)


async def too_much_memory_at_once_is_out_of_memory(sandbox: Sandbox) -> None:
    """One request for more than there is."""
    expect(await run(sandbox, "x = bytearray(1 << 30)", memory_bytes=128 * MIB), Outcome.OUT_OF_MEMORY)


async def too_much_memory_bit_by_bit_is_out_of_memory(sandbox: Sandbox) -> None:
    """Many small requests."""
    source = "kept = []\nwhile True: kept.append(bytes(range(256)) * 4096)"
    expect(await run(sandbox, source, memory_bytes=128 * MIB), Outcome.OUT_OF_MEMORY)


async def out_of_memory_is_not_out_of_time(sandbox: Sandbox) -> None:
    """A program that is slow as well is told by what ended it."""
    source = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(4 << 20))\n    time.sleep(0.005)"
    expect(await run(sandbox, source, memory_bytes=128 * MIB), Outcome.OUT_OF_MEMORY)


async def several_processes_share_one_memory_limit(sandbox: Sandbox) -> None:
    """None of them is over it alone."""
    source = """
        import os, time
        for _ in range(5):
            if os.fork() == 0:
                break
        x = bytearray(60 << 20)
        x[::4096] = b"x" * len(x[::4096])
        time.sleep(1)
    """
    expect(await run(sandbox, source, memory_bytes=160 * MIB), Outcome.OUT_OF_MEMORY)


async def memory_below_the_limit_can_be_used(sandbox: Sandbox) -> None:
    """Nearly all of it."""
    result = await run(sandbox, "x = bytearray(140 << 20); x[::4096] = b'x' * len(x[::4096]); print('ok')")
    expect(result, exit_code=0, stdout=b"ok\n")


async def a_caught_want_of_memory_is_the_programs_own(sandbox: Sandbox) -> None:
    """It may go on with less."""
    source = "try:\n    x = bytearray(1 << 40)\nexcept MemoryError:\n    print('less, then')"
    expect(await run(sandbox, source), exit_code=0, stdout=b"less, then\n")


async def the_number_of_processes_is_limited(sandbox: Sandbox) -> None:
    """Those below the limit run; those above it cannot be started."""
    source = """
        import os, time
        started = 0
        for _ in range(40):
            try:
                if os.fork() == 0:
                    time.sleep(0.5)
                    os._exit(0)
                started += 1
            except OSError:
                break
        print(started)
    """
    result = await run(sandbox, source, pids=12)
    expect(result, exit_code=0)
    expect_that(8 <= int(result.stdout) <= 15, f"{int(result.stdout)} children ran beside one of 12 processes")


async def threads_count_as_processes(sandbox: Sandbox) -> None:
    """The same limit is for both."""
    source = """
        import threading, time
        started = 0
        try:
            for _ in range(40):
                threading.Thread(target=time.sleep, args=(0.3,)).start()
                started += 1
        except RuntimeError:
            pass
        print(started)
    """
    result = await run(sandbox, source, pids=12)
    expect(result, exit_code=0)
    expect_that(8 <= int(result.stdout) <= 15, f"{int(result.stdout)} threads ran beside one of 12")


async def the_size_of_a_file_is_limited(sandbox: Sandbox) -> None:
    """Writing fails with an error that the program can see; what is below the limit fits."""
    source = """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        open("fits", "wb").write(bytes(4 << 20))
        try:
            with open("large", "wb", 0) as file:
                while True: file.write(bytes(1 << 20))
        except OSError as error:
            print("refused")
    """
    expect(await run(sandbox, source, disk_bytes=8 * MIB), exit_code=0, stdout=b"refused\n")


async def many_files_share_one_disk_limit(sandbox: Sandbox) -> None:
    """None of them is over it alone."""
    source = """
        written = 0
        try:
            for number in range(40):
                with open(f"file{number}", "wb", 0) as file:
                    written += file.write(bytes(1 << 20))
        except OSError:
            pass
        print(written >> 20)
    """
    result = await run(sandbox, source, disk_bytes=8 * MIB)
    expect(result, exit_code=0)
    expect_that(4 <= int(result.stdout) <= 9, f"{int(result.stdout)} MiB fit on a disk of 8")


async def the_number_of_files_is_limited(sandbox: Sandbox) -> None:
    """A disk full of empty files is full."""
    source = """
        made = 0
        try:
            for number in range(20_000):
                open(f"file{number}", "w").close()
                made += 1
        except OSError:
            pass
        print(made)
    """
    result = await run(sandbox, source, disk_bytes=8 * MIB)
    expect_that(100 <= int(result.stdout or 0) < 20_000, f"{int(result.stdout or 0)} files fit on a disk of 8 MiB")


async def the_number_of_open_files_is_limited(sandbox: Sandbox) -> None:
    """With an error that the program can see."""
    source = "kept = []\ntry:\n    while True: kept.append(open('main.py'))\nexcept OSError:\n    print(len(kept))"
    result = await run(sandbox, source, open_files=40)
    expect(result, exit_code=0)
    expect_that(20 <= int(result.stdout) <= 40, f"{int(result.stdout)} files of 40 could be opened")


REQUIREMENTS = (
    the_wall_clock_ends_a_program_that_waits,
    cpu_time_ends_a_program_that_works,
    several_processes_share_one_cpu_limit,
    sleeping_costs_no_cpu_time,
    too_much_memory_at_once_is_out_of_memory,
    too_much_memory_bit_by_bit_is_out_of_memory,
    out_of_memory_is_not_out_of_time,
    several_processes_share_one_memory_limit,
    memory_below_the_limit_can_be_used,
    a_caught_want_of_memory_is_the_programs_own,
    the_number_of_processes_is_limited,
    threads_count_as_processes,
    the_size_of_a_file_is_limited,
    many_files_share_one_disk_limit,
    the_number_of_files_is_limited,
    the_number_of_open_files_is_limited,
)
