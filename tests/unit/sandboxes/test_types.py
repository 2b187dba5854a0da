"""What a request may ask."""

import pytest
from pydantic import ValidationError

from sandboxes.types import Program


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a//b", "a/../b", ".hidden", "a\n", "x" * 256, ""])
def test_no_file_lies_outside_the_work_folder(path: str):
    with pytest.raises(ValidationError, match="files"):
        Program(source="", files={path: b""})


def test_a_file_cannot_be_a_folder_of_another():
    with pytest.raises(ValidationError, match=r"'a/b' is a file, and 'a/b/c/d' would be in a folder of that name"):
        Program(source="", files={"a/b/c/d": b"", "a/b": b""})
    assert set(Program(source="", files={"a/b/c": b"", "a/bc": b""}).files) == {"a/b/c", "a/bc"}
