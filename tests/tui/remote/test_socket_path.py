"""Only the user can access the folder of the sockets, and a socket is named by the run folder's real path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.storage.folders import RunFolder
from tui.remote.socket_path import make_private_folder, runtime_folder, socket_path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    base = Path(os.environ["XDG_RUNTIME_DIR"]) / "p"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    base.mkdir(exist_ok=True)
    yield base
    for each in sorted(base.rglob("*"), reverse=True):
        each.unlink() if each.is_symlink() or each.is_file() else each.rmdir()
    base.rmdir()


def test_the_socket_folder_and_its_parents_are_created_for_the_user_only(short: Path) -> None:
    before = os.umask(0)
    try:
        make_private_folder(short / "above" / "own")
    finally:
        os.umask(before)
    assert (mode_of(short / "above"), mode_of(short / "above/own")) == (0o700, 0o700)
    make_private_folder(short / "above" / "own")


def test_a_folder_that_others_can_use_or_that_is_not_the_users_own_is_refused(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "open").mkdir()
    (short / "open").chmod(0o701)
    (short / "own").mkdir(mode=0o700)
    (short / "link").symlink_to(short / "own")
    (short / "file").touch()
    for name in ("open", "link", "file"):
        with pytest.raises(StorageError, match="only you can use") as raised:
            make_private_folder(short / name)
        assert "XDG_RUNTIME_DIR" in raised.value.hint
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(StorageError, match="only you can use"):
        make_private_folder(short / "own")


def test_runs_of_any_path_have_sockets_of_short_different_names_and_the_same_under_every_path(
    short: Path, tmp_path: Path
) -> None:
    names = [socket_path(RunFolder(tmp_path / name)) for name in ("a", "b", "x" * 200, "a\nb \u202e")]
    assert len(set(names)) == 4
    assert all(len(os.fsencode(name.name)) == 29 and name.parent == runtime_folder() for name in names)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert socket_path(RunFolder(tmp_path / "link")) == names[0]
