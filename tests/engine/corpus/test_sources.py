"""Files are opened as sources in every encoding and compression, their format recognised by content, then by name.

A file called .txt is read as the table that it is; prose with commas or tabs stays plain text. A network's archive is
one source. Errors are raised before the first row is read.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus.files import encodings
from engine.corpus.files.encodings import (
    Encoding,
    detected_encoding,
    encoding_named,
    in_utf8,
    marked_encoding,
    unmarked_utf_16,
)
from engine.corpus.files.streams import Member, ReadProgress
from engine.corpus.formats import FORMATS, recognize
from engine.corpus.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, parquet_of, tar_of, zip_of, zstd_of
from tests.engine.corpus.reading import Case, cases, encoded, read, read_lines, recorded_cases, texts_of, write

TEXT = "a nice day\nand a good night\n"
CSV = "id,text\n1,a nice day\n2,and a good night\n"
JSONL = '{"text": "a nice day"}\n{"text": "and a good night"}\n'
ROWS = ["a nice day", "and a good night"]


def test_files_are_sources_in_order_with_the_index_of_the_named_file(tmp_path: Path) -> None:
    write(tmp_path, {"z.txt": TEXT, "folder/a.txt": TEXT, "folder/b.csv": CSV})
    files = (str(tmp_path / "z.txt"), str(tmp_path / "folder"), str(tmp_path / "z.txt"))
    opened = list(open_sources(CorpusConfig(files=files), ReadProgress()))
    assert [each.file_index for each in opened] == [0, 1, 1, 2]
    names = [each.source.name for each in opened]
    assert names[1:3] == ["folder: a.txt", "folder: b.csv"]
    assert names[0] == names[3] == str(tmp_path / "z.txt")  # the name alone is ambiguous


def test_links_to_files_of_other_names_are_read_if_both_are_in_the_folder(tmp_path: Path) -> None:
    folder = write(tmp_path, {"blobs/0a1b": CSV})
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / "train.csv").symlink_to("../blobs/0a1b")
    assert "+ 'a nice day'" in list(read_lines(CorpusConfig(files=(str(folder),))))
    error, hint = read_lines(CorpusConfig(files=(str(folder / "snapshots"),)))
    assert "is a folder without a readable file; found but not read: train.csv (a link that leaves the folder" in error
    assert "Give the folder that holds their targets" in hint


def test_files_and_archives_in_zstd_and_zips_in_a_folder_are_found_by_their_names(snapshot: SnapshotAssertion) -> None:
    tar = zstd_of(tar_of({"in.csv": CSV.encode()}))
    files = {
        "a.csv.zst": zstd_of(CSV.encode()),
        "b.jsonl.zst": zstd_of(JSONL.encode()),
        "c.tar.zst": tar,
        "d.tzst": tar,
        "in/e.zip": zip_of({"posts/b.csv": CSV.encode()}),
    }
    assert read(files) == snapshot


def test_a_format_is_recognised_by_content_first_and_name_second(snapshot: SnapshotAssertion) -> None:
    lines = []
    for case in cases("formats"):
        ((name, content),) = case.files.items()
        lines.append(f"{recognize(encoded(content), name).name:<8} {case.name}: {name}")
    assert "\n".join(lines) == snapshot
    assert {"auto"}.union(each.name for each in FORMATS) == set(get_args(FileFormat)), "every format is in the table"
    for start in ('{"data": [', '["', '{"a": {', "[[1, "):
        assert recognize((start + "x" * 70_000).encode()[:65_536], "a.jsonl").name == "jsonl"


PROSE = ["what a day", "so, it rains again", "good morning :)", "I can't, won't!", "late", "bye; all", "1 more", "ok"]


@recorded_cases("called_txt")
def test_a_table_called_txt_is_read_as_csv_and_prose_as_lines(case: Case) -> None:
    files = {name: str(content) for name, content in case.files.items()}
    rows = "".join(files.get("rows", "").format(number, text) for number, text in enumerate(PROSE * 3, start=1))
    content = files.get("head", "") + rows + files.get("tail", "")
    assert recognize(content.encode(), "a.txt").name == ("csv" if case.name.startswith("a table") else "text")


LANGUAGES = [(case.name.partition(": "), case.rows) for case in cases("foreign_tweets")]
TWEETS = {language: tweets for (language, _, _), tweets in LANGUAGES}
FOREIGN = [
    (language, encoding) for (language, _, encodings), _ in LANGUAGES for encoding in encodings.split(", ") if encoding
]
WESTERN = [language for (language, _, encodings), _ in LANGUAGES if not encodings]
CHINESE = [f"{tweet}。" for tweet in TWEETS["Chinese"]]
IN_CHINESE = {
    "a.txt": "\n".join(CHINESE),
    "a.csv": "id,text\n" + "".join(f"{number},{tweet}\n" for number, tweet in enumerate(CHINESE)),
    "a.jsonl": "".join(f'{{"text": "{tweet}"}}\n' for tweet in CHINESE),
}


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-32", "utf-16le", "utf-16be"])
@pytest.mark.parametrize("name", IN_CHINESE)
def test_every_text_format_is_read_in_a_detected_encoding_in_any_container(name: str, encoding: str) -> None:
    data = IN_CHINESE[name].encode(encoding)
    found = [read({name: gzip_of(data)}), read({name: data}), read({name: data}, "zip"), read({name: data}, "folder")]
    for shown in found:
        assert [line for line in shown.splitlines() if line.startswith("+")] == [f"+ {tweet!r}" for tweet in CHINESE]
        assert shown.count(f"* read as {encoding.upper()}") == 1


def test_a_given_encoding_replaces_detection_but_no_mark_and_no_binary_format(snapshot: SnapshotAssertion) -> None:
    files = {"a.txt": "привет\nпока\n".encode("koi8-r") + "é\n".encode() + b"caf\xe9\n"}
    assert "\n".join(read(files, encoding=encoding) for encoding in ("koi8-r", "utf-8")) == snapshot
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8"):
        assert texts_of({"a.txt": f"\ufeff{TEXT}".encode("utf-16-be")}, encoding=encoding) == ROWS
    assert texts_of({"a.parquet": parquet_of({"text": ROWS}), "b.txt": TEXT}, encoding="gbk") == ROWS * 2


BAD: dict[str, bytes] = {
    "cut.csv.gz": gzip_of(os.urandom(50_000))[:20_000],
    "empty.zip": zip_of({}),
    "nested.zip": zip_of({"a.zip": zip_of({"a.txt": TEXT.encode()})}),
    "zip.gz": gzip_of(zip_of({"a.txt": TEXT.encode()})),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_file_is_an_error_before_any_row(tmp_path: Path, name: str, snapshot: SnapshotAssertion) -> None:
    folder = write(tmp_path, {name: BAD[name], "good.txt": TEXT})
    alone, after = (
        "\n".join(read_lines(CorpusConfig(files=tuple(f"{folder}/{file}" for file in files))))
        for files in ((name,), ("good.txt", name))
    )
    assert alone == after
    assert alone.replace(f"{folder}/", "") == snapshot


def test_an_archive_without_a_readable_file_is_an_error_that_lists_what_is_in_it(snapshot: SnapshotAssertion) -> None:
    names = ["a.jpg", "b/c.jpg", "LICENSE", "x.html", "y.html", "z.pdf", *(f"{number}.jpg" for number in range(1_200))]
    files = {**dict.fromkeys(names, b"x"), "a.txt": b"", ".hidden.doc": b"x"}
    alone = read(files, "zip")
    assert f"{alone}\n{read({'folder/a.tar': tar_of(dict.fromkeys(names, b'x'))}, 'folder')}" == snapshot


def test_standard_input_has_no_other_name_and_is_not_read_again() -> None:
    copied = {f"standard-input-{'0' * 64}": 'window.YTD.tweets.part0 = [{"tweet": {"full_text": "a'}
    assert "! standard input is not valid JSON" in read(copied)
    for file in ("-", ""):
        with pytest.raises(CorpusError):
            next(open_sources(CorpusConfig(files=(file,)), ReadProgress()))


NUM_LINES = 30
ENGLISH = ("good morning everyone", "so tired today :(", "@tom see you later! http://x.example/a1", "lunch was great")
USUAL_NAMES = {"gbk": "GBK", "big5": "Big5", "euc_kr": "EUC-KR", "shift_jis": "Shift_JIS", "euc_jp": "EUC-JP"}
USUAL_NAMES |= {"cp1251": "Windows-1251", "koi8-r": "KOI8-R", "iso8859-6": "ISO-8859-6"}


def lines(tweets: Iterable[str]) -> str:
    return "".join(tweet + "\n" for tweet in itertools.islice(itertools.cycle(tweets), NUM_LINES))


def table(tweets: Iterable[str]) -> str:
    numbered = enumerate(lines(tweets).splitlines())
    return "id,date,user,text\n" + "".join(f'{each},2021-03-05,user_{each},"{tweet}"\n' for each, tweet in numbered)


def among_english(tweets: Iterable[str]) -> str:
    return lines(line for tweet in tweets for line in (tweet, *ENGLISH[:2]))


SHAPES = (lines, table, among_english)


def decoded(data: bytes, encoding: Encoding) -> str:
    """Return the text of a file in this encoding."""
    member = in_utf8(Member("a.txt", lambda: io.BytesIO(data), len(data)), encoding)
    assert member.encoding == encoding.name
    with member.open() as file:
        return file.read().decode()


def detected(text: str, encoding: str) -> str:
    """Return the name of the encoding that is detected; assert that it decodes the text."""
    found = detected_encoding(text.encode(encoding))
    assert found is not None
    assert decoded(text.encode(encoding), found) == text
    assert "".encode(found.name) == b"", "Python knows the name"
    return found.name


@pytest.mark.parametrize(("language", "encoding"), FOREIGN)
def test_an_encoding_is_detected_by_a_few_tweets_also_damaged_ones(language: str, encoding: str) -> None:
    for shape in SHAPES:
        name = detected(shape(TWEETS[language]), encoding)
        assert name == USUAL_NAMES.get(encoding, name)
    whole = [line.encode(encoding) for line in lines(TWEETS[language]).splitlines() * 3]
    found = detected_encoding(b"\n".join(whole))
    cut = [line[:-3] if number % 20 == 7 else line for number, line in enumerate(whole)]
    assert detected_encoding(b"\n".join([*cut, "\u2019 caf\u00e9".encode()])) == found


HIRAGANA = ["はるのあめ しずかにふりて ねむるまち,あさになるまで", "ゆきのひは とりもうたわず かぜもなし,ふゆのにわ"]
FEW_KANJI = [f"{kanji}の{kana}みず,あ{kana}のはな,{kanji}" for kanji in "秋冬春夏雪" for kana in "かきくけこ"]
BAKERY = ["mia_k: the new bakery on my street is open, and it’s wonder…", "so this is “spring”, with snow htt…"]
COLOURED = {each: [f"\x1b[32m{tweet}\x1b[m" for tweet in TWEETS[each]] for each in ("Chinese", "Taiwanese")}


UNUSUAL = {
    "hiragana only": (lines(HIRAGANA), "shift_jis", "Shift_JIS"),
    "few kanji": ("word,reading,season\n" + lines(FEW_KANJI), "euc_jp", "EUC-JP"),
    "colours of a terminal": (lines(COLOURED["Chinese"]), "gbk", "GBK"),
    "colours of a terminal in Big5": (lines(COLOURED["Taiwanese"]), "big5", "Big5"),
    "English with Chinese punctuation": (lines(BAKERY) + "jo_lin: 今天天气很好\n", "gbk", "GBK"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_encoding_is_detected_in_unusual_texts(name: str) -> None:
    text, encoding, expected = UNUSUAL[name]
    assert detected(text, encoding) == expected


@pytest.mark.parametrize("language", WESTERN)
def test_windows_1252_stays_and_so_does_its_mixture_with_utf_8(language: str) -> None:
    for text in (shape(TWEETS[language]) for shape in SHAPES):
        for every in (0, 2, 3, 10):
            mixed = [
                line.encode("utf-8" if every and number % every == 0 else "cp1252")
                for number, line in enumerate(text.splitlines())
            ]
            assert detected_encoding(b"\n".join(mixed)) is None
        assert detected_encoding(text.upper().encode("cp1252", "ignore")) is None


def test_repeated_characters_of_windows_1252_are_no_other_script() -> None:
    for row in ("•••• new ••••", "°°° so hot °°°", "ééééé", "ÄÄÄÄH, sööööö schön", "¬¬ ¬¬", "€€€€"):
        assert detected_encoding(lines([row, *ENGLISH]).encode("cp1252")) is None, row


@pytest.mark.parametrize(
    "data",
    [
        b"",
        "".join(ENGLISH).encode(),
        lines(TWEETS["Chinese"]).encode()[:-2],  # cut inside a character
        b"\n".join(tweet.encode()[:20] for tweet in TWEETS["Chinese"]),  # each line cut inside a character
        lines(TWEETS["Korean"]).replace("\n", " ").encode() + b"\xff",
        "\n".join(f"hello {number} \U0001f600" for number in range(20)).encode(),
        "".join(chr(0xD83D) + chr(0xDE00 + number) + "\n" for number in range(20)).encode("utf-8", "surrogatepass"),
        "so tired today… – caf\xe9".encode("cp1252"),
        "안녕하세요".encode("euc_kr"),  # too few bytes to be certain
    ],
)
def test_utf_8_and_a_few_odd_bytes_are_left_to_the_lines(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "_detected", lambda sample: pytest.fail("detection ran"))
    assert detected_encoding(data) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_text_with_a_byte_order_mark_is_converted_to_utf_8(encoding: str, order: str, text: str) -> None:
    data = f"\ufeff{text}".encode(f"{encoding}-{order}")
    found = marked_encoding(data)
    assert found is not None
    assert found.name == encoding.upper()
    assert decoded(data, found) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_detected_without_a_mark_in_any_script_and_in_no_other_file(encoding: str) -> None:
    for tweets in (*TWEETS.values(), ENGLISH):
        found = unmarked_utf_16(lines(tweets).encode(encoding))
        assert found is not None
        assert (found.codec, decoded(lines(tweets).encode(encoding), found)) == (encoding, lines(tweets))
    assert unmarked_utf_16(ENGLISH[0].encode(encoding)) is not None, "a single line"
    drawn = random.Random(5).randbytes(20_000)  # noqa: S311 - no secrets
    sound = struct.pack(f"{'<>'[encoding.endswith('be')]}5000h", *(number % 300 - 150 for number in range(5000)))
    for data in (b"", drawn, sound, bytes(2000), b"hello\0 there, you\n" * 50):
        assert unmarked_utf_16(data) is None, data[:20]


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_kr", "shift_jis", "euc_jp", "cp1251", "utf-16", "utf-8"])
@given(text=st.text())
def test_a_named_encoding_decodes_all_of_its_text(encoding: str, text: str) -> None:
    found = encoding_named(encoding)
    data = text.encode(found.codec, "ignore")
    assert decoded(data, found) == data.decode(found.codec)


def test_a_named_encoding_is_decoded_as_it_is_used() -> None:
    long = "a" + "今天天气真好" * 60_000
    for name, data, text in (
        ("gbk", "𠮷 😀".encode("gb18030"), "𠮷 😀"),  # decoded as its superset, as the next three
        ("euc-kr", "똠방각하".encode("cp949"), "똠방각하"),
        ("shift_jis", "①㈱".encode("cp932"), "①㈱"),
        ("latin-1", "it’s".encode("cp1252"), "it’s"),
        ("utf-16", "it’s 好".encode("utf-16-le"), "it’s 好"),  # little-endian without a byte order mark
        ("utf-32", "it’s 好".encode("utf-32-le"), "it’s 好"),
        ("gbk", b"\xff\xffa\n" + "好".encode("gbk") + b"\x81", "\ufffd\ufffda\n好\ufffd"),  # invalid bytes
        ("gbk", long.encode("gbk"), long),  # to its end, over several buffers
    ):
        assert decoded(data, encoding_named(name)) == text
