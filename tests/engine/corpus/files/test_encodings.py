"""Text in other encodings is detected by its first bytes and converted to UTF-8; all other text stays as it is."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.files import encodings
from engine.corpus.files.archive_entries import FoundMember
from engine.corpus.files.encodings import Encoding, detected_encoding, encoding_named, in_utf8, marked_encoding
from tests.engine.corpus.reading import ENCODINGS, TWEETS

NUM_LINES = 30
ENGLISH = ("good morning everyone", "so tired today :(", "@tom see you later! http://x.example/a1", "lunch was great")
FOREIGN = [(language, encoding) for language, encodings in ENCODINGS.items() for encoding in encodings]
WESTERN = [language for language, encodings in ENCODINGS.items() if not encodings]
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
    member = in_utf8(FoundMember("a.txt", lambda: io.BytesIO(data), len(data)), encoding)
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


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        pytest.param(lines(HIRAGANA), "shift_jis", "Shift_JIS", id="hiragana only"),
        pytest.param("word,reading,season\n" + lines(FEW_KANJI), "euc_jp", "EUC-JP", id="few kanji"),
        pytest.param(lines(COLOURED["Chinese"]), "gbk", "GBK", id="colours of a terminal"),
        pytest.param(lines(COLOURED["Taiwanese"]), "big5", "Big5", id="colours of a terminal in Big5"),
        pytest.param(lines(BAKERY) + "jo_lin: 今天天气很好\n", "gbk", "GBK", id="English with Chinese punctuation"),
    ],
)
def test_an_encoding_is_detected_in_unusual_texts(text: str, encoding: str, name: str) -> None:
    assert detected(text, encoding) == name


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


@pytest.mark.parametrize("row", ["•••• new ••••", "°°° so hot °°°", "ééééé", "ÄÄÄÄH, sööööö schön", "¬¬ ¬¬", "€€€€"])
def test_repeated_characters_of_windows_1252_are_no_other_script(row: str) -> None:
    assert detected_encoding(lines([row, *ENGLISH]).encode("cp1252")) is None


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


@pytest.mark.parametrize("encoding", ["gb18030", "big5", "euc_kr", "shift_jis", "euc_jp", "cp1251", "utf-16", "utf-8"])
@given(text=st.text())
def test_a_named_encoding_decodes_all_of_its_text(encoding: str, text: str) -> None:
    found = encoding_named(encoding)
    data = text.encode(found.codec, "ignore")
    assert decoded(data, found) == data.decode(found.codec)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("gbk", "𠮷 😀".encode("gb18030"), "𠮷 😀"),  # decoded as its superset, as the next three
        ("euc-kr", "똠방각하".encode("cp949"), "똠방각하"),
        ("shift_jis", "①㈱".encode("cp932"), "①㈱"),
        ("latin-1", "it’s".encode("cp1252"), "it’s"),
        ("utf-16", "it’s 好".encode("utf-16-le"), "it’s 好"),  # little-endian without a byte order mark
        ("utf-32", "it’s 好".encode("utf-32-le"), "it’s 好"),
        ("gbk", b"\xff\xffa\n" + "好".encode("gbk") + b"\x81", "\ufffd\ufffda\n好\ufffd"),  # invalid bytes
        ("gbk", b"a" + ("今天天气真好" * 400_000).encode("gbk"), "a" + "今天天气真好" * 400_000),  # to its end
    ],
)
def test_a_named_encoding_is_decoded_as_it_is_used(name: str, data: bytes, text: str) -> None:
    assert decoded(data, encoding_named(name)) == text
