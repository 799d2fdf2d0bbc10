"""A source that is no text is doubted by a sample of its rows; text of any script and length is not."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.quick_check import check_corpus
from engine.corpus.ingest.text_quality import doubt_about
from engine.corpus.loading import load_corpus, read_tweets
from engine.errors import CorpusError
from engine.session.startup import preflight
from tests.engine.corpus.reading import Case, cases

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
NO_TEXTS = {
    **{name: (rows, "markup or code") for name, rows in MARKUP.items()},
    "a table of measurements": ([f"{number * 17 % 91}.{number:03} {number}" for number in range(80)], "digits"),
    "label and id": ([f"4 {10_000_000 + number}" for number in range(80)], "digits"),
    "single letters": ([f"{a}{b}" for a in "abcdefghij" for b in "klmnopq"], "2.0 characters long"),
    "base64": ([base64.b64encode(f"{number} {WORDS}"[:45].encode()).decode() for number in range(60)], "40 characters"),
}
TEXTS = {
    **{case.name: filled(case) for case in cases("prose")},
    "emoji": [f"😀{chr(0x1F600 + number)}{chr(0x1F640 - number)} ❤️" for number in range(60)],
    "names": [f"{a}{b}{c}a" for a in "aemk" for b in "rlnst" for c in "aeio"],
    "Chinese": [f"今天天气{a}，我们去{b}吧。" for a in "好坏热冷晴阴雨雪" for b in "山海城乡东南西北"],
    "Chinese words": [f"{a}{b}" for a in "今天气好坏热冷" for b in "山海城乡东南西北"],
    "Japanese idioms": [f"{a}石{b}鳥" for a in "一二三四五六七八" for b in "一二三四五六七八"],
    "Thai": [f"สวัสดีตอนเช้าวันนี้อากาศดีมากเลยนะครับเพื่อนๆทุกคนที่รักกัน{chr(0xE01 + number)}" for number in range(40)],
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_doubted_with_its_reason(name: str) -> None:
    rows, words = NO_TEXTS[name]
    assert words in doubt_about(rows, len(rows), 0)


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_not_doubted(name: str) -> None:
    rows = TEXTS[name]
    assert len(rows) >= 20
    assert doubt_about(rows, len(rows), 0) == ""


def test_the_embedded_corpus_is_not_doubted() -> None:
    assert read_tweets(CorpusConfig())[1].doubts == ()


def test_nearly_all_duplicates_are_doubted_whatever_the_rows_are() -> None:
    assert doubt_about(["good", "bad"], 100, 98) == "98 % of its rows are duplicates"
    assert doubt_about(TEXTS["songs"][:19], 19, 0) == "", "too few rows to judge"


def test_each_source_is_doubted_by_itself_and_a_format_given_by_the_user_is_trusted(tmp_path: Path) -> None:
    for name, rows in (("good.txt", TEXTS["tweets"]), ("page.txt", MARKUP["XML"])):
        (tmp_path / name).write_text("\n".join(rows), "utf-8")
    both = CorpusConfig(files=(str(tmp_path / "good.txt"), str(tmp_path / "page.txt")))
    (doubt,) = load_corpus(both).report.doubts
    assert doubt.startswith("page.txt does not look like text: ")
    assert doubt.endswith("of its rows are markup or code.")
    page = CorpusConfig(files=(str(tmp_path / "page.txt"),))
    assert check_corpus(page).sources[0].doubt
    with pytest.raises(CorpusError, match=r"page\.txt does not look like text") as caught:
        preflight.require_text(check_corpus(page))
    assert "--format text" in caught.value.hint
    insisting = CorpusConfig(files=page.files, format="text")
    assert load_corpus(insisting).report.doubts == ()
    preflight.require_text(check_corpus(insisting))
