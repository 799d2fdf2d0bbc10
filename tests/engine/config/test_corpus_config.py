"""Settings for reading a corpus are validated with a message that names the option and what is allowed."""

from __future__ import annotations

import pytest

from engine.config.corpus import CorpusConfig
from engine.errors import ConfigError


@pytest.mark.parametrize("encoding", ["gbk", "GB18030", "euc-kr", "Shift_JIS", "Windows-1251", "latin-1", "utf-16-le"])
def test_an_encoding_has_any_name_that_python_knows(encoding: str) -> None:
    assert CorpusConfig(encoding=encoding).encoding == encoding


@pytest.mark.parametrize("encoding", ["gbx", "", "base64", "rot13", "idna", "punycode", "undefined", "a\0b", "\ud800"])
def test_an_unknown_encoding_is_refused_with_examples(encoding: str) -> None:
    with pytest.raises(ConfigError, match="encoding must be a text encoding, such as gbk, big5, euc-kr") as caught:
        CorpusConfig(encoding=encoding)
    assert "--encoding" in caught.value.hint


@pytest.mark.parametrize("separator", ["", "  ", "\n", "a\nb"])
def test_a_separator_is_a_line_that_is_not_blank(separator: str) -> None:
    with pytest.raises(ConfigError, match="separator must be one line that is not blank"):
        CorpusConfig(separator=separator)


def test_two_ways_to_separate_tweets_are_refused() -> None:
    with pytest.raises(ConfigError, match="separator must be omitted with --blank-line-separated, not %"):
        CorpusConfig(separator="%", blank_line_separated=True)
