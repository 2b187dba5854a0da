"""What goes into a runner image."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from sandboxes import runner_image
from sandboxes.errors import SandboxMisconfigured
from sandboxes.runner_image import Tree, collect, pack


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "real" / "lib").mkdir(parents=True)
    (tmp_path / "real" / "lib" / "module.py").write_text("pass")
    (tmp_path / "real" / "lib" / "tests").mkdir()
    (tmp_path / "real" / "lib" / "tests" / "test_module.py").write_text("pass")
    (tmp_path / "alias").symlink_to("real")
    made = Tree()
    made.add(tmp_path / "alias" / "lib")
    return made


def packed(tree: Tree) -> bytes:
    image = io.BytesIO()
    pack(tree, "some:tag", image)
    return image.getvalue()


def test_the_same_files_make_the_same_image(tree: Tree):
    assert packed(tree) == packed(tree)


def test_links_on_the_way_come_along_and_tests_do_not(tree: Tree, tmp_path: Path):
    assert tree.links == {str(tmp_path / "alias"): "real"}
    assert list(tree.files) == [str(tmp_path / "real" / "lib" / "module.py")]


def test_an_image_holds_its_files_as_roots_own_below_folders_that_all_may_enter(tree: Tree):
    with tarfile.open(fileobj=io.BytesIO(packed(tree))) as image:
        manifest = json.load(image.extractfile("manifest.json"))
        with tarfile.open(fileobj=image.extractfile(manifest[0]["Layers"][0])) as layer:
            entries = {entry.name: entry for entry in layer}
    assert manifest[0]["RepoTags"] == ["some:tag"]
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert {entry.mode for entry in entries.values() if entry.isdir()} == {0o755, 0o1777}
    assert entries["tmp"].mode == 0o1777


def test_what_python_needs_is_collected_and_small():
    tree = collect(["python"])
    assert any(name.endswith("/encodings/utf_8.py") for name in tree.files)
    assert any("/libc.so" in name for name in tree.files)
    assert not any("/site-packages/" in name for name in tree.files)
    assert sum(path.stat().st_size for path in tree.files.values()) < 150 * 2**20


def test_what_is_not_installed_cannot_be_collected(monkeypatch: pytest.MonkeyPatch):
    def not_found(name: str) -> None:
        raise runner_image.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(runner_image.metadata, "distribution", not_found)
    with pytest.raises(SandboxMisconfigured, match="pytest is not installed"):
        collect(["pytest"])
