"""The committed corpus is what its grammar generates, and has the properties that its README promises."""

import csv
import html
import re
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from assets.grammar import make
from assets.grammar.compose import Row
from assets.grammar.grammar import Grammar, GrammarError, read_rules
from assets.grammar.spelling import EMOJI

FILE = make.DEFAULT_OUTPUT


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return the first rows of the default corpus, generated; CI generates and compares all of it."""
    return list(islice(make.generate(make.DEFAULT_SEED), 3000))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Return the tweets of the committed file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [text for (text,) in csv.reader(file)]


def test_the_grammar_generates_the_committed_file(rows: list[Row], texts: list[str], tmp_path: Path) -> None:
    make.write_csv(rows, tmp_path / "happy.csv")
    content = (tmp_path / "happy.csv").read_bytes()
    assert FILE.read_bytes()[: len(content)] == content, "byte for byte"
    make.main(["--rows", "250", "--output", str(tmp_path / "few.csv")])
    few = (tmp_path / "few.csv").read_bytes()
    assert few == content[: len(few)]
    assert not {row.text for row in islice(make.generate(7), 100)} & set(texts)


def test_20_000_rows_are_distinct_without_names_and_case_and_no_character_is_rare(texts: list[str]) -> None:
    assert len(texts) == make.DEFAULT_ROWS >= 20_000
    assert len({make.dedup_key(text) for text in texts}) == len(texts)
    counts = Counter(character for text in texts for character in text)
    assert len(set(EMOJI)) >= 20
    assert set(EMOJI) <= set(counts)
    assert min(counts.values()) >= 60


def test_lengths_share_of_names_and_number_of_words_are_like_those_of_tweets(rows: list[Row], texts: list[str]) -> None:
    lengths = [len(text) for text in texts]
    assert min(lengths) >= 3
    assert max(lengths) <= 140
    assert 60 <= sum(lengths) / len(lengths) <= 90
    names = [re.findall(r"@\w+", text) for text in texts]
    assert 0.45 <= sum(map(bool, names)) / len(texts) <= 0.60
    distinct = {name for found in names for name in found}
    assert len(distinct) >= 5_000
    assert max(map(len, distinct)) <= 16
    bases = [make.NAME_OR_LINK.sub(" ", row.base) for row in rows]
    assert len({word for base in bases for word in re.findall(r"\b(?<!')[a-z][a-z']*", base)}) >= 3_000
    assert 60 <= len(texts[200]) <= 100, "the tutorial overfits it"
    assert texts[200].isascii()


def test_templates_vary_and_articles_agree_with_the_next_word(rows: list[Row]) -> None:
    counts = Counter(frame for row in rows for frame in set(row.frames))
    assert max(counts.values()) <= len(rows) / 100
    assert len(counts) >= 400
    wrong = re.compile(r"\ba (?:apple|egg|otter|owl|iced|hour|amazing|e[a-z])", re.IGNORECASE)
    assert not [row.base for row in rows if wrong.search(row.base)]
    assert not [row.base for row in rows if re.search(r"\ban (?:u(?:ni|ku)|[bcdfgjklmnpqrstvwxz])", row.base)]


def test_every_row_is_one_printable_line_with_a_word_and_without_html_and_unwanted_words(texts: list[str]) -> None:
    for text in texts:
        assert text.isprintable()
        assert unicodedata.is_normalized("NFC", text)
        assert html.unescape(text) == text == " ".join(text.split())
        assert re.search(r"[^\W\d_]{2}", re.sub(r"[@#]\w+|https?://\S+", "", text)), text
        assert not make.UNWANTED.search(text), text
    hosts = {host for text in texts for host in re.findall(r"https?://([^/\s]+)", text)}
    assert hosts
    assert all(re.fullmatch(r"[a-z]+\.(x[a-z]|q[m-z]|zz)", host) for host in hosts), "no country can get the code"


def test_a_mistake_in_the_grammar_is_an_error_that_names_it() -> None:
    with pytest.raises(GrammarError, match="nowhere"):
        Grammar(read_rules("= start\nsee {nowhere}"))
    with pytest.raises(GrammarError, match=r"him\.pls"):
        Grammar(read_rules("= start\nsee [this|{him.pls}]"))
    for template in ("see [this|[that]]", "see [this|that", "see this|that", "see this]", "see {this", "see this}"):
        with pytest.raises(GrammarError, match="unbalanced"):
            read_rules(f"= start\n{template}")
