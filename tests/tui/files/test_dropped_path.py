"""The configuration of a run on other data, the path of a dropped file, and folder listings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from tui.files.dropped_path import config_for_new_data, dropped_path, initial_path
from tui.files.folder_listing import after_last_root, best_match, list_folder, matching, split_typed


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder; the home folder is imaginary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    return tmp_path


def test_a_run_on_new_data_keeps_settings_and_cleaning_but_not_the_file_options() -> None:
    kept = {"preset": "tutorial", "settings": {"hidden_size": 64}, "runtime": RuntimeConfig(threads=1)}
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
    config = RunConfig(**kept, corpus=corpus, run_name="mine", checkpoint="happy")  # type: ignore[arg-type] # its fields
    other = CorpusConfig(files=("/data/a.zip",), member="b.csv", lowercase=True, max_length=280)
    expected = RunConfig(**kept, corpus=other)  # type: ignore[arg-type] # the same
    assert config_for_new_data(config, Path("/data/a.zip"), {"member": "b.csv"}) == expected


@pytest.mark.parametrize(("files", "start"), [((), "."), (("-",), "."), (("-", "in/a.csv"), "in/a.csv")])
def test_the_dialog_starts_at_the_runs_data_or_the_working_directory(
    here: Path, files: tuple[str, ...], start: str
) -> None:
    assert initial_path(RunConfig(corpus=CorpusConfig(files=files))) == here / start


@pytest.mark.parametrize("way", ["  {path}\n", "'{path}'", '"{path}"', "file://{quoted}", "{escaped}"])
def test_a_dropped_file_is_found_however_the_terminal_quotes_it(here: Path, way: str) -> None:
    path = here / "my tweets (1)é.csv"
    path.touch()
    quoted = str(path).replace(" ", "%20").replace("é", "%C3%A9")
    escaped = "".join("\\" + char if char in " ()" else char for char in str(path))
    assert dropped_path(way.format(path=path, quoted=quoted, escaped=escaped)) == path


@pytest.mark.parametrize(
    ("pasted", "path"),
    [
        ("'/nowhere/x y.csv'", Path("/nowhere/x y.csv")),
        ("~/x.csv", Path("/home/me/x.csv")),
        *((text, None) for text in ("", "it's fine", "/ is a slash", "a\nb", "\x00", "/" + "x" * 5000)),
        *((text, None) for text in ("folder", "https://x.y/z")),
    ],
)
def test_an_absolute_path_counts_even_if_it_does_not_exist_and_other_text_is_none(
    here: Path, pasted: str, path: Path | None
) -> None:
    (here / "folder").mkdir()
    assert dropped_path(pasted) == path


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


def test_files_that_can_contain_tweets_are_marked_by_their_names(tmp_path: Path) -> None:
    names = [
        "a.CSV",
        "a.tab",
        "a.pq",
        "a.text",
        "a.ndjson",
        "a.car",
        "tweets.js",
        "a.tbz2",
        "a.txz",
        "a.tar.gz",
        "a.xz",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert {entry.path.name for entry in list_folder(tmp_path) if entry.kind == "tweets"} == set(names)


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
@pytest.mark.usefixtures("here")
def test_a_typed_path_is_split_into_folder_and_typed_name(text: str, folder: str, name: str) -> None:
    assert split_typed(text) == (Path(folder), name)


@pytest.mark.parametrize(
    ("text", "path"),
    [("/a//b//c", "/c"), ("~/a/~/b", "~/b"), ("//", "/"), ("/a/b~/c", "/a/b~/c"), ("", "")],
)
def test_a_root_typed_after_a_path_starts_over(text: str, path: str) -> None:
    assert after_last_root(text) == path
