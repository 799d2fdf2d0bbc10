"""Options after a path are those of the command line, and what is no option belongs to the path."""

from __future__ import annotations

import pytest

from engine.errors import ConfigError
from tui.files.typed_options import parsed_options, split_options


@pytest.mark.parametrize(
    ("typed", "path", "options"),
    [
        ("my.csv", "my.csv", ""),
        ("my tweets.csv --column 2", "my tweets.csv", " --column 2"),
        ("my.zip  --member 'posts/*.json' --label=sad", "my.zip", "  --member 'posts/*.json' --label=sad"),
        ("my.csv --", "my.csv", " --"),
        ("my.csv --col", "my.csv", " --col"),
        ("notes --old.txt", "notes --old.txt", ""),
        ("notes--old.txt", "notes--old.txt", ""),
    ],
)
def test_options_begin_at_the_first_word_that_may_be_one(typed: str, path: str, options: str) -> None:
    assert split_options(typed) == (path, options)


def test_options_set_fields_of_a_corpus() -> None:
    text = ' --column "the text" --label=all --label-column 1 --max-length 280 --no-replies --format csv'
    texts = {"column": "the text", "label": "all", "label_column": "1", "format": "csv"}
    assert parsed_options(text) == {**texts, "max_length": 280, "no_replies": True}
    assert parsed_options("") == {}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("--colum 2", "--colum is no option of a file.", "Did you mean --column?"),
        ("--data b.csv", "--data is no option of a file.", "tweetgen-tui"),
        ("--no-replies yes", "yes is no option of a file.", ""),
        ("--column", "--column has no value.", ""),
        ("--column=", "--column has no value.", ""),
        ("--max-length many", "--max-length is 'many', which is no whole number.", ""),
        ("--column 'a", "The options can't be read: No closing quotation.", ""),
    ],
)
def test_a_wrong_option_is_an_error_with_a_hint(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed_options(text)
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)
    assert caught.value.hint
