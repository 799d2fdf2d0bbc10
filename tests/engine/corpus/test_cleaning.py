"""Rows are cleaned or dropped by the rules, repaired, changed by the options, compared by a key, and doubted."""

from __future__ import annotations

import base64
import html
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.cleaning import Cleaner, decode_escapes, doubt_about, doubt_about_columns, duplicate_key, repair
from engine.corpus.corpus import check_corpus, load_corpus, read_tweets
from engine.corpus.inspection import SYMBOLS, by_kind, scripts_of
from engine.corpus.readers.reader import DroppedRow, Row, Source
from engine.errors import CorpusError
from engine.session.startup import preflight
from engine.text import EXAMPLE_CHARS, LINE_BREAK, escape, unescape
from tests.engine.corpus.reading import Case, cases, listed, recorded_cases, unescaped, write
from tests.strategies import hostile_text, tweets

MAX = 140
SWITCHES = ("no_retweets", "strip_links", "lowercase", "strip_mentions", "mask_mentions", "ascii")
CONFIGS = st.builds(CorpusConfig, max_length=st.integers(1, MAX), **dict.fromkeys(SWITCHES, st.booleans()))


def cleaned(row: Row, config: CorpusConfig | None = None) -> Row:
    """Return the tweet of a row, or the dropped row."""
    return Cleaner(config or CorpusConfig())(row)


def shown(row: Row) -> str:
    return repr(row) if isinstance(row, str) else f"dropped, {row.reason}"


@recorded_cases("rows")
def test_rows_are_cleaned_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    rows = list(map(unescaped, case.rows))
    lines = []
    for options in case.options:
        lines += [f"({listed(options)})"] if len(case.options) > 1 else []
        lines += [f"{row!r} -> {shown(cleaned(row, CorpusConfig(**options)))}" for row in rows]
    assert "\n".join(lines) == snapshot


def test_the_length_is_that_of_the_cleaned_text() -> None:
    assert cleaned("x" * MAX) == "x" * MAX
    assert cleaned("x" * 100_000, CorpusConfig(max_length=100_000)) == "x" * 100_000
    assert cleaned("&amp;" * MAX) == "&" * MAX  # 700 characters before unescaping
    assert cleaned("e\u0301" * MAX) == "é" * MAX  # 280 before NFC
    assert cleaned("Ã©" * MAX) == "é" * MAX  # 280 before the repair
    assert cleaned(f"  {'x' * MAX}  ") == "x" * MAX
    assert cleaned("@mia " * MAX + "hello", CorpusConfig(strip_mentions=True)) == "hello"
    for long in ("x" * (MAX + 1), "x" * 138 + "&lt;3!"):
        assert shown(cleaned(long)) == "dropped, over 140 characters (--max-length)"


LINKS_AND_NAMES = ("http://a.b", "www.", "pic.twitter.com/x", "RT @mia", "@mia", "ｈttp://x")
SCRAPS = "今😀ﬁÉ❤\ufe0f1#\u20e3\u200d\u0301\x07\n a."
PIECES = st.lists(st.sampled_from(LINKS_AND_NAMES) | st.sampled_from(SCRAPS)).map("".join)


@settings(max_examples=2 * settings().max_examples)
@given(row=hostile_text() | PIECES, config=CONFIGS)
def test_a_cleaned_row_is_printable_within_max_length_and_stable(row: str, config: CorpusConfig) -> None:
    tweet = cleaned(row, config)
    if isinstance(tweet, DroppedRow):
        rules = {"empty", "only a link", "retweet", f"over {config.max_length} characters (--max-length)"}
        assert tweet.reason in rules | {"with characters that were lost (U+FFFD)"}
        assert len(tweet.example) <= EXAMPLE_CHARS
    else:
        assert 1 <= len(tweet) <= config.max_length
        assert tweet.replace("\u200c", "").replace("\u200d", "").isprintable()
        assert unicodedata.is_normalized("NFC", tweet)
        if html.unescape(tweet) == tweet == repair(tweet):  # without its first link, it may begin like a retweet
            assert cleaned(tweet, replace(config, no_retweets=False)) == tweet


@given(text=st.lists(st.sampled_from(["&", "amp;", "lt;", "#39;", "#", "9" * 5000, "a", " "])).map("".join))
def test_unescaping_reverses_escaping(text: str) -> None:
    assert unescape(escape(text)) == text


def decoded(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows of a source after decoding, and the notes on it."""
    source = Source(name="tweets.tsv", format="csv")
    return list(decode_escapes(iter(rows), source)), source.notes


@recorded_cases("escapes")
def test_escapes_are_decoded_or_left_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    rows, notes = decoded(case.rows)
    pairs = (f"{before}  ->  {after!r}" for before, after in zip(case.rows, rows, strict=True))
    assert "\n".join([*pairs, *(f"* {note}" for note in notes)]) == snapshot


def test_a_source_is_decoded_to_its_end_and_dropped_rows_stay() -> None:
    dropped = DroppedRow("empty")
    codes = next(cases("escapes")).rows
    rows, _ = decoded([*codes, dropped, *["good morning everyone"] * 2000, r"last \u2026"])
    assert rows[len(codes)] == dropped
    assert rows[-1] == "last …"
    assert decoded([]) == ([], [])
    only_dropped: list[Row] = [DroppedRow("empty", r"\u2019")] * 5
    assert decoded(only_dropped) == (only_dropped, [])
    long = iter(["x" * 600_000] * 4)
    decode_escapes(long, Source(name="a.txt", format="text"))
    assert len(list(long)) == 2, "the sample is bounded"


LETTERS = "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ"
AFTER_A_WORD = ("", "", "", ",", ".", "!", "…", "’", "”", "™", "®", "»", "\xa0!", "–", " – ", "’s", "…”", "…»", "\xa0»")


def misdecodings(text: str) -> Iterator[str]:
    """Yield UTF-8 decoded as Latin-1, and once to three times as Windows-1252, in which five bytes are Latin-1's."""
    yield text.encode().decode("latin-1")
    for _ in range(3):
        text = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())
        yield text


def real_words() -> st.SearchStrategy[str]:
    """Return Western European words in lower, upper or title case, with the punctuation that follows words."""
    bare = st.text(LETTERS, min_size=2, max_size=9)
    cased = st.builds(lambda word, case: str(case(word)), bare, st.sampled_from([str.lower, str.upper, str.capitalize]))
    return st.builds(str.__add__, cased, st.sampled_from(AFTER_A_WORD))


@given(words=st.lists(real_words(), min_size=1, max_size=12))
@example(words=["groß…", "CAFÉ…"])
def test_no_text_of_western_europe_is_touched(words: list[str]) -> None:
    text = " ".join(words)
    assert repair(text) == text


@given(text=st.text(st.characters(min_codepoint=0x250, blacklist_categories=["Cs"])))
def test_no_text_beyond_the_latin_letters_is_touched(text: str) -> None:
    if not set(text) & set("ˆ˜–—‘’‚“”„†‡•…‰‹›€™"):
        assert repair(text) == text


@given(text=hostile_text())
def test_any_text_is_repaired_or_as_it_was(text: str) -> None:
    after = repair(text)
    assert after == text or text in misdecodings(after)


@recorded_cases("keys")
def test_duplicates_have_one_key_and_other_tweets_others(case: Case, snapshot: SnapshotAssertion) -> None:
    rows = map(unescaped, case.rows)
    assert "\n".join(f"{row!r} -> {duplicate_key(row)!r}" for row in rows) == snapshot


@given(
    words=st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5), min_size=1, max_size=5),
    between=st.sampled_from([" ", "! ", "_", "、", " 🎉 ", "❤\ufe0f", " \u0301", "\u200d"]),
    mark=st.sampled_from(["", "\u0301", "\u093e"]),
)
def test_a_key_is_the_words_of_a_tweet_in_every_script(words: list[str], between: str, mark: str) -> None:
    words = [word.casefold() + mark for word in words]
    assert duplicate_key(between.join(words)) == " ".join(words)


@given(tweet=tweets())
def test_no_key_is_empty_and_a_key_is_its_own_key(tweet: str) -> None:
    key = duplicate_key(tweet)
    assert key
    assert duplicate_key(key) == key


WORDS = ("tea", "rain", "boat", "morning", "garden", "sister", "train", "window", "letter", "street", "summer")


def filled(case: Case) -> list[str]:
    """Return the lines of a template, with a number and words that differ."""
    drawn = random.Random(3)  # noqa: S311 - no secrets
    template = str(case.files["rows"]).removesuffix("\n")
    return [
        line
        for number in range(60)
        for line in template.format(number, *drawn.sample(WORDS, 3), number % 9 + 1).splitlines()
    ]


MARKUP = {case.name: filled(case) for case in cases("markup")}
PROSE = {case.name: filled(case) for case in cases("prose")}
SAMPLES = {
    **MARKUP,
    "a table of measurements": [f"{number * 17 % 91}.{number:03} {number}" for number in range(80)],
    "label and id": [f"4 {10_000_000 + number}" for number in range(80)],
    "single letters": [f"{a}{b}" for a in "abcdefghij" for b in "klmnopq"],
    "base64": [base64.b64encode(f"{number} {WORDS}"[:45].encode()).decode() for number in range(60)],
    **PROSE,
    "emoji": [f"😀{chr(0x1F600 + number)}{chr(0x1F640 - number)} ❤️" for number in range(60)],
    "names": [f"{a}{b}{c}a" for a in "aemk" for b in "rlnst" for c in "aeio"],
    "Chinese": [f"今天天气{a}，我们去{b}吧。" for a in "好坏热冷晴阴雨雪" for b in "山海城乡东南西北"],
    "Chinese words": [f"{a}{b}" for a in "今天气好坏热冷" for b in "山海城乡东南西北"],
    "Japanese idioms": [f"{a}石{b}鳥" for a in "一二三四五六七八" for b in "一二三四五六七八"],
    "Thai": [f"สวัสดีตอนเช้าวันนี้อากาศดีมากเลยนะครับเพื่อนๆทุกคนที่รักกัน{chr(0xE01 + number)}" for number in range(40)],
    "nineteen rows": MARKUP["XML"][:19],
}


def test_what_is_no_text_is_doubted_with_its_reason_and_text_is_not(snapshot: SnapshotAssertion) -> None:
    doubts = {name: doubt_about(rows, len(rows), 0) or doubt_about_columns(rows) for name, rows in SAMPLES.items()}
    assert "\n".join(f"{name}: {doubt or 'no doubt'}" for name, doubt in doubts.items()) == snapshot


def test_the_embedded_corpus_is_not_doubted_and_nearly_all_duplicates_are() -> None:
    assert read_tweets(CorpusConfig())[1].doubts == ()
    assert doubt_about(["good", "bad"], 100, 98) == "98 % of its rows are duplicates"


def test_a_table_whose_rows_are_all_too_long_is_doubted_before_the_start_wherever_it_is_named(tmp_path: Path) -> None:
    words = "word " * 40
    table = "\n".join([*(f"{number};{words};x{number}" for number in range(40)), *[f"and a line {words}"] * 3])
    write(tmp_path, {"good.txt": "\n".join(PROSE["tweets"]), "table.txt": table})
    good, long = str(tmp_path / "good.txt"), str(tmp_path / "table.txt")
    for files in ((good, long), (long, good)):
        assert [bool(source.doubt) for source in check_corpus(CorpusConfig(files=files)).sources] == [
            file == long for file in files
        ]


def test_each_source_is_doubted_by_itself_and_a_format_given_by_the_user_is_trusted(tmp_path: Path) -> None:
    write(tmp_path, {"good.txt": "\n".join(PROSE["tweets"]), "page.txt": "\n".join(MARKUP["XML"])})
    both = CorpusConfig(files=(str(tmp_path / "good.txt"), str(tmp_path / "page.txt")))
    (doubt,) = load_corpus(both).report.doubts
    assert doubt.startswith("page.txt does not look like text: ")
    assert doubt.endswith("of its rows are markup or code.")
    page = CorpusConfig(files=(str(tmp_path / "page.txt"),))
    assert check_corpus(page).sources[0].doubt
    with pytest.raises(CorpusError, match=r"page\.txt does not look like text") as caught:
        preflight.require_text(check_corpus(page))
    assert "--format text" in caught.value.hint
    write(tmp_path, {"table.txt": "\n".join(MARKUP["a table of semicolons"]) + "\nand a line" * 3})
    (doubt,) = load_corpus(CorpusConfig(files=(str(tmp_path / "table.txt"),))).report.doubts
    assert "as rows of a table do; --format csv splits it into columns." in doubt
    write(tmp_path, {"split.csv": "text,label\n" + "".join(f"day {number};night,1\n" for number in range(40))})
    assert load_corpus(CorpusConfig(files=(str(tmp_path / "split.csv"),))).report.doubts == ()
    wide = [f"mia;{text}" + ";7;x" * (number % 4 > 0) for number, text in enumerate(SAMPLES["Chinese"])]
    write(tmp_path, {"wide.csv": "\n".join(["user;text", *wide])})
    (doubt,) = load_corpus(CorpusConfig(files=(str(tmp_path / "wide.csv"),))).report.doubts
    assert doubt.endswith("100 % of its rows have 2 semicolons, as rows of a table do.")
    insisting = CorpusConfig(files=page.files, format="text")
    assert load_corpus(insisting).report.doubts == ()
    preflight.require_text(check_corpus(insisting))


CHARS = ("aéøßÆﬁＡªºn寿司々〆カーﾊﾝ한ㅋﾡسلامไท𝓱𝕙ℝℓ𐌀☺❤🐱🏽🇫© \u300012½³.,@#_¿$+<~\u0301\ufe0f\u200d", LINE_BREAK)


def test_a_letter_is_of_its_script_and_every_other_character_of_a_kind(snapshot: SnapshotAssertion) -> None:
    kinds = by_kind(Counter("".join(CHARS)))
    assert "\n".join(f"{kind}: {''.join(chars)!r}" for kind, chars in kinds.items()) == snapshot
    counts = scripts_of({"ж": 3, "a": 2, "é": 4, " ": 90, "1": 5, "☺": 1})
    assert list(counts.items()) == [("Latin", 6), ("Cyrillic", 3), (SYMBOLS, 1)], "the most used first"


@given(counts=st.dictionaries(st.characters(), st.integers(1, 1000), max_size=40))
def test_the_kinds_contain_every_character_once_and_are_sorted_by_use(counts: dict[str, int]) -> None:
    kinds = by_kind(counts)
    assert {char: count for chars in kinds.values() for char, count in chars.items()} == counts
    assert sum(map(len, kinds.values())) == len(counts)
    totals = [sum(chars.values()) for chars in kinds.values()]
    assert totals == sorted(totals, reverse=True)
