"""Whatever lies where `config.toml` should: a word, all settings at their defaults, and the file as it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ConfigError, StorageError
from tui.preference_keeper import PreferenceKeeper
from tui.preference_writing import save_changes
from tui.preferences import Preferences, read_preferences


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    path.write_bytes(b'theme = "dracula"\n')
    os.truncate(path, 10**11)


def content(text: str | bytes) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(text if isinstance(text, bytes) else text.encode()))


def void(_: object) -> None:
    """Return nothing."""


PLACES: dict[str, Callable[[Path], None]] = {
    "a folder": Path.mkdir,
    "a pipe": pipe,
    "a device": device,
    "a link to itself": loop,
    "100 GB": huge,
    "100 KB": content("#\n" * 50_000),
    "binary": content(bytes(range(256)) * 20),
    "UTF-16": content('theme = "dracula"\n'.encode("utf-16")),
    "nothing but zeros": content(bytes(4096)),
    "torn": content('theme = "dracula"\n[screen]\nmou'),
    "brackets": content("a=" + "[" * 900),
    "a line of brackets": content("a=" + "[" * 60_000),
    "a key of many parts": content("a" + ".a" * 30_000 + " = 1"),
    "numbers that no date has": content("a = 9999-99-99"),
    "a number of many digits": content("a = " + "9" * 5000),
}


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_no_file_of_settings_is_told_at_once_and_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.toml"
    PLACES[kind](path)
    before = path.lstat()

    began = time.process_time()
    preferences, problems = read_preferences(path)
    assert preferences == Preferences()
    assert len(problems) == 1
    assert problems[0].startswith(("config.toml can't be read: ", "config.toml is no TOML: "))
    assert problems[0].isprintable()
    assert len(problems[0]) < 400
    with pytest.raises((ConfigError, StorageError), match=r"config\.toml|/dev/zero"):
        save_changes(path, {"theme": "dracula"})

    assert time.process_time() - began < 1
    after = path.lstat()
    assert (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)


NEWER = """
theme = "dracula"
sound = "on"            # of a newer version
[screen]
mouse = "sometimes"
[telepathy]
range = 1979-05-27T07:32:00Z
[keys]
pause = {with = "eyes"}
"""


def test_what_a_newer_version_wrote_is_told_entry_by_entry_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(NEWER)
    preferences, problems = read_preferences(path)
    assert preferences == Preferences(theme="dracula")
    told = "\n".join(problems)
    assert [name for name in ("sound", "telepathy", "screen.mouse", "keys.pause") if f"{name}: " not in told] == []
    save_changes(path, {"bell": False})
    assert path.read_text().startswith(NEWER.rstrip())
    assert read_preferences(path)[0] == Preferences(theme="dracula", bell=False)


@pytest.mark.parametrize(
    "text",
    [
        "theme = 0x" + "f" * 900,
        "theme = " + "[" * 200 + "]" * 200,
        "theme" + ".a" * 490 + " = 1",
        "[screen]\nmouse" + ".a" * 490 + " = 1",
        "[intervals]\neval_every = 0x" + "f" * 900,
        "[intervals]\neval_every = 0o" + "7" * 900,
        "[intervals]\nautosave_seconds = nan",
        "[intervals]\nautosave_seconds = -inf",
        "[intervals]\nautosave_seconds = 1e400",
        "[keys]\npause" + ".a" * 490 + " = 1",
        "[keys]\npause = [[" + "]]",
        'theme = "\\u001b[2J\\u202e\\u0000"',
        '"\\u001b]52;c;x\\u0007" = 1',
        '[keys]\npause = "\\u001b[A"',
        '[keys]\n"\\u001b[2J" = "x"',
    ],
    ids=lambda text: text[:24],
)
def test_a_value_of_another_kind_is_told_in_one_harmless_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    preferences, problems = read_preferences(path)
    assert preferences == Preferences()
    assert len(problems) == 1
    assert problems[0].startswith("config.toml: ")
    assert problems[0].isprintable()
    assert len(problems[0]) <= 300


def test_a_program_starts_with_each_of_them(tmp_path: Path) -> None:
    for number, place in enumerate(PLACES.values()):
        path = tmp_path / str(number) / "config.toml"
        path.parent.mkdir()
        place(path)
        keeper = PreferenceKeeper(path)
        assert keeper.preferences == Preferences()
        assert len(keeper.problems) == 1


@pytest.mark.parametrize(
    "text", ["screen.mouse = false", "a.b.c = 1", "# a comment", "[screen]\nmouse = false", "a = nan"]
)
def test_a_file_without_a_last_line_break_stays_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    save_changes(path, {"theme": "dracula"})
    assert read_preferences(path)[0].theme == "dracula"
    assert text in path.read_text()


def test_a_change_that_would_harm_the_rest_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[other]\nentry = 1\n")
    for harmed in ("theme = ", 'theme = "dracula"\n', 'theme = "dracula"\n[other]\nentry = 2\n'):
        monkeypatch.setattr("tomlkit.dumps", lambda _, harmed=harmed: harmed)
        with pytest.raises(ConfigError, match="without harm"):
            save_changes(path, {"theme": "dracula"})
    assert path.read_text() == "[other]\nentry = 1\n"
