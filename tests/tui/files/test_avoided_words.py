"""Words of `--avoid`: separated by commas, or one per line of a file whose name follows an @."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError
from engine.text import clean
from tests.strategies import hostile_text
from tui.files.avoided_words import MAX_FILE_BYTES, avoided_words


def test_commas_separate_and_blanks_belong_to_a_phrase() -> None:
    assert avoided_words(["monday, good  morning,,", "tea,monday"]) == ("monday", "good morning", "tea")


def test_an_empty_text_avoids_nothing() -> None:
    assert avoided_words([""]) == ()


def test_a_file_has_one_word_or_phrase_per_line_also_names_and_commas(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffmonday\r\n\n@art\n good morning, all \n".encode())

    assert avoided_words([f"@{path}", "tea"]) == ("monday", "@art", "good morning, all", "tea")


def test_a_file_is_found_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "words").write_text("tea")

    assert avoided_words(["@~/words"]) == ("tea",)


def test_the_name_of_a_file_without_its_at_sign_is_an_error_not_a_word(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("tea")

    with pytest.raises(ConfigError) as caught:
        avoided_words([str(path)])
    assert f"--avoid @{path}" in caught.value.hint


@pytest.mark.parametrize("phrase", ["tea " * 80 + "v1.5", "see t.co/x.y", "a\0.b"])
def test_a_phrase_that_can_be_no_path_is_a_phrase(phrase: str) -> None:
    assert avoided_words([phrase]) == (clean(phrase),)


def test_a_name_is_taken_for_a_missing_file_and_the_hint_says_how_to_avoid_names() -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        avoided_words(["@anna"])
    assert "@anna" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "no text in UTF-8"),
        (b"tea\0", "no text in UTF-8"),
        ("tea".encode("utf-16"), "no text in UTF-8"),
        (b"tea\n" * (MAX_FILE_BYTES // 4 + 1), "over 64 KB"),
    ],
)
def test_a_binary_or_large_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        avoided_words([f"@{path}"])


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        avoided_words([f"@{tmp_path}"])


@given(text=hostile_text().filter(lambda text: not text.strip().startswith("@")))
def test_any_text_makes_valid_words(text: str) -> None:
    assert SamplingConfig(avoid=avoided_words([text])).avoid == avoided_words([text])


@given(lines=st.lists(hostile_text(6), max_size=5))
def test_words_are_never_empty(lines: list[str]) -> None:
    assert all(avoided_words(["x", *(line.lstrip("@ ") for line in lines)]))
