"""The files of a folder are found once each, whatever links and permissions; its content hash detects every change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.corpus.files import contents, walk
from engine.corpus.files.contents import content_hash
from tests.engine.corpus.files.open_contents import error_of, found_in, is_any, read_all, tar_of, zip_of
from tests.engine.corpus.reading import write


def test_all_files_below_a_folder_that_are_not_hidden_are_found_sorted(tmp_path: Path) -> None:
    files = {"z.txt": b"4", "a.txt": b"1", "b/b.txt": b"3", "b/a/c.txt": b"2"}
    write(tmp_path, {".hidden.txt": b"x", ".git/b.txt": b"x"})
    assert list(read_all(write(tmp_path, files)).items()) == [(name, files[name]) for name in sorted(files)]


def test_archives_in_a_folder_are_opened(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip": zip_of({"in.txt": b"1"}), "b/c.tar": tar_of({"../out.txt": b"x", "in.txt": b"2"})})
    assert read_all(tmp_path) == {"a.zip/in.txt": b"1", "b/c.tar/in.txt": b"2"}
    assert found_in(tmp_path).left_out == ("b/c.tar/../out.txt (its path leaves the archive)",)


def test_cyclic_links_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path, {"a/b.txt": b"1"})
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "itself").symlink_to("itself")
    (tmp_path / "a" / "nowhere").symlink_to("absent")
    assert read_all(tmp_path) == {"a/b.txt": b"1"}


def test_a_file_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": b"1"})
    (tmp_path / "b.txt").symlink_to("a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "c.txt")
    assert read_all(tmp_path) == {"a.txt": b"1"}


def test_a_folder_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_ENTRIES", 3)
    assert "over 3 files" in error_of(write(tmp_path, {f"a/{number}.txt": b"x" for number in range(4)}))


@pytest.mark.parametrize("archive", ["", "in.zip"])
def test_a_folder_with_too_many_readable_files_is_refused_before_the_first_is_opened(
    tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (walk, contents):
        monkeypatch.setattr(module, "MAX_MEMBERS", 3)
    files = {f"{number}.txt": b"x" for number in range(4)}
    write(tmp_path, {archive: zip_of(files)} if archive else {**files, "picture.png": b"x"})
    if not archive:
        monkeypatch.setattr(os, "open", None)
    assert "over 3 files" in error_of(tmp_path)


def test_a_folder_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a/b.txt": b"1", "c.txt": b"2"})
    list_folder = os.listdir

    def refuse(path: Path) -> list[str]:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", refuse)  # permissions do not stop root, who may run the tests
    assert "Permission denied" in error_of(tmp_path / "a")
    assert found_in(tmp_path).left_out == ("a (a folder that can't be listed)",)
    assert read_all(tmp_path) == {"c.txt": b"2"}


# The content hash -----------------------------------------------------------------------------------------------------


FILES = {"a.txt": b"one\n", "b/c.txt": b"two\n"}
CONTENTS = {"text": b"one\n", "zip": zip_of(FILES), "tar": tar_of(FILES), "a damaged zip": zip_of(FILES)[:-5]}


def test_different_contents_have_different_hashes(tmp_path: Path) -> None:
    other = {"a.txt": b"one\n", "b/c.txt": b"2wo\n"}
    write(tmp_path, {**CONTENTS, "other": b"One\n", "other zip": zip_of(other)})
    write(tmp_path / "folder", FILES)
    write(tmp_path / "other folder", other)
    write(tmp_path / "renamed", {"z.txt": b"one\n", "b/c.txt": b"two\n"})
    names = os.listdir(tmp_path)
    assert len({content_hash(tmp_path / name, is_any) for name in names}) == len(names)


def test_ignored_files_do_not_change_the_hash(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    before = content_hash(tmp_path, lambda name: name.endswith(".txt"))
    write(tmp_path, {"photo.jpg": b"x", ".hidden.txt": b"x"})
    assert content_hash(tmp_path, lambda name: name.endswith(".txt")) == before
