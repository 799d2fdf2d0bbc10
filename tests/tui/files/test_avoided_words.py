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


@pytest.mark.parametrize(
    ("given_words", "words"),
    [
        (["monday, good  morning,,", "tea,monday"], ("monday", "good morning", "tea")),
        ([""], ()),
        *(([phrase], (clean(phrase),)) for phrase in ("tea " * 80 + "v1.5", "see t.co/x.y", "a\0.b")),  # no path
    ],
)
def test_commas_separate_and_blanks_belong_to_a_phrase(given_words: list[str], words: tuple[str, ...]) -> None:
    assert avoided_words(given_words) == words


def test_a_file_has_one_word_or_phrase_per_line_also_names_and_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffmonday\r\n\n@art\n good morning, all \n".encode())
    for name in (path, "~/words.txt"):
        assert avoided_words([f"@{name}", "tea"]) == ("monday", "@art", "good morning, all", "tea")


def test_the_name_of_a_file_without_its_at_sign_is_an_error_and_so_is_a_name_with_one(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("tea")
    with pytest.raises(ConfigError) as caught:
        avoided_words([str(path)])
    assert f"--avoid @{path}" in caught.value.hint
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
        (None, "directory"),
    ],
)
def test_a_folder_and_a_binary_or_large_file_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "words"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        avoided_words([f"@{path}"])


@given(text=hostile_text().filter(lambda text: not text.strip().startswith("@")))
def test_any_text_makes_valid_words(text: str) -> None:
    assert SamplingConfig(avoid=avoided_words([text])).avoid == avoided_words([text])


@given(lines=st.lists(hostile_text(6), max_size=5))
def test_words_are_never_empty(lines: list[str]) -> None:
    assert all(avoided_words(["x", *(line.lstrip("@ ") for line in lines)]))
