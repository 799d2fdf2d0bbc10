"""Files of posts are detected by path and content; files of messages are refused, and others are no posts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.meta_files import archive_root, enclosing_root, looks_like, problem_of
from tests.engine.corpus.readers.archives.meta_export import as_exported, facebook, picture


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("your_facebook_activity/posts/your_posts__check_ins__photos_and_videos_1.json", ""),
        ("fb/your_activity_across_facebook/posts/your_posts__check_ins__photos_and_videos_12.json", "fb/"),
        ("posts/your_posts_1.json", ""),
        ("posts/your_posts.json", ""),
        ("a/your_instagram_activity/media/posts_1.json", "a/"),
        ("a/your_instagram_activity/content/reels.json", "a/"),
        ("content/posts_1.json", ""),
        ("your_instagram_activity/threads/threads_and_replies.json", ""),
        ("mine/posts_1.json", "mine/"),
        ("your_facebook_activity/messages/inbox/mia_1/message_1.json", None),
        ("your_facebook_activity/comments_and_reactions/comments.json", None),
        ("your_facebook_activity/groups/group_posts_and_comments.json", None),
        ("your_facebook_activity/posts/your_videos.json", None),
        ("posts/other_people's_posts_to_your_timeline.json", None),
        ("your_instagram_activity/media/archived_posts.json", None),
        ("your_instagram_activity/media/stories.json", None),
        ("your_instagram_activity/threads/liked_threads.json", None),
        ("posts/your_posts_1.html", None),
    ],
)
def test_the_files_that_are_read_are_detected_by_their_path(name: str, root: str | None) -> None:
    assert archive_root(name) == root


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("your_facebook_activity/ads.json", ""),
        ("a/b/your_instagram_activity/x/y.txt", "a/b/"),
        ("a/messages/inbox/mia_1/message_1.json", "a/"),
        ("inbox/mia_1/message_12.json", ""),
        ("messages/inbox/a.txt", None),
        ("posts/your_posts_1.json", None),
        ("not_your_facebook_activity/a.json", None),
    ],
)
def test_an_export_is_detected_by_the_paths_of_its_other_files(name: str, root: str | None) -> None:
    assert enclosing_root(name) == root


MESSAGES = {
    "participants": [{"name": "Mia Hill"}, {"name": "Tom Höll"}],
    "messages": [{"sender_name": "Tom Höll", "timestamp_ms": 1573560000000, "content": "a secret"}],
    "title": "Tom Höll",
    "is_still_participant": True,
    "thread_path": "inbox/tomhoell_1",
}
ENCRYPTED = {
    "participants": ["Mia Hill", "Tom Höll"],
    "threadName": "Tom Höll_1",
    "messages": [{"isUnsent": False, "senderName": "Tom Höll", "text": "a secret", "timestamp": 1573560000000}],
}
COMMENTS = {
    "comments_v2": [{"timestamp": 1573560000, "data": [{"comment": {"comment": "mine", "author": "Mia Hill"}}]}]
}


@pytest.mark.parametrize("options", [{}, {"format": "text"}, {"column": "messages.content"}, {"format": "meta"}])
@pytest.mark.parametrize(
    "content",
    [
        MESSAGES,
        ENCRYPTED,
        {**MESSAGES, "participants": [{"name": f"Mia {number}"} for number in range(10_000)]},
        dict(reversed(MESSAGES.items())),
    ],
)
def test_files_of_messages_are_refused_whatever_the_options(content: object, options: dict[str, Any]) -> None:
    for exported in (as_exported(content), b"\xef\xbb\xbf" + json.dumps(content, separators=(",", ":")).encode()):
        problem = problem_of(exported[:65_536], "a", CorpusConfig(**options))
        assert problem is not None
        assert problem.what == "holds private messages, which are never read"


@pytest.mark.parametrize(
    "content",
    [
        COMMENTS,
        {"group_posts_v2": [facebook("in a group")]},
        {"searches_v2": [{"timestamp": 1573560000, "data": [{"text": "a search"}]}]},
        {"ig_archived_post_media": [{"media": [picture("archived")]}]},
        {"ig_stories": [picture("a story")]},
        {"text_post_app_media_likes": [{"title": "tom", "string_list_data": [{"value": "x"}]}]},
        [{"media_list_data": [{"uri": ""}], "string_map_data": {"Comment": {"value": "a comment"}}}],
        [{"timestamp": 1573560000, "media": [], "label_values": [{"label": "Message", "value": "for a page"}]}],
    ],
)
def test_other_files_are_no_posts_unless_their_texts_are_chosen(content: object) -> None:
    exported = as_exported(content)
    problem = problem_of(exported, "a", CorpusConfig())
    assert problem is not None
    assert "has no posts" in problem.what
    assert problem_of(exported, "a", CorpusConfig(column="comments_v2.data.comment.comment")) is None
    assert not looks_like(exported)


@pytest.mark.parametrize(
    "content",
    [
        b'[{"text": "a nice day", "timestamp": 1573560000}]',
        b'{"timestamp": 1573560000, "data": "a nice day"}\n',
        b'{"data": [{"id": "1", "text": "a nice day"}], "meta": {}}',
        b'[{"title": "a nice day", "selftext": ""}]',
        b'{"messages": [{"from": "Mia", "text": "a nice day"}]}',
        b'{"media": "none", "creation_timestamp": 1}',
        b'[{"timestamp": 1573560000, "text": "a nice day", "attachments": [], "data": []}]',
        b'{"comments_list": [{"text": "a nice day"}]}',
        b'{"saved_tweets": [{"text": "a nice day"}]}',
        b'{"likes_2024": [{"text": "a nice day"}]}',
        b"id,media\n1,x\n",
    ],
)
def test_other_json_is_no_export(content: bytes) -> None:
    assert not looks_like(content)
    assert problem_of(content, "a", CorpusConfig()) is None
