"""Tweets and their long versions are read from an X archive, and nothing else. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_files import archive_root
from engine.corpus.readers.archives.x_rows import x_rows
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError

LINK = "https://t.co/aBc123XyZ0"
LONG = "The first sentence of a long tweet is here & it goes on. " + "Another sentence follows it. " * 12 + "The end."
TIME, ISO_TIME = "Tue Apr 04 13:45:22 +0000 2023", "2023-04-04T13:45:22.000Z"


def tweet(text: str, created_at: str = TIME, **fields: object) -> dict[str, Any]:
    return {"tweet": {"id_str": "1", "created_at": created_at, "full_text": text, "entities": {"urls": []}, **fields}}


def note(text: str, created_at: str = ISO_TIME) -> dict[str, Any]:
    core = {"text": text, "urls": [], "mentions": [], "hashtags": []}
    return {"noteTweet": {"noteTweetId": "2", "createdAt": created_at, "core": core}}


def cut(text: str, link: str = LINK) -> str:
    return text[:270].replace("&", "&amp;") + f"… {link}"


def assigned(variable: str, value: object) -> bytes:
    return f"window.{variable} = {json.dumps(value, ensure_ascii=False, indent=2)}".encode()


def member(name: str, data: bytes) -> Member:
    def opened() -> BinaryIO:
        return io.BytesIO(data)

    return Member(name, opened)


def rows_of(files: Mapping[str, bytes], **options: Any) -> tuple[list[Row], list[str]]:
    source = Source("archive.zip", "x")
    members = [member(name, data) for name, data in files.items()]
    return list(x_rows(members, source, CorpusConfig(**options))), source.notes


def rows_of_tweets(*tweets: object, **options: Any) -> list[Row]:
    return rows_of({"data/tweets.js": assigned("YTD.tweets.part0", tweets)}, **options)[0]


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


@pytest.mark.parametrize(
    ("name", "variable"),
    [("data/tweets.js", "YTD.tweets.part0"), ("tweet.js", "YTD.tweet.part0"), ("mine.js", "YTD.tweet.part0")],
)
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_every_form_of_the_file_yields_its_tweets(name: str, variable: str, is_wrapped: bool) -> None:
    entries = [tweet("hello &amp; good morning"), tweet("bye")]
    data = assigned(variable, entries if is_wrapped else [entry["tweet"] for entry in entries])
    assert rows_of({name: b"\xef\xbb\xbf" + data + b";\n"})[0] == ["hello &amp; good morning", "bye"]


def test_parts_are_read_in_the_order_in_which_they_were_split() -> None:
    parts = {f"data/tweets-part{n}.js": assigned(f"YTD.tweets.part{n}", [tweet(f"part {n}")]) for n in (10, 2, 1)}
    parts["data/tweets.js"] = assigned("YTD.tweets.part0", [tweet("part 0")])
    assert rows_of(parts)[0] == ["part 0", "part 1", "part 2", "part 10"]


def test_retweets_are_dropped() -> None:
    rows = rows_of_tweets(tweet("RT @mia: hello"), tweet("RT @mia: it goes on and…"), tweet("RT is no retweet"))
    assert reasons(rows) == ["retweet", "retweet", "RT is no retweet"]
    assert rows[0] == DroppedRow("retweet", "tweet 1: RT @mia: hello")


def test_tco_links_are_removed_and_counted_without_keep_links() -> None:
    tweets = [tweet(f"see {LINK} now"), tweet(f"a picture {LINK} {LINK}"), tweet(LINK), tweet("http://a.example/b")]
    files = {"data/tweets.js": assigned("YTD.tweets.part0", [*tweets, tweet(f"RT @mia: {LINK}")])}
    rows, notes = rows_of(files)
    assert reasons(rows) == ["see now", "a picture", "only a link", "http://a.example/b", "retweet"]
    assert notes == ["links removed from 2 tweets; --keep-links keeps them"]
    rows, notes = rows_of(files, keep_links=True)
    assert rows[:2] == [f"see {LINK} now", f"a picture {LINK} {LINK}"]
    assert notes == []


def test_a_link_in_parentheses_is_removed_with_them() -> None:
    assert rows_of_tweets(tweet(f"a tool ({LINK}), and f() or (see {LINK})")) == ["a tool, and f() or (see)"]


def test_links_are_found_in_linear_time() -> None:
    tweets = [tweet(piece * 100_000 + "x") for piece in (" ", "\n", "https://t.co/a ", "(https://t.co/")]
    files = {"data/note-tweet.js": assigned("YTD.note_tweet.part0", [note("a note")])}
    rows_of({**files, "data/tweets.js": assigned("YTD.tweets.part0", tweets)})  # minutes, if an expression backtracked


def test_without_a_manifest_own_threads_are_recognised_by_replies_to_archived_tweets() -> None:
    answers = {"70": "7", "1": "5", "50": "5", "71": "7"}
    parts = {
        "data/tweets.js": [
            tweet(f"to {status}", in_reply_to_user_id_str=user, in_reply_to_status_id_str=status, id_str=f"9{status}")
            for status, user in answers.items()
        ],
        "data/tweets-part1.js": [tweet("alone", id_str="1")],
    }
    files = {name: assigned(f"YTD.tweets.part{n}", entries) for n, (name, entries) in enumerate(parts.items())}
    assert reasons(rows_of(files, no_replies=True)[0]) == ["reply", "to 1", "to 50", "reply", "alone"]


def test_replies_to_others_are_kept_or_dropped_by_option_and_own_threads_kept() -> None:
    tweets = [
        tweet("@mia yes", in_reply_to_user_id_str="7", in_reply_to_status_id_str="70"),
        tweet("and so on", in_reply_to_user_id_str="5", in_reply_to_status_id_str="50"),
        tweet("alone", in_reply_to_user_id_str=None),
    ]
    manifest = assigned("__THAR_CONFIG", {"userInfo": {"accountId": "5"}, "dataTypes": {}})
    files = {"data/tweets.js": assigned("YTD.tweets.part0", tweets), "data/manifest.js": manifest}
    assert rows_of(files)[0] == ["@mia yes", "and so on", "alone"]
    assert reasons(rows_of(files, no_replies=True)[0]) == ["reply", "and so on", "alone"]
    assert reasons(rows_of_tweets(*tweets, no_replies=True)) == ["reply", "reply", "alone"]


# Long notes -----------------------------------------------------------------------------------------------------------


def merged(tweets: list[object], notes: list[object], **options: Any) -> list[Row]:
    parts = {"YTD.tweets.part0": tweets, "YTD.note_tweet.part0": notes}
    names = ("data/tweets.js", "data/note-tweet.js")
    files = {name: assigned(variable, value) for name, (variable, value) in zip(names, parts.items(), strict=True)}
    return rows_of(files, **options)[0]


@pytest.mark.parametrize(
    "shortened",
    [
        cut(LONG),
        "@mia @tom_9 " + cut(LONG),
        LONG[:262].replace("&", "&amp;") + f"… {LINK}",
    ],
)
def test_a_long_note_replaces_its_shortened_twin(shortened: str) -> None:
    assert merged([tweet("before"), tweet(shortened), tweet("after")], [note(LONG)]) == ["before", LONG, "after"]


def test_a_note_that_was_not_cut_comes_once() -> None:
    assert merged([tweet("short &amp; bold")], [note("short & bold")]) == ["short & bold"]


def test_of_notes_with_the_same_start_the_one_of_the_same_time_matches() -> None:
    other = LONG + " Second edition."
    notes: list[object] = [note(other, "2023-04-05T10:00:00.000Z"), note(LONG, "2023-04-04T13:45:22.731Z")]
    tweets: list[object] = [tweet(cut(LONG)), tweet(cut(LONG), "Wed Apr 05 10:00:00 +0000 2023")]
    assert merged(tweets, notes) == [LONG, other]


def test_a_tweet_that_ends_in_an_ellipsis_without_a_note_is_kept() -> None:
    rows = merged([tweet(f"The first sentence… {LINK}")], [note(LONG)])
    assert reasons(rows) == ["The first sentence…", "long note without its tweet"]


def test_a_note_of_a_deleted_tweet_or_a_dropped_reply_is_not_read() -> None:
    rows = merged([tweet("here")], [note(LONG)])
    assert reasons(rows) == ["here", "long note without its tweet"]
    assert LONG[:20] not in str(rows)
    reply = tweet("@mia " + cut(LONG), in_reply_to_user_id="7")
    assert reasons(merged([reply], [note(LONG)], no_replies=True)) == ["reply"]


# The text of a tweet --------------------------------------------------------------------------------------------------


def test_the_full_text_of_a_tweet_that_the_api_truncated_is_preferred() -> None:
    whole = "The first sentence of a tweet. " + "Another one follows it. " * 6
    cut_text = {"text": f"{whole[:110]}… {LINK}", "truncated": True}
    rows = rows_of_tweets(
        {**cut_text, "extended_tweet": {"full_text": whole}}, {**cut_text, "full_text": whole}, cut_text
    )
    assert rows == [whole, whole, f"{whole[:110]}…"]


def test_a_retweet_is_recognised_by_the_tweet_that_it_contains_too() -> None:
    assert reasons(rows_of_tweets(tweet("so true", retweeted_status={"text": "hello"}))) == ["retweet"]


# What is private ------------------------------------------------------------------------------------------------------


def test_tweets_to_a_circle_are_dropped_and_their_text_is_not_shown() -> None:
    tweets = [tweet("to all", id_str="1"), tweet("a secret", id_str="2"), tweet("RT @mia: secret", id_str="3")]
    files = {
        "data/tweets.js": assigned("YTD.tweets.part0", [*tweets, tweet(cut(LONG), id_str="4")]),
        "data/twitter-circle-tweet.js": assigned(
            "YTD.twitter_circle_tweet.part0", [tweet("a secret", id_str=number) for number in "234"]
        ),
        "data/note-tweet.js": assigned("YTD.note_tweet.part0", [note(LONG)]),
    }
    rows, notes = rows_of(files)
    assert rows == ["to all", *[DroppedRow("circle tweet", f"tweet {n}: its text is not shown") for n in (2, 3, 4)]]
    assert notes == []


def test_an_archive_with_too_many_circle_tweets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.corpus.readers.archives.x_tweets.MAX_CIRCLE_TWEETS", 2)
    circle = [tweet("a secret", id_str=number) for number in "123"]
    files = {
        "data/tweets.js": assigned("YTD.tweets.part0", [tweet("hello")]),
        "data/twitter-circle-tweet.js": assigned("YTD.twitter_circle_tweet.part0", circle),
    }
    assert "over 2 circle tweets" in error_of(lambda: rows_of(files)).message


# What is never read ---------------------------------------------------------------------------------------------------


def test_other_files_of_the_archive_are_never_opened() -> None:
    def refused() -> BinaryIO:
        raise AssertionError("it was opened")

    others = [
        "deleted-tweets.js",
        "twitter-circle.js",
        "twitter-circle-member.js",
        "protected-history.js",
        "direct-messages.js",
        "direct-messages-group.js",
        "like.js",
        "community-tweet.js",
    ]
    members = [Member(f"data/{name}", refused) for name in [*others, "deleted-tweet-headers.js", "../tweets.js.exe"]]
    members.append(member("data/tweets.js", assigned("YTD.tweets.part0", [tweet("hello")])))
    assert list(x_rows(members, Source("archive.zip", "x"), CorpusConfig())) == ["hello"]


@pytest.mark.parametrize(
    "variable", ["YTD.deleted_tweets.part0", "YTD.direct_messages.part0", "YTD.like.part0", "__THAR_CONFIG"]
)
def test_another_file_under_the_name_of_the_tweets_is_refused(variable: str) -> None:
    with pytest.raises(CorpusError, match="not the tweets of an X archive"):
        rows_of({"data/tweets.js": assigned(variable, [tweet("no")])})


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("data/tweets.js", ""),
        ("twitter-2023-04-04/data/tweet.js", "twitter-2023-04-04/"),
        ("data/tweets-part12.js", ""),
        ("data/note-tweet.js", ""),
        ("data/deleted-tweets.js", None),
        ("data/community-tweet.js", None),
        ("data/twitter-circle-tweet.js", ""),
        ("data/tweets_media/tweets.js", None),
        ("assets/tweets.js", None),
        ("data/._tweets.js", None),
    ],
)
def test_the_files_that_are_read_are_detected_by_their_path(name: str, root: str | None) -> None:
    assert archive_root(name) == root


# Archives without tweets, and damage ----------------------------------------------------------------------------------


def error_of(make: Callable[[], object]) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        make()
    return caught.value


def test_an_archive_without_tweets_is_reported() -> None:
    error = error_of(rows_of_tweets)
    assert error.message == "archive.zip has no tweets: its owner never tweeted, or deleted them all."
    assert error.hint


def test_an_archive_without_its_tweets_is_an_error() -> None:
    manifest = assigned("__THAR_CONFIG", {"userInfo": {"accountId": "5"}})
    files = {"data/manifest.js": manifest, "data/note-tweet.js": assigned("YTD.note_tweet.part0", [note(LONG)])}
    assert error_of(lambda: rows_of(files)).message == "archive.zip has no tweets.js."


@pytest.mark.parametrize(
    ("name", "variable", "words"),
    [
        ("data/note-tweet.js", "YTD.note_tweet.part0", "contains only the long tweets."),
        ("renamed.js", "YTD.note_tweet.part0", "contains only the long tweets."),
        ("data/twitter-circle-tweet.js", "YTD.twitter_circle_tweet.part0", "only circle tweets, which are private."),
        ("data/manifest.js", "__THAR_CONFIG", "is only the manifest, not the tweets of an X archive."),
    ],
)
def test_another_file_of_the_archive_alone_is_an_error_that_asks_for_the_tweets(
    name: str, variable: str, words: str
) -> None:
    error = error_of(lambda: rows_of({name: assigned(variable, [])}))
    assert error.message.startswith(f"archive.zip: {name} ")
    assert error.message.endswith(words)
    assert error.hint.startswith("Give the archive's zip or folder, or its data/tweets.js")


@pytest.mark.parametrize("entry", [5, None, "text", {}, {"tweet": None}, {"tweet": {"full_text": 5}}])
def test_an_entry_that_is_no_tweet_is_dropped(entry: object) -> None:
    assert reasons(rows_of_tweets(entry, tweet("hello"))) == ["not a tweet", "hello"]


def test_a_truncated_file_yields_its_tweets_and_an_error_that_names_it() -> None:
    data = assigned("YTD.tweets.part0", [tweet("one"), tweet("two")])
    for no_replies in (False, True):
        config = CorpusConfig(no_replies=no_replies)
        rows = x_rows([member("data/tweets.js", data[:-60])], Source("archive.zip", "x"), config)
        assert next(rows) == "one"
        with pytest.raises(CorpusError, match=r"archive\.zip: data/tweets\.js is not valid JSON near line"):
            list(rows)
