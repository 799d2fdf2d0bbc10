"""A hash of what was named: the same for the same content, another for any other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.corpus.opening.contents import content_hash
from tests.engine.opening_helpers import is_any, tar_of, zip_of

FILES = {"a.txt": b"one\n", "b/c.txt": b"two\n"}
CONTENTS = {"text": b"one\n", "zip": zip_of(FILES), "tar": tar_of(FILES), "a damaged zip": zip_of(FILES)[:-5]}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, which is returned."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_file_has_the_hash_of_its_content_wherever_it_lies(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"a": content, "b/c": content})
    os.utime(tmp_path / "a", (1, 1))
    assert content_hash(tmp_path / "a", is_any) == content_hash(tmp_path / "b" / "c", is_any)


def test_all_that_differs_has_another_hash(tmp_path: Path) -> None:
    other = {"a.txt": b"one\n", "b/c.txt": b"2wo\n"}
    write(tmp_path, {**CONTENTS, "other": b"One\n", "other zip": zip_of(other)})
    write(tmp_path / "folder", FILES)
    write(tmp_path / "other folder", other)
    write(tmp_path / "renamed", {"z.txt": b"one\n", "b/c.txt": b"two\n"})
    names = os.listdir(tmp_path)
    assert len({content_hash(tmp_path / name, is_any) for name in names}) == len(names)


def test_what_is_not_wanted_of_a_folder_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    before = content_hash(tmp_path, lambda name: name.endswith(".txt"))
    write(tmp_path, {"photo.jpg": b"x", ".hidden.txt": b"x"})
    assert content_hash(tmp_path, lambda name: name.endswith(".txt")) == before
