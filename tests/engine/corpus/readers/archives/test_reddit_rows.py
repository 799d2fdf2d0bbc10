"""Submissions and comments of Reddit are read from dumps, listings and exports; private and removed ones are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import read_tweets
from engine.corpus.report import CorpusReport
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of, zstd_of

SUBMISSION = {
    "author": "mia",
    "created_utc": 1714557600,
    "crosspost_parent": None,
    "id": "abc",
    "is_self": True,
    "over_18": False,
    "permalink": "/r/cats/comments/abc/my_cat/",
    "removed_by_category": None,
    "score": 3,
    "selftext": "It sleeps &amp; eats.",
    "subreddit": "cats",
    "subreddit_type": "public",
    "title": "My cat",
}
COMMENT = {
    "author": "tom",
    "body": "A fine cat",
    "created_utc": 1714557700,
    "id": "def",
    "link_id": "t3_abc",
    "parent_id": "t3_abc",
    "subreddit": "cats",
}
MESSAGE = {"author": "tom", "body": "a secret", "dest": "mia", "subject": "hi", "subreddit": None, "id": "m"}
TEXTS = ["My cat↵It sleeps & eats.", "A fine cat"]


def listing(*things: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    children = [{"kind": kind, "data": data} for kind, data in things]
    return {"kind": "Listing", "data": {"after": None, "dist": len(children), "children": children}}


def read(path: Path, content: bytes | str, **options: Any) -> tuple[list[str], CorpusReport]:
    """Write a file and return its texts and the report; assert that it is recognised."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    texts, report = read_tweets(CorpusConfig(files=(str(path),), keep_duplicates=True, **options))
    assert report.formats == ("reddit",)
    return list(texts), report


def lines(*posts: object) -> str:
    return "".join(json.dumps(post, separators=(",", ":")) + "\n" for post in posts)


def dropped(path: Path, *posts: object, **options: Any) -> dict[str, int]:
    """Return the dropped rows of a dump, none of whose secrets is in the report."""
    report = read(path, lines(*posts), **options)[1]
    assert "secret" not in str(report)
    return report.dropped


# Dumps and listings ---------------------------------------------------------------------------------------------------

REPLIES = {**COMMENT, "replies": listing(("t1", {**COMMENT, "body": "Yes", "replies": ""}), ("more", {"count": 3}))}
FORMS = {
    "dump.jsonl": (lines(SUBMISSION, COMMENT), TEXTS),
    "RS_2024-05": (lines(SUBMISSION), TEXTS[:1]),
    "one.json": (json.dumps(COMMENT, indent=2), TEXTS[1:]),
    "array.json": (json.dumps([SUBMISSION, COMMENT], indent=1), TEXTS),
    "listing.json": (json.dumps(listing(("t3", SUBMISSION), ("t1", COMMENT))), TEXTS),
    "pretty.json": (json.dumps(listing(("t3", SUBMISSION), ("t1", COMMENT)), indent=2), TEXTS),
    "pages.jsonl": (lines(listing(("t3", SUBMISSION)), listing(("t1", COMMENT))), TEXTS),
    "comments.json": (json.dumps([listing(("t3", SUBMISSION)), listing(("t1", REPLIES))]), [*TEXTS, "Yes"]),
    "pushshift.json": (json.dumps({"data": [SUBMISSION, COMMENT]}), TEXTS),
    "bdfr.json": (json.dumps({**SUBMISSION, "comments": [{**COMMENT, "replies": [COMMENT]}]}), [*TEXTS, TEXTS[1]]),
    "praw.json": (json.dumps({"posts": [{"title": "My cat", "selftext": "", "comments": []}]}), ["My cat"]),
    "rexport.json": (json.dumps({"comments": [COMMENT], "inbox": [MESSAGE], "saved": [SUBMISSION]}), TEXTS[1:]),
}


@pytest.mark.parametrize("name", FORMS)
def test_posts_are_found_in_every_form(name: str, tmp_path: Path) -> None:
    content, texts = FORMS[name]
    found, report = read(tmp_path / name, content)
    assert found == texts
    assert report.dropped == {}


def test_a_compressed_dump_is_read_and_its_kinds_are_counted(tmp_path: Path) -> None:
    found, report = read(tmp_path / "RC_2024-05.zst", zstd_of(lines(SUBMISSION, COMMENT, COMMENT).encode()))
    assert found == [*TEXTS, "A fine cat"]
    assert report.sources[0].notes == ("1 submission (title and text), 2 comments",)


def test_dumps_in_a_folder_are_one_source_each(tmp_path: Path) -> None:
    dumps = {"cats_comments.zst": COMMENT, "cats_submissions.zst": SUBMISSION, "RC_2012-05": COMMENT}
    for name, post in dumps.items():
        content = lines(post).encode()
        (tmp_path / name).write_bytes(zstd_of(content) if name.endswith(".zst") else content)
    (tmp_path / "README").write_text("what these are\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("a nice day\n", encoding="utf-8")
    report = read_tweets(CorpusConfig(files=(str(tmp_path),), keep_duplicates=True))[1]
    kept = {source.name.rpartition(": ")[2]: (source.format, source.num_kept) for source in report.sources}
    assert kept == {**dict.fromkeys(dumps, ("reddit", 1)), "b.txt": ("text", 1)}


def test_a_first_line_longer_than_a_block_does_not_hide_the_others(tmp_path: Path) -> None:
    long = {**SUBMISSION, "selftext_html": "x" * 300_000}
    assert read(tmp_path / "a.jsonl", lines(long, COMMENT))[0] == TEXTS


def test_arrays_of_messages_and_saved_posts_are_named_in_a_note(tmp_path: Path) -> None:
    report = read(tmp_path / "rexport.json", FORMS["rexport.json"][0])[1]
    assert report.sources[0].notes == ("not read: inbox, saved", "1 comment")


def test_a_submission_without_text_is_its_title(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", lines({**SUBMISSION, "selftext": ""}))[0] == ["My cat"]


def test_a_column_selects_one_key(tmp_path: Path) -> None:
    found, report = read(tmp_path / "a.jsonl", lines(SUBMISSION, COMMENT), column="title")
    assert (found, report.dropped) == (["My cat"], {"no title": 1})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"body": "[deleted]", "author": "[deleted]"}, "deleted by its author"),
        ({"body": "[removed]"}, "removed by a moderator or Reddit"),
        ({"body": "[ Removed by Reddit ]"}, "removed by a moderator or Reddit"),
        ({"title": "secret", "selftext": "[deleted]"}, "deleted by its author"),
        ({"title": "[deleted by user]", "selftext": ""}, "deleted by its author"),
        (
            {"title": "secret", "selftext": "secret", "removed_by_category": "moderator"},
            "removed by a moderator or Reddit",
        ),
        ({"body": "secret", "_meta": {"was_deleted_later": True}}, "deleted by its author"),
        ({"body": "secret", "_meta": {"removal_type": "removed"}}, "removed by a moderator or Reddit"),
        ({"body": "secret", "subreddit_type": "private"}, "in a private subreddit"),
        ({"body": "secret", "dest": "mia"}, "direct message"),
        ({"body": "I am a bot", "author": "AutoModerator"}, "by a moderation bot"),
        ({"body": "Rule 3", "author": "cats-ModTeam"}, "by a moderation bot"),
        ({"title": "My cat", "selftext": "", "crosspost_parent": "t3_xyz"}, "crosspost"),
        ({"body": None}, "not a post"),
    ],
)
def test_what_is_private_taken_down_or_not_ones_own_is_a_drop(
    fields: dict[str, object], reason: str, tmp_path: Path
) -> None:
    assert dropped(tmp_path / "a.jsonl", COMMENT, {**COMMENT, **fields}) == {reason: 1}


def test_words_in_brackets_are_no_placeholder(tmp_path: Path) -> None:
    text = "[removed] is what it said [sic]"
    assert read(tmp_path / "a.jsonl", lines({**COMMENT, "body": text}))[0] == [text]


def test_messages_other_things_and_torn_lines_are_drops(tmp_path: Path) -> None:
    things = listing(("t4", MESSAGE), ("t5", {"display_name": "cats"}))
    content = lines(COMMENT, things) + '{"body": torn\n5\n'
    report = read(tmp_path / "a.jsonl", content)[1]
    assert report.dropped == {"not a post": 2, "direct message": 1, "not JSON": 1}
    assert "secret" not in str(report)


def test_comments_and_sensitive_submissions_are_dropped_by_option_only(tmp_path: Path) -> None:
    posts = [SUBMISSION, COMMENT, {**SUBMISSION, "over_18": True}]
    assert dropped(tmp_path / "a.jsonl", *posts) == {}
    options = {"no_replies": True, "no_sensitive": True}
    assert dropped(tmp_path / "a.jsonl", *posts, **options) == {"reply": 1, "marked as sensitive": 1}


# The export of an account ---------------------------------------------------------------------------------------------

POSTS_CSV = """id,permalink,date,ip,subreddit,gildings,title,url,body
abc,https://www.reddit.com/r/cats/comments/abc/,2024-05-01 10:00:00 UTC,,cats,0,My cat,,"It sleeps,
and says &amp;."
xyz,https://www.reddit.com/r/cats/comments/xyz/,2024-05-02 10:00:00 UTC,,cats,0,A picture,https://i.redd.it/1.png,
"""
COMMENTS_CSV = """id,permalink,date,ip,subreddit,gildings,link,parent,body,media
def,https://www.reddit.com/r/cats/comments/abc/a/def/,2024-05-01 11:00:00 UTC,,cats,0,https://a.example,,A fine cat,
torn,https://www.reddit.com/
"""
EXPORT_TEXTS = ["My cat↵It sleeps,↵and says &amp;.", "A picture", "A fine cat"]
PRIVATE = {
    "messages.csv": "id,permalink,thread_id,date,ip,from,to,subject,body\nm,,t,2024-05-01,,tom,mia,hi,a secret\n",
    "chat_history.csv": "message_id,created_at,updated_at,username,message,thread_parent_message_id,channel_url\n"
    "1,,,tom,a secret,,\n",
    "drafts.csv": "id,title,body,kind,created,spoiler\nd,a secret,a secret,markdown,2024-05-01,False\n",
    "scheduled_posts.csv": "scheduled_post_id,subreddit,title,body\n1,cats,a secret,a secret\n",
}
EXPORT = {
    "comments.csv": COMMENTS_CSV,
    "comment_headers.csv": "id,permalink,date,ip,subreddit,gildings,link,parent\ndef,https://a.example,,,cats,0,,\n",
    "comment_votes.csv": "id,permalink,direction\ndef,https://a.example,up\n",
    "posts.csv": POSTS_CSV,
    "statistics.csv": "statistic,value\naccount name,mia\n",
    **PRIVATE,
}


@pytest.mark.parametrize("folder", ["", "export_mia_20240501/"])
def test_an_export_is_one_source_of_posts_and_comments(folder: str, tmp_path: Path) -> None:
    export = zip_of({folder + name: content.encode() for name, content in EXPORT.items()})
    found, report = read(tmp_path / "export.zip", export)
    assert sorted(found) == sorted(EXPORT_TEXTS)
    assert report.dropped == {"with 2 columns instead of 10": 1}
    (source,) = report.sources
    assert "2 other files not opened (messages, chats, drafts and votes never are)" in source.notes
    assert "secret" not in str(report)


def test_one_file_of_an_export_can_be_chosen(tmp_path: Path) -> None:
    export = zip_of({name: content.encode() for name, content in EXPORT.items()})
    assert read(tmp_path / "export.zip", export, member="comments.csv")[0] == ["A fine cat"]
    assert read(tmp_path / "posts.csv", POSTS_CSV)[0] == EXPORT_TEXTS[:2]


@pytest.mark.parametrize("name", PRIVATE)
def test_private_files_of_an_export_are_refused_also_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(CorpusError, match=r"of a Reddit account, which are never read") as caught:
        read(path, PRIVATE[name])
    assert "comments.csv" in caught.value.hint


@pytest.mark.parametrize("columns", ["link,parent", "title,url"])
def test_a_file_of_an_export_without_texts_is_an_error(columns: str, tmp_path: Path) -> None:
    content = f"id,permalink,date,ip,subreddit,gildings,{columns}\n" + "a1,https://a.example,2024,,cats,0,b,c\n" * 30
    with pytest.raises(CorpusError, match="has no posts of Reddit"):
        read(tmp_path / "headers.csv", content)


def test_a_table_of_posts_from_other_tools_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,selftext,body\n" + "My cat,It sleeps all day and eats,\n" * 3, encoding="utf-8")
    assert read_tweets(CorpusConfig(files=(str(path),)))[1].formats == ("csv",)
