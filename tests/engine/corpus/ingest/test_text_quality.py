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

WORDS = ("tea", "rain", "boat", "morning", "garden", "sister", "train", "window", "letter", "street", "summer")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Page {0}</title>
<style>
.post-{0} {{ margin: {0}px; color: #333;
}}
</style></head>
<body class="page-{0}">
<div id="post{0}"><p>The {1} of the {2} was on the {3}.</p>
<a href="/posts/{0}">permalink {0}</a></div>
<p>Another {2} with a {1}</p>
</body></html>"""
XML = """<post id="{0}">
  <author>user{0}</author>
  <text>The {1} of the {2} was on the {3}.</text>
</post>"""
SQL = "INSERT INTO posts VALUES ({0},'the {1} of the {2}','2020-01-0{4}');"
TABLE = """CREATE TABLE IF NOT EXISTS `{1}`.`{2}` (
  `id_{0}` INT NOT NULL AUTO_INCREMENT,
  `{3}` VARCHAR(45) NULL,
  PRIMARY KEY (`id_{0}`),
ENGINE = InnoDB"""
CODE = "for (let i{0} = {0}; i{0} < {1}.length; i{0}++) {{\n  show({2}[i{0}], {0});\n}}"

PYTHON = """class Page{0}({1}.Base):
    def {1}(self, {2}: int) -> str:
        if {2} > {0}:
            return self.{3}[{2}]
        {1}_{0} = {2} + self.offset"""


def filled(template: str, count: int = 60) -> list[str]:
    """Return the lines of a template with different words."""
    drawn = random.Random(3)  # noqa: S311 - no secrets
    return [
        line
        for number in range(count)
        for line in template.format(number, *drawn.sample(WORDS, 3), number % 9 + 1).splitlines()
    ]


NO_TEXTS = {
    "a saved web page": (filled(PAGE, 20), "markup or code"),
    "XML": (filled(XML), "markup or code"),
    "a dump of a database": (filled(SQL), "markup or code"),
    "tables of a database": (filled(TABLE), "markup or code"),
    "a program": (filled(CODE), "markup or code"),
    "a program in Python": (filled(PYTHON), "markup or code"),
    "a table of measurements": ([f"{number * 17 % 91}.{number:03} {number}" for number in range(80)], "digits"),
    "label and id": ([f"4 {10_000_000 + number}" for number in range(80)], "digits"),
    "single letters": ([f"{a}{b}" for a in "abcdefghij" for b in "klmnopq"], "2.0 characters long"),
    "base64": ([base64.b64encode(f"{number} {WORDS}"[:45].encode()).decode() for number in range(60)], "40 characters"),
}
TEXTS = {
    "tweets": filled("just saw the {1} &amp; a {2} <3 {0} http://a.example/{1}"),
    "emoji": [f"😀{chr(0x1F600 + number)}{chr(0x1F640 - number)} ❤️" for number in range(60)],
    "kaomoji": filled("so tired of the {1} (;_;)\n<- this {2}\n(╯°□°)╯ {3}; and {1};)"),
    "a chat": filled("<mia_{0}> the {1} is late :(\n<tom> my {2}, too! (so is the {3})\n* ida waves"),
    "tokens": filled("{1} , the {2}\n) was on my {3} .\n( so long )"),
    "songs": filled("{1} of the {2} (live in {0})"),
    "names": [f"{a}{b}{c}a" for a in "aemk" for b in "rlnst" for c in "aeio"],
    "Chinese": [f"今天天气{a}，我们去{b}吧。" for a in "好坏热冷晴阴雨雪" for b in "山海城乡东南西北"],
    "Chinese words": [f"{a}{b}" for a in "今天气好坏热冷" for b in "山海城乡东南西北"],
    "Japanese idioms": [f"{a}石{b}鳥" for a in "一二三四五六七八" for b in "一二三四五六七八"],
    "Thai": [f"สวัสดีตอนเช้าวันนี้อากาศดีมากเลยนะครับเพื่อนๆทุกคนที่รักกัน{chr(0xE01 + number)}" for number in range(40)],
    "times and scores": filled("it's {0}:30 and we won 3-{0} in the {1} league"),
    "mathematics": filled("if {0} < x > {1} then y = {0}/2, said my {2}"),
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
    assert doubt_about(filled("the {1} of the {2}")[:19], 19, 0) == "", "too few rows to judge"


def test_each_source_is_doubted_by_itself_and_a_format_given_by_the_user_is_trusted(tmp_path: Path) -> None:
    for name, rows in (("good.txt", TEXTS["tweets"]), ("page.txt", NO_TEXTS["XML"][0])):
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
