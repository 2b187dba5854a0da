"""What a program finds in its folders, and what comes back from them."""

from sandboxes.conformance.expecting import expect, expect_that, run
from sandboxes.types import MIB, Sandbox

_HARMLESS_VARIABLES = {
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "OLDPWD", "PATH", "PWD", "PYTHONHASHSEED", "PYTHONUTF8", "SHLVL", "TMPDIR",
    "_",
}  # fmt: skip


async def the_environment_is_empty(sandbox: Sandbox) -> None:
    """Save for the few variables that a program cannot do without."""
    result = await run(sandbox, "import os; print(*os.environ)")
    expect(result, exit_code=0)
    more = set(result.stdout.decode().split()) - _HARMLESS_VARIABLES
    expect_that(not more, f"there are also {', '.join(sorted(more))}")


async def files_are_laid_beside_the_source(sandbox: Sandbox) -> None:
    """In the work folder, which is the current one, and in folders below it."""
    files = {
        "data.bin": bytes(range(256)),
        "deep/er/module.py": b"VALUE = 5\n",
        "near.py": b"from deep.er import module\n",
    }
    source = "import near; print(near.module.VALUE, len(open('data.bin', 'rb').read()))"
    expect(await run(sandbox, source, files=files), exit_code=0, stdout=b"5 256\n")


async def the_work_folder_holds_nothing_else(sandbox: Sandbox) -> None:
    """Only the source and the files that were sent."""
    result = await run(sandbox, "import os; print(sorted(os.listdir()))", files={"a": b"", "b/c": b""})
    expect(result, exit_code=0, stdout=b"['a', 'b', 'main.py']\n")


async def files_and_folders_come_back(sandbox: Sandbox) -> None:
    """With the paths they have below the work folder."""
    source = """
        import os
        os.makedirs("out/inner")
        open("out/inner/one", "wb").write(bytes(range(256)))
        open("out/two", "w")
        open("sent", "a").write(" and changed")
        open("unasked", "w").write("x")
    """
    result = await run(sandbox, source, files={"sent": b"sent"}, fetch=("out", "sent"))
    expect(result, exit_code=0)
    wanted = {"out/inner/one": bytes(range(256)), "out/two": b"", "sent": b"sent and changed"}
    expect_that(result.files == wanted, f"{sorted(result.files)} came back")


async def what_is_no_plain_file_stays(sandbox: Sandbox) -> None:
    """Links, missing files and files over the limit are left out."""
    source = """
        import os
        os.symlink("main.py", "link")
        os.symlink("/", "root")
        open("large", "wb").write(bytes(3000))
        open("small", "wb").write(bytes(1000))
        os.makedirs("folder")
        os.symlink("../main.py", "folder/link")
    """
    fetch = ("link", "root", "large", "small", "missing", "folder")
    result = await run(sandbox, source, fetch=fetch, output_bytes=2000)
    expect(result, exit_code=0)
    expect_that(set(result.files) == {"small"}, f"{sorted(result.files)} came back")


async def files_come_back_from_a_program_that_failed(sandbox: Sandbox) -> None:
    """However it ended."""
    result = await run(sandbox, "open('partial', 'w').write('half'); 1 / 0", fetch=("partial",))
    expect(result, exit_code=1)
    expect_that(result.files == {"partial": b"half"}, f"{sorted(result.files)} came back")


async def scratch_folders_are_writable(sandbox: Sandbox) -> None:
    """The work folder and what `tempfile` finds."""
    source = "import tempfile; tempfile.TemporaryFile().write(b'x'); open('here', 'w').write('x'); print('ok')"
    expect(await run(sandbox, source), exit_code=0, stdout=b"ok\n")


async def nothing_outside_tmp_can_be_written(sandbox: Sandbox) -> None:
    """Not the system's folders, and not the interpreter's own."""
    source = """
        import os, sys, sysconfig
        library = sysconfig.get_paths()["stdlib"]
        for folder in ("/", "/etc", "/usr", "/usr/bin", "/dev", "/home", "/root", "/var", library):
            try:
                open(os.path.join(folder, "assay-conformance"), "w")
                print(folder)
            except OSError:
                pass
    """
    expect(await run(sandbox, source), exit_code=0, stdout=b"")


async def a_large_file_comes_back_whole(sandbox: Sandbox) -> None:
    """Up to the limit on output, which counts for files once more."""
    result = await run(sandbox, "open('out', 'wb').write(b'x' * (3 << 20))", fetch=("out",), output_bytes=4 * MIB)
    expect(result, exit_code=0)
    expect_that(len(result.files.get("out", b"")) == 3 * MIB, f"{len(result.files.get('out', b''))} bytes came back")


REQUIREMENTS = (
    the_environment_is_empty,
    files_are_laid_beside_the_source,
    the_work_folder_holds_nothing_else,
    files_and_folders_come_back,
    what_is_no_plain_file_stays,
    files_come_back_from_a_program_that_failed,
    scratch_folders_are_writable,
    nothing_outside_tmp_can_be_written,
    a_large_file_comes_back_whole,
)
