"""The X archives of 2012 to 2019 are read from their month files or their CSV, and nothing else of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_files import archive_root
from engine.corpus.readers.archives.x_rows import x_rows
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError

LINK = "http://t.co/aBc123XyZ0"
OWNER = "25"
ANSWERED = ["in_reply_to_status_id", "in_reply_to_user_id"]
RETWEETED = ["retweeted_status_id", "retweeted_status_user_id"]
COLUMNS = [
    *["tweet_id", *ANSWERED, "timestamp", "source", "text"],
    *[*RETWEETED, "retweeted_status_timestamp", "expanded_urls"],
]
FIRST_COLUMNS = ["tweet_id", *ANSWERED, *RETWEETED, "timestamp", "source", "text", "expanded_urls"]
CLIENT = '<a href="http://client.example" rel="nofollow">A Client</a>'


def tweet(text: str, number: int = 1, **fields: object) -> dict[str, Any]:
    """Return a tweet as in a month file."""
    mia = {"name": "Mia, a friend", "screen_name": "mia", "indices": [0, 4], "id_str": "7", "id": 7}
    return {
        "source": CLIENT,
        "entities": {"user_mentions": [mia], "media": [], "hashtags": [], "urls": []},
        "geo": {},
        "id_str": str(number),
        "text": text,
        "id": number,
        "created_at": "2012-01-05 13:45:22 +0000",
        "user": {"name": "The Owner", "screen_name": "owner", "protected": False, "id_str": OWNER, "id": int(OWNER)},
        **fields,
    }


def reply(text: str, number: int, to_user: int, to_status: int) -> dict[str, Any]:
    """Return a reply as in a month file."""
    return tweet(
        text,
        number,
        in_reply_to_status_id_str=str(to_status),
        in_reply_to_status_id=to_status,
        in_reply_to_user_id_str=str(to_user),
        in_reply_to_user_id=to_user,
        in_reply_to_screen_name="mia",
    )


def month(name: str, *tweets: object) -> bytes:
    return f"Grailbird.data.tweets_{name} = \n {json.dumps(tweets, indent=2)}".encode()


def user(account_id: str = OWNER) -> bytes:
    details = {"screen_name": "owner", "full_name": "The Owner", "bio": "A secret life.", "id": account_id}
    return f"var user_details =  {json.dumps(details, indent=2)}".encode()


def table(*rows: Mapping[str, str], columns: Sequence[str] = COLUMNS, is_short: bool = True) -> bytes:
    """Return `tweets.csv`; rows that `is_short` end at their last field that is not empty."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for number, row in enumerate(rows, start=1):
        fields = [{"tweet_id": str(number), "source": CLIENT, **row}.get(column, "") for column in columns]
        while is_short and not fields[-1]:
            fields.pop()
        writer.writerow(fields)
    return file.getvalue().encode()


def member(name: str, data: bytes) -> Member:
    def opened() -> BinaryIO:
        return io.BytesIO(data)

    return Member(name, opened)


def rows_of(files: Mapping[str, bytes], **options: Any) -> tuple[list[Row], list[str]]:
    source = Source("archive.zip", "x")
    members = [member(name, data) for name, data in files.items()]
    return list(x_rows(members, source, CorpusConfig(**options))), source.notes


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


def error_of(files: Mapping[str, bytes]) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        rows_of(files)
    assert caught.value.hint
    return caught.value


# Month files ----------------------------------------------------------------------------------------------------------


def test_the_texts_of_all_months_are_read_in_order_and_no_name_or_client() -> None:
    months = {
        "data/js/tweets/2012_10.js": month("2012_10", tweet("October &amp; on")),
        "data/js/tweets/2012_02.js": month("2012_02", tweet("late\nFebruary"), tweet("early February")),
        "data/js/tweets/2009_11.js": month("2009_11", tweet("November")),
    }
    rows, notes = rows_of({**months, "data/js/user_details.js": user()})
    assert rows == ["November", "late\nFebruary", "early February", "October &amp; on"]
    assert notes == []


@pytest.mark.parametrize("name", ["2012_01.js", "mine.js", "data/js/tweets/2012_01.js"])
def test_a_single_month_is_read_under_any_name(name: str) -> None:
    assert rows_of({name: b"\xef\xbb\xbf" + month("2012_01", tweet("hello"))})[0] == ["hello"]


def test_retweets_and_links_are_dropped_or_removed_as_in_new_archives() -> None:
    tweets = [
        tweet("RT @mia: hello", retweeted_status=tweet("hello", user={"name": "Mia"})),
        tweet("RT @mia: by hand"),
        tweet(f"a picture {LINK}"),
        tweet(LINK),
        tweet("see http://a.example/b"),
    ]
    files = {"2012_01.js": month("2012_01", *tweets)}
    rows, notes = rows_of(files)
    assert reasons(rows) == ["retweet", "retweet", "a picture", "only a link", "see http://a.example/b"]
    assert notes == ["links removed from 1 tweet; --keep-links keeps them"]
    assert rows_of(files, keep_links=True)[0][2] == f"a picture {LINK}"


@pytest.mark.parametrize("details", [{"data/js/user_details.js": user()}, {}])
def test_replies_to_others_are_dropped_by_option_and_own_threads_kept(details: dict[str, bytes]) -> None:
    tweets = [reply("@mia yes", 3, 7, 70), reply("and so on", 2, int(OWNER), 1), tweet("alone")]
    files = {"data/js/tweets/2012_01.js": month("2012_01", *tweets), **details}
    assert rows_of(files)[0] == ["@mia yes", "and so on", "alone"]
    assert reasons(rows_of(files, no_replies=True)[0]) == ["reply", "and so on", "alone"]


def test_tweets_of_a_protected_account_are_included_and_counted() -> None:
    author = {"id_str": OWNER, "protected": True}
    tweets = [tweet("to my followers", user=author), tweet(LINK, user=author), tweet("to all")]
    rows, notes = rows_of({"2012_01.js": month("2012_01", *tweets)})
    assert reasons(rows) == ["to my followers", "only a link", "to all"]
    assert notes == ["1 tweet of a protected account included"]


# tweets.csv -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [COLUMNS, FIRST_COLUMNS])
@pytest.mark.parametrize("is_short", [True, False])
def test_a_row_of_the_table_may_leave_out_its_trailing_empty_columns(columns: Sequence[str], *, is_short: bool) -> None:
    rows: list[Mapping[str, str]] = [
        {"text": "no link"},
        {"text": 'a "quotation",\n\nand more &amp; more'},
        {"text": f"a link {LINK}", "expanded_urls": "http://a.example/b"},
        {"text": "RT @mia: hello", "retweeted_status_id": "70", "retweeted_status_user_id": "7"},
        {"text": "cut short", "retweeted_status_id": "70"},
    ]
    found = rows_of({"tweets.csv": table(*rows, columns=columns, is_short=is_short)})[0]
    assert reasons(found) == ["no link", 'a "quotation",\n\nand more &amp; more', "a link", "retweet", "retweet"]


def test_a_row_with_a_column_for_each_of_several_links_is_read() -> None:
    data = table({"text": "two links", "expanded_urls": "http://a.example"}).rstrip() + b',"http://b.example"\n'
    assert rows_of({"tweets.csv": data})[0] == ["two links"]


def test_a_damaged_row_of_the_table_costs_only_itself() -> None:
    data = table({"text": "one"}) + b'"2","","","2012"\n\n"3","","","","web","never closed\n'
    data += table({"text": "two"}).partition(b"\n")[2]
    rows = rows_of({"tweets.csv": data})[0]
    assert "one" in rows
    assert "two" in rows
    assert {row.reason for row in rows if isinstance(row, DroppedRow)} == {
        "with too few columns",
        "empty",
        "with a quotation mark that is never closed",
    }


def test_replies_in_the_table_are_recognised_with_the_owner_or_by_answers_to_own_tweets() -> None:
    answers = {"in_reply_to_status_id": "1", "in_reply_to_user_id": OWNER}
    other = {"in_reply_to_status_id": "70", "in_reply_to_user_id": "7"}
    data = table({"text": "alone"}, {"text": "and so on", **answers}, {"text": "@mia yes", **other})
    for details in ({}, {"data/js/user_details.js": user()}):
        assert rows_of({"tweets.csv": data, **details})[0] == ["alone", "and so on", "@mia yes"]
        assert reasons(rows_of({"tweets.csv": data, **details}, no_replies=True)[0]) == ["alone", "and so on", "reply"]


def test_characters_of_another_encoding_are_counted_once() -> None:
    data = table({"text": "cafe"}).replace(b"cafe", b"caf\xe9")
    rows, notes = rows_of({"tweets.csv": data}, no_replies=True)
    assert rows == ["café"]
    assert notes == ["1 line read as Windows-1252"]


def test_the_tables_of_the_first_archives_are_read_month_by_month() -> None:
    names = ("2012_02", "2012_01")
    files = {f"data/csv/{name}.csv": table({"text": name}, columns=FIRST_COLUMNS) for name in names}
    assert rows_of(files)[0] == ["2012_01", "2012_02"]


@pytest.mark.parametrize(
    ("tables", "note"),
    [
        (["tweets.csv"], "tweets.csv"),
        (["data/csv/2012_01.csv", "data/csv/2012_02.csv"], "data/csv/2012_01.csv + 1 more"),
    ],
)
def test_tweets_in_month_files_and_a_table_are_read_once(tables: list[str], note: str) -> None:
    files = {name: table({"text": "from CSV"}) for name in tables}
    files |= {f"data/js/tweets/2012_0{n}.js": month(f"2012_0{n}", tweet(f"month {n}")) for n in (1, 2)}
    rows, notes = rows_of(files)
    assert rows == ["month 1", "month 2"]
    assert notes == [f"read from data/js/tweets/2012_01.js + 1 more, not again from {note}"]


# Archives without tweets, and damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        {"tweets.csv": table(), "data/js/user_details.js": user()},
        {"tweets.csv": table()},
        {"data/js/tweets/2012_01.js": month("2012_01"), "data/js/user_details.js": user()},
    ],
)
def test_an_archive_of_an_owner_without_tweets_is_reported(files: dict[str, bytes]) -> None:
    assert error_of(files).message == "archive.zip has no tweets: its owner never tweeted, or deleted them all."


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (user(), "user_details"),
        (b'var tweet_index = [ {"file_name": "data/js/tweets/2012_01.js"} ]', "tweet_index"),
        (b'var payload_details = {"tweets": 5}', "payload_details"),
        (b'Grailbird.data.favorites_2012_01 = [ {"text": "of another"} ]', "favorites_2012_01"),
    ],
)
def test_another_file_of_the_archive_is_refused(content: bytes, kind: str) -> None:
    error = error_of({"2012_01.js": content})
    assert error.message == f"archive.zip: 2012_01.js is a file of {kind}, not the tweets of an X archive."


@pytest.mark.parametrize("name", ["data/js/tweets/2012_01.js", "tweets.csv"])
def test_a_file_with_other_content_than_its_name_is_an_error(name: str) -> None:
    files = {name: b"id,text\n1,hello\n", "data/js/user_details.js": user()}
    assert error_of(files).message.startswith(f"archive.zip: {name} ")


def test_a_truncated_month_yields_its_tweets_and_an_error_that_names_it() -> None:
    data = month("2012_01", tweet("one"), tweet("two"))
    for no_replies in (False, True):
        members = [member("data/js/tweets/2012_01.js", data[:-60]), member("data/js/user_details.js", user())]
        rows = x_rows(members, Source("archive.zip", "x"), CorpusConfig(no_replies=no_replies))
        assert next(rows) == "one"
        with pytest.raises(CorpusError, match=r"archive\.zip: data/js/tweets/2012_01\.js is not valid JSON near line"):
            list(rows)


@pytest.mark.parametrize(
    "details", [b"var user_details = 5", b"var user_details = {}", b'var user_details = {"id": 5}']
)
def test_an_owner_without_an_id_is_taken_from_the_tweets(details: bytes) -> None:
    months = month("2012_01", reply("and so on", 2, int(OWNER), 1), tweet("alone"))
    files = {"data/js/tweets/2012_01.js": months, "data/js/user_details.js": details}
    assert rows_of(files, no_replies=True)[0] == ["and so on", "alone"]


def test_an_old_and_a_new_archive_in_one_folder_are_both_read() -> None:
    new = b'window.YTD.tweets.part0 = [{"tweet": {"id_str": "1", "full_text": "new"}}]'
    files = {"data/js/tweets/2012_01.js": month("2012_01", tweet("old")), "data/tweets.js": new}
    assert rows_of(files)[0] == ["old", "new"]


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("data/js/tweets/2012_01.js", ""),
        ("archive/data/js/tweets/2012_01.js", "archive/"),
        ("js/tweets/2012_01.js", ""),
        ("tweets/2012_01.js", ""),
        ("2012_01.js", ""),
        ("months/2012_01.js", "months/"),
        ("archive/data/js/user_details.js", "archive/"),
        ("archive/data/csv/2012_01.csv", "archive/"),
        ("archive/tweets.csv", "archive/"),
        ("tweets.csv", ""),
        ("data/js/tweet_index.js", None),
        ("data/js/payload_details.js", None),
        ("js/application.js", None),
        ("my_tweets.csv", None),
    ],
)
def test_the_files_that_are_read_are_detected_by_their_path(name: str, root: str | None) -> None:
    assert archive_root(name) == root
