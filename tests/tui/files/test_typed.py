"""What is typed or dropped: words to avoid, a path with its options, and which entries of a folder it names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError
from engine.text import clean
from tests.strategies import hostile_text
from tui.dialogs.folder import after_last_root, best_match, list_folder, matching, split_typed
from tui.run.new_run import config_for_new_data, initial_path
from tui.text.typed import (
    MAX_FILE_BYTES,
    avoided_words,
    dropped_path,
    parsed_options,
    split_options,
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder; the home folder is imaginary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    return tmp_path


def errors_of(parse: Callable[[str], object], *texts: str) -> str:
    """Return each text with the two lines of its error."""
    lines = []
    for text in texts:
        with pytest.raises(ConfigError) as caught:
            parse(text)
        lines += [f"» {text}", caught.value.message, caught.value.hint]
    return "\n".join(lines)


def test_commas_separate_and_blanks_belong_to_a_phrase() -> None:
    assert avoided_words(["monday, good  morning,,", "tea,monday"]) == ("monday", "good morning", "tea")
    assert avoided_words([""]) == ()
    for phrase in ("tea " * 80 + "v1.5", "see t.co/x.y", "a\0.b"):  # no path
        assert avoided_words([phrase]) == (clean(phrase),)


def test_a_file_of_words_has_one_per_line_and_any_other_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "words.txt").write_bytes("\ufeffmonday\r\n\n@art\n good morning, all \n".encode())
    for name in (here / "words.txt", "~/words.txt"):
        assert avoided_words([f"@{name}", "tea"]) == ("monday", "@art", "good morning, all", "tea")
    contents = {
        "picture": b"\x89PNG\r\n\x1a\n\0",
        "null": b"tea\0",
        "utf-16": "tea".encode("utf-16"),
        "large": b"tea\n" * (MAX_FILE_BYTES // 4 + 1),
    }
    for name, content in contents.items():
        (here / name).write_bytes(content)
    (here / "folder").mkdir()
    wrong = ("words.txt", "@anna", "@folder", *(f"@{name}" for name in contents))
    assert errors_of(lambda text: avoided_words([text]), *wrong) == snapshot


@given(text=hostile_text().filter(lambda text: not text.strip().startswith("@")))
def test_any_text_makes_valid_words(text: str) -> None:
    assert SamplingConfig(avoid=avoided_words([text])).avoid == avoided_words([text])


@given(lines=st.lists(hostile_text(6), max_size=5))
def test_words_are_never_empty(lines: list[str]) -> None:
    assert all(avoided_words(["x", *(line.lstrip("@ ") for line in lines)]))


def test_options_begin_at_the_first_word_that_may_be_one() -> None:
    typed = ("my.csv|", "my tweets.csv| --column 2", "my.zip|  --member 'posts/*.json' --label=sad", "my.csv| --")
    for text in (*typed, "my.csv| --col", "notes --old.txt|", "notes--old.txt|"):
        path, _, options = text.partition("|")
        assert split_options(path + options) == (path, options)


def test_options_set_fields_of_a_corpus_and_a_wrong_one_is_an_error_with_a_hint(snapshot: SnapshotAssertion) -> None:
    text = ' --column "the text" --label=all --label-column 1 --max-length 280 --no-replies --format csv'
    texts = {"column": "the text", "label": "all", "label_column": "1", "format": "csv"}
    assert parsed_options(text) == {**texts, "max_length": 280, "no_replies": True}
    assert parsed_options("") == {}
    wrong = ("--colum 2", "--data b.csv", "--no-replies yes", "--column", "--column=", "--max-length many")
    assert errors_of(parsed_options, *wrong, "--column 'a") == snapshot


def test_a_run_on_new_data_keeps_settings_and_cleaning_but_not_the_file_options() -> None:
    kept = {"preset": "tutorial", "settings": {"hidden_size": 64}, "runtime": RuntimeConfig(threads=1)}
    cleaning = {"lowercase": True, "max_length": 280}
    of_files = {"format": "csv", "column": "text", "label": "sad", "weight": (1.0, 2.0), "member": "posts/*"}
    corpus = CorpusConfig(files=("a.csv", "b.csv"), overfit=3, **of_files, **cleaning)  # type: ignore[arg-type]
    config = RunConfig(**kept, corpus=corpus, run_name="mine", checkpoint="happy")  # type: ignore[arg-type] # its fields
    other = CorpusConfig(files=("/data/a.zip",), member="b.csv", **cleaning)  # type: ignore[arg-type] # the same
    expected = RunConfig(**kept, corpus=other)  # type: ignore[arg-type] # the same
    assert config_for_new_data(config, Path("/data/a.zip"), {"member": "b.csv"}) == expected


def test_the_dialog_starts_at_the_runs_data_or_this_folder(here: Path) -> None:
    for files, start in (((), "."), (("-",), "."), (("-", "in/a.csv"), "in/a.csv")):
        assert initial_path(RunConfig(corpus=CorpusConfig(files=files))) == here / start


@pytest.mark.parametrize("way", ["  {path}\n", "'{path}'", '"{path}"', "file://{quoted}", "{escaped}"])
def test_a_dropped_file_is_found_however_the_terminal_quotes_it(here: Path, way: str) -> None:
    path = here / "my tweets (1)é.csv"
    path.touch()
    quoted = str(path).replace(" ", "%20").replace("é", "%C3%A9")
    escaped = "".join("\\" + char if char in " ()" else char for char in str(path))
    assert dropped_path(way.format(path=path, quoted=quoted, escaped=escaped)) == path


def test_an_absolute_path_counts_even_if_it_does_not_exist_and_other_text_is_none(here: Path) -> None:
    assert dropped_path("'/nowhere/x y.csv'") == Path("/nowhere/x y.csv")
    assert dropped_path("~/x.csv") == Path("/home/me/x.csv")
    (here / "folder").mkdir()
    others = ("", "it's fine", "/ is a slash", "a\nb", "\x00", "/" + "x" * 5000, "folder", "https://x.y/z")
    assert [text for text in others if dropped_path(text) is not None] == []


NAMES_OF_TWEETS = (
    *("a.CSV", "a.tab", "a.pq", "a.text", "a.ndjson", "a.car", "tweets.js"),
    *("a.tbz2", "a.txz", "a.tar.gz", "a.xz", "B.zip"),
)


def test_a_listing_has_readable_tweet_files_first_and_is_filtered(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A part of a name is enough, prefixes come first; the highlight is exact, else the default, else the first."""
    for name in (*NAMES_OF_TWEETS, "photo.png", ".hidden.csv"):
        (tmp_path / name).write_bytes(b"1234")
    for name in ("old", ".git"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "gone.csv").symlink_to("nowhere")
    entries, lines = list_folder(tmp_path), []
    for typed, default in (("", None), ("", "photo.png"), ("Z", None), ("o", "photo.png"), ("old", None), (".", None)):
        lines.append(f"» {typed!r}, by default {default}")
        shown = matching(entries, typed)
        highlighted = best_match(shown, typed, tmp_path / default if default else None)
        for number, entry in enumerate(shown):
            name = entry.path.name if entry.is_inside else ""
            lines.append(f"{'>' if number == highlighted else ' '} {entry.kind:6} {name}".rstrip())
    assert "\n".join(lines) == snapshot
    assert matching(entries, "nothing") == []
    assert entries[best_match(entries, "photo.png", None) or 0].path == tmp_path / "photo.png", "the exact one"
    assert best_match(entries[:2], "", None) == 0
    assert best_match([], "x", tmp_path) is None


@pytest.mark.usefixtures("here")
def test_a_typed_path_is_split_into_folder_and_typed_name_and_a_root_typed_after_it_starts_over() -> None:
    split = {
        "/a/b/": ("/a/b", ""),
        "/a": ("/", "a"),
        "/": ("/", ""),
        "~/a": ("/home/me", "a"),
        "/a/../b/c": ("/b", "c"),
    }
    assert {text: (str(folder), name) for text in split for folder, name in [split_typed(text)]} == split
    restarted = {"/a//b//c": "/c", "~/a/~/b": "~/b", "//": "/", "/a/b~/c": "/a/b~/c", "": ""}
    assert {text: after_last_root(text) for text in restarted} == restarted
