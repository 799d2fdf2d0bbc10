"""What is typed or dropped: words to avoid, and a path with its options."""

from __future__ import annotations

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
from tui.run.new_run import config_for_new_data, initial_path
from tui.text.typed import MAX_FILE_BYTES, avoided_words, dropped_path, parsed_options, split_options


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
    contents = {"picture": b"\x89PNG\r\n\x1a\n\0", "null": b"tea\0", "utf-16": "tea".encode("utf-16")}
    contents["large"] = b"tea\n" * (MAX_FILE_BYTES // 4 + 1)
    for name, content in contents.items():
        (here / name).write_bytes(content)
    (here / "folder").mkdir()
    wrong = ("words.txt", "@anna", "@folder", *(f"@{name}" for name in contents))
    assert errors_of(lambda text: avoided_words([text]), *wrong) == snapshot


@given(lines=st.lists(hostile_text(12), max_size=5))
def test_any_text_makes_valid_words(lines: list[str]) -> None:
    """A config refuses empty words."""
    words = avoided_words(["x", *(line.lstrip("@ ") for line in lines)])
    assert SamplingConfig(avoid=words).avoid == words


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


def test_a_dropped_file_is_found_however_the_terminal_quotes_it_and_an_absolute_path_need_not_exist(here: Path) -> None:
    path = here / "my tweets (1)é.csv"
    path.touch()
    (here / "folder").mkdir()
    quoted = str(path).replace(" ", "%20").replace("é", "%C3%A9")
    escaped = "".join("\\" + char if char in " ()" else char for char in str(path))
    for text in (f"  {path}\n", f"'{path}'", f'"{path}"', f"file://{quoted}", escaped):
        assert dropped_path(text) == path
    assert dropped_path("'/nowhere/x y.csv'") == Path("/nowhere/x y.csv")
    assert dropped_path("~/x.csv") == Path("/home/me/x.csv")
    others = ("", "it's fine", "/ is a slash", "a\nb", "\x00", "/" + "x" * 5000, "folder", "https://x.y/z")
    invalid = ("file://[abc", "file://a]b/x", "~\0x", "file:///a%00b")  # as a URL, a user, a name of a file
    assert [text for text in (*others, *invalid) if dropped_path(text) is not None] == []
