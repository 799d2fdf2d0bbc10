"""Which files of the JSON exports of Facebook, Instagram and Threads have the owner's posts, by path and by content.

    your_facebook_activity/posts/your_posts__check_ins__photos_and_videos_1.json
        (before 2024 your_activity_across_facebook/posts/..., before 2022 posts/your_posts_1.json)
    your_instagram_activity/media/posts_1.json, reels_1.json, igtv_videos.json
        (before 2025 your_instagram_activity/content/..., before 2022 content/...)
    your_instagram_activity/threads/threads_and_replies.json

The other files have messages, comments, group posts, searches, archived and deleted posts: private, or other people's
words. They are never read as posts; files of messages are refused whatever the options.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from engine.config.corpus import CorpusConfig
from engine.corpus.files.sniffing import Problem

POSTS_KEY = re.compile(r'\{\s*"(status_updates|ig_reels_media|ig_igtv_media|text_post_app_text_posts)"\s*:\s*\[')
"""Start of an object whose array under this key has the posts."""

_POSTS_FILE = re.compile(
    r"(?:your_posts(?:__check_ins__photos_and_videos)?|posts|reels|igtv_videos|threads_and_replies)(?:_(\d{1,6}))?\.json"
)
_HTML_FILE = re.compile(r"(?:your_posts\w*|posts_\d+|threads_and_replies|message_\d+)\.html$")
_POSTS_FOLDERS = {"posts", "content", "media", "threads"}
_ACTIVITY_FOLDERS = ("your_facebook_activity", "your_activity_across_facebook", "your_instagram_activity")
_ACTIVITY = "|".join(_ACTIVITY_FOLDERS)
_MESSAGES_FOLDERS = "inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover"
_MARK = re.compile(
    rf"(.*?/)??(?:(?:{_ACTIVITY})/"
    rf"|(?:messages/)?(?:{_MESSAGES_FOLDERS})/[^/]+/message_\d+\.(?:json|html)$)"
)
"""A path that only an export has, and the folder of the export in it."""
_MESSAGES_PATH = re.compile(rf"(?:.*/)?(?:(?:{_ACTIVITY})/messages|messages/(?:{_MESSAGES_FOLDERS}))/")
"""Start of the path of everything that was sent with messages."""

_MESSAGES = re.compile(r'\{\s*"participants"\s*:\s*\[\s*(?:"|\{\s*"name"\s*:)')
_MESSAGES_KEY = re.compile(r'"messages"\s*:\s*\[')
_SENDER_KEY = re.compile(r'"sender_?[nN]ame"\s*:')
_OTHER_KEY = re.compile(
    r'\{\s*"(?:(?:group_)?comments_v2|group_posts_v2|searches_v2|archive_v2|trash_v2|archived_stories_v2|'
    r"notifications_v2|notes_v2|wall_posts_sent_to_you|"
    r"comments_(?:media|reels|story)_\w+|likes_(?:media|comment)_likes|saved_saved_\w+|"
    r'(?:searches|relationships|story_activities|ig|text_post_app)_\w+)"\s*:\s*[\[{]'
)
_OTHER_ITEM = re.compile(r'"(?:string_map_data|string_list_data)"\s*:\s*[\[{]|"label_values"\s*:\s*\[\s*\{\s*"label"')

_FIRST_KEY_OF_POST = re.compile(
    r'(?:\[\s*)?\{\s*"(?:timestamp|attachments|data|title|tags|media|creation_timestamp)"\s*:'
)
_FACEBOOK_TIME = re.compile(r'"timestamp"\s*:\s*\d{9,10}\b')
_FACEBOOK_POST = re.compile(
    r'"data"\s*:\s*\[\s*\{\s*"(?:post|\w+_timestamp)"\s*:|"attachments"\s*:\s*\[\s*\{\s*"data"\s*:\s*\['
)
_INSTAGRAM_POST = re.compile(r'"media"\s*:\s*\[\s*\{\s*"(?:uri|creation_timestamp|title)"\s*:')

_GIVE_POSTS = (
    "Give the export's zip or folder, or its file of posts: your_posts_1.json, posts_1.json, threads_and_replies.json."
)
PRIVATE_MESSAGES = Problem("holds private messages, which are never read", _GIVE_POSTS)
"""The problem of a file of messages; what is in its folder was sent with them."""
_NO_POSTS = Problem(
    "is a file of a Facebook or Instagram export that has no posts",
    f"{_GIVE_POSTS} --column reads the texts of this file, if they are yours.",
)
_WITHOUT_POSTS = Problem(
    "is an export of Facebook or Instagram without a file of posts",
    "Request the export once more, with your posts and in the format JSON; or give its other part, if it has several.",
)
_HTML_EXPORT = Problem(
    "is of a Facebook or Instagram export as HTML, which is for reading in a browser",
    "Request the export once more in the format JSON, and give that.",
)


def archive_root(name: str) -> str | None:
    """Return the folder of the export whose posts are in the file at this path; None for any other file."""
    *folders, file_name = name.split("/")
    if _POSTS_FILE.fullmatch(file_name) is None:
        return None
    if folders and folders[-1] in _POSTS_FOLDERS:
        folders.pop()
    if folders and folders[-1] in _ACTIVITY_FOLDERS:
        folders.pop()
    return "".join(f"{folder}/" for folder in folders)


def enclosing_root(name: str) -> str | None:
    """Return the folder of the export that contains a file of any kind; None if its path does not identify one."""
    mark = _MARK.match(name)
    return (mark[1] or "") if mark else None


def part_number(name: str) -> int:
    """Return the number at the end of a posts file's name, or 0."""
    part = _POSTS_FILE.fullmatch(name.rpartition("/")[2])
    return int(part[1] or 0) if part else 0


def is_html_export(name: str) -> bool:
    """Return whether the file at this path is a page of an export as HTML."""
    return _HTML_FILE.match(name.rpartition("/")[2]) is not None


def problem_of_export(names: Iterable[str]) -> Problem | None:
    """Return the problem of an export without a file of posts, by the paths of its files; None if it is no export."""
    problem = None
    for name in names:
        if is_html_export(name):
            return _HTML_EXPORT
        problem = _WITHOUT_POSTS if enclosing_root(name) is not None else problem
    return problem


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a list of posts, or as a single post: an export with one has no array."""
    start = _start_of(head)
    if POSTS_KEY.match(start):
        return True
    if not _FIRST_KEY_OF_POST.match(start):
        return False
    is_facebook = _FACEBOOK_TIME.search(start) is not None and _FACEBOOK_POST.search(start) is not None
    return is_facebook or ('"creation_timestamp"' in start and _INSTAGRAM_POST.search(start) is not None)


def problem_of(head: bytes, name: str, config: CorpusConfig) -> Problem | None:
    """Return the problem of another file of an export with these first bytes: it has messages, or no posts.

    Messages are always a problem, other files only if their texts were not chosen with --format or --column.
    """
    start = _start_of(head)
    if _MESSAGES_PATH.match(name) or _holds_messages(start):
        return PRIVATE_MESSAGES
    if config.format != "auto" or config.column is not None:
        return None
    if start.startswith("<") and is_html_export(name):
        return _HTML_EXPORT
    is_other = _OTHER_KEY.match(start) or (start.startswith("[") and _OTHER_ITEM.search(start))
    return _NO_POSTS if is_other and not POSTS_KEY.match(start) else None


def _holds_messages(start: str) -> bool:
    """Return whether a file starts as a conversation."""
    if not start.startswith("{"):
        return False
    return bool(_MESSAGES.match(start) or (_SENDER_KEY.search(start) and _MESSAGES_KEY.search(start)))


def _start_of(head: bytes) -> str:
    """Return the first bytes of a file without byte order mark and blanks; letters that are not ASCII don't matter."""
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1").lstrip()
