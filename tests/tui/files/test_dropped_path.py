"""The configuration of a run on other data, the path of a dropped file, and folder listings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from tui.files.dropped_path import config_for_new_data, dropped_path, initial_path
from tui.files.folder_listing import after_last_root, best_match, list_folder, matching, split_typed


def test_a_run_on_new_data_keeps_settings_and_cleaning_but_not_the_file_options() -> None:
    corpus = CorpusConfig(
        files=("a.csv", "b.csv"),
        format="csv",
        column="text",
        label="sad",
        weight=(1.0, 2.0),
        lowercase=True,
        max_length=280,
        overfit=3,
        member="posts/*",
    )
    config = RunConfig(
        preset="tutorial",
        settings={"hidden_size": 64},
        corpus=corpus,
        runtime=RuntimeConfig(threads=1),
        run_name="mine",
        checkpoint="happy",
    )

    other = config_for_new_data(config, Path("/data/outbox.json"), {})

    assert other == RunConfig(
        preset="tutorial",
        settings={"hidden_size": 64},
        corpus=CorpusConfig(files=("/data/outbox.json",), lowercase=True, max_length=280),
        runtime=RuntimeConfig(threads=1),
    )
    other_member = config_for_new_data(config, Path("/data/a.zip"), {"member": "b.csv"}).corpus
    assert other_member == CorpusConfig(files=("/data/a.zip",), member="b.csv", lowercase=True, max_length=280)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("files", "start"), [((), "."), (("-",), "."), (("-", "in/a.csv"), "in/a.csv")])
def test_the_dialog_starts_at_the_runs_data_or_the_working_directory(
    here: Path, files: tuple[str, ...], start: str
) -> None:
    assert initial_path(RunConfig(corpus=CorpusConfig(files=files))) == here / start


@pytest.mark.parametrize(
    "way",
    ["  {path}\n", "'{path}'", '"{path}"', "file://{quoted}", "{escaped}"],
)
def test_a_dropped_file_is_found_however_the_terminal_quotes_it(here: Path, way: str) -> None:
    path = here / "my tweets (1)é.csv"
    path.touch()
    quoted = str(path).replace(" ", "%20").replace("é", "%C3%A9")
    escaped = "".join("\\" + char if char in " ()" else char for char in str(path))
    assert dropped_path(way.format(path=path, quoted=quoted, escaped=escaped)) == path


def test_an_absolute_path_counts_even_if_it_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert dropped_path("'/nowhere/x y.csv'") == Path("/nowhere/x y.csv")
    assert dropped_path("~/x.csv") == Path("/home/me/x.csv")


@pytest.mark.parametrize(
    "pasted",
    ["", "it's fine", "/ is a slash", "a\nb", "\x00", "/" + "x" * 5000, "folder", "https://x.y/z"],
)
def test_text_that_is_not_a_path_is_none(here: Path, pasted: str) -> None:
    (here / "folder").mkdir()
    assert dropped_path(pasted) is None


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return a folder with an entry of each kind."""
    for name in ("b.csv", "A.zip", "photo.png", ".hidden.csv"):
        (tmp_path / name).write_bytes(b"1234")
    for name in ("old", ".git"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "gone.csv").symlink_to("nowhere")
    return tmp_path


def test_a_listing_has_tweet_files_first_and_no_unreadable_entries(listed: Path) -> None:
    shown = [(entry.path.name, entry.kind) for entry in matching(list_folder(listed), "")]
    assert shown == [
        (listed.parent.name, "above"),
        (listed.name, "here"),
        ("old", "folder"),
        ("A.zip", "tweets"),
        ("b.csv", "tweets"),
        ("photo.png", "other"),
    ]


@pytest.mark.parametrize(
    ("typed", "names"),
    [("Z", ["A.zip"]), ("o", ["old", "photo.png"]), (".", [".git", ".hidden.csv", "A.zip"]), ("x", [])],
)
def test_typing_filters_by_substring_with_prefix_matches_first(listed: Path, typed: str, names: list[str]) -> None:
    assert [entry.path.name for entry in matching(list_folder(listed), typed)][: len(names) or None] == names


def test_an_exact_match_is_highlighted_then_the_default_then_the_first_inside(listed: Path) -> None:
    entries = matching(list_folder(listed), "")
    usual = listed / "photo.png"
    assert best_match(entries, "b.csv", usual) == 4
    assert best_match(entries, "", usual) == 5
    assert best_match(entries[3:], "p", usual) == 0
    assert best_match(entries, "", None) == 2
    assert best_match(entries[:2], "", None) == 0
    assert best_match([], "x", usual) is None


@pytest.mark.parametrize(
    ("text", "folder", "name"),
    [("/a/b/", "/a/b", ""), ("/a", "/", "a"), ("/", "/", ""), ("~/a", "/home/me", "a"), ("/a/../b/c", "/b", "c")],
)
def test_a_typed_path_is_split_into_folder_and_typed_name(
    monkeypatch: pytest.MonkeyPatch, text: str, folder: str, name: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert split_typed(text) == (Path(folder), name)


@pytest.mark.parametrize(
    ("text", "path"),
    [("/a//b//c", "/c"), ("~/a/~/b", "~/b"), ("//", "/"), ("/a/b~/c", "/a/b~/c"), ("", "")],
)
def test_a_root_typed_after_a_path_starts_over(text: str, path: str) -> None:
    assert after_last_root(text) == path
