"""The shipped corpus is what its script makes, and has the shape its README promises."""

import csv
import html
import re
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from assets.grammar import make as make_happy
from assets.grammar.compose import Row
from assets.grammar.grammar import Grammar, GrammarError, read_rules, read_words
from assets.grammar.slang import EMOJI

FILE = make_happy.DEFAULT_OUTPUT


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return the beginning of the default corpus, made anew; CI makes and compares all of it."""
    return list(islice(make_happy.generate(make_happy.DEFAULT_SEED), 3000))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Return the rows of the committed file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [text for (text,) in csv.reader(file)]


def test_the_script_reproduces_the_committed_file_byte_for_byte(rows: list[Row], tmp_path: Path) -> None:
    output = tmp_path / "happy.csv"
    make_happy.write_csv(rows, output)
    content = output.read_bytes()
    assert FILE.read_bytes()[: len(content)] == content


def test_the_command_line_writes_the_beginning_of_the_same_corpus_and_another_seed_makes_another(
    texts: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "few.csv"
    make_happy.main(["--rows", "250", "--output", str(output)])
    with output.open(encoding="utf-8", newline="") as file:
        assert [text for (text,) in csv.reader(file)] == texts[:250]
    other = {row.text for row in islice(make_happy.generate(7), 100)}
    assert not other & set(texts)


def test_at_least_20_000_rows_are_distinct_even_without_names_links_case_and_marks(
    texts: list[str],
) -> None:
    assert len(texts) == make_happy.DEFAULT_ROWS >= 20_000
    assert len({make_happy.dedup_key(text) for text in texts}) == len(texts)


def test_rows_have_the_lengths_names_and_words_that_the_readme_promises(rows: list[Row], texts: list[str]) -> None:
    lengths = [len(text) for text in texts]
    assert min(lengths) >= 3
    assert max(lengths) <= 140
    assert 60 <= sum(lengths) / len(lengths) <= 90
    names = [re.findall(r"@\w+", text) for text in texts]
    assert 0.45 <= sum(map(bool, names)) / len(texts) <= 0.60
    distinct = {name for found in names for name in found}
    assert len(distinct) >= 5_000
    assert max(map(len, distinct)) <= 16
    bases = (make_happy.NAME_OR_LINK.sub(" ", row.base) for row in rows)
    assert len({word for base in bases for word in re.findall(r"\b(?<!')[a-z][a-z']*", base)}) >= 3_000


def test_no_sentence_template_is_behind_more_than_one_percent_of_the_rows(rows: list[Row]) -> None:
    counts = Counter(frame for row in rows for frame in set(row.frames))
    assert max(counts.values()) <= len(rows) / 100
    assert len(counts) >= 400


def test_every_emoji_occurs_often_enough_to_be_learned(texts: list[str]) -> None:
    counts = Counter(character for text in texts for character in text)
    assert len(set(EMOJI)) >= 20
    assert min(counts[emoji] for emoji in EMOJI) >= 60
    assert min(counts.values()) >= 60


def test_every_row_is_one_printable_line_in_nfc_without_html(texts: list[str]) -> None:
    for text in texts:
        assert text.isprintable()
        assert unicodedata.is_normalized("NFC", text)
        assert html.unescape(text) == text
        assert text == " ".join(text.split())


def test_every_row_says_something_beside_names_links_and_hashtags(texts: list[str]) -> None:
    for text in texts:
        assert re.search(r"[^\W\d_]{2}", re.sub(r"[@#]\w+|https?://\S+", "", text)), text


def test_no_row_holds_an_unwanted_word(texts: list[str]) -> None:
    assert not [text for text in texts if make_happy.UNWANTED.search(text)]


def test_links_lead_to_domains_that_cannot_be_registered(texts: list[str]) -> None:
    hosts = {host for text in texts for host in re.findall(r"https?://([^/\s]+)", text)}
    assert hosts
    assert all(re.fullmatch(r"[a-z]+\.(x[a-z]|q[m-z]|zz)", host) for host in hosts)


def test_articles_agree_with_the_next_word(rows: list[Row]) -> None:
    wrong = re.compile(r"\ba (?:apple|egg|otter|owl|iced|hour|amazing|e[a-z])", re.IGNORECASE)
    assert not [row.base for row in rows if wrong.search(row.base)]
    assert not [row.base for row in rows if re.search(r"\ban (?:u(?:ni|ku)|[bcdfgjklmnpqrstvwxz])", row.base)]


def test_row_200_suits_the_tutorial(texts: list[str]) -> None:
    assert 60 <= len(texts[200]) <= 100
    assert texts[200].isascii()


def test_a_slot_without_a_rule_is_refused() -> None:
    with pytest.raises(GrammarError, match="nowhere"):
        Grammar(read_rules("= start\nsee {nowhere}"), {})


def test_an_unclosed_choice_is_refused() -> None:
    with pytest.raises(GrammarError, match="unbalanced"):
        read_rules("= start\nsee [this|that")


def test_pronouns_follow_the_person_and_forms_follow_the_slot() -> None:
    rules = {
        **read_words("kin: mum ~f\nanimal: otter, otter"),
        **read_rules("= act\nmake tea\n= start\nmy {kin} {act.ed}, {he} saw {animal.a} and {animal.pl}"),
    }
    sentence = Grammar(rules, {}).sentence(rules["start"][0], Random(0))  # noqa: S311  a seed, not a secret
    assert sentence == "my mum made tea, she saw an otter and otters"
