r"""Exports with other people's words, and private parts of archives, by their first bytes and their paths.

The readers of JSON, CSV and text would learn from them: exports are refused, unless the user sets a --format. What is
private by its content or by its place is refused whatever the options: `_PRIVATE`.

To refuse another export, add a row to `_PRIVATE` or `_EXPORTS`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable
from pathlib import Path

from engine.corpus.files.archives import without_compression
from engine.corpus.files.refused import Refusal, starts_with

_OWN_TEXTS = "Save your own texts as CSV, or as text with one per line"
_ONLY_OWN = f"{_OWN_TEXTS}."
_OR_WHOLE = f"{_OWN_TEXTS}, or give the whole archive: only your posts in it are read."
_OR_ALL = f"{_OWN_TEXTS}; --format text, csv or json reads everyone's."
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_DELETED = rb'"deleted_at"\s*:\s*"'
_X_DATE = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}"
_JSON = rb"(?:(?:export )?(?:(?:const|let|var) )?[\w.$]+\s*=\s*)?[\[{]"
_HTML = rb"(?i:<(?:!doctype )?html\b)"


def _object(max_depth: int) -> bytes:
    """Return the pattern of a JSON object with others in it."""
    return rb'\{(?:[^{}"]|%b|%b)*+\}' % (_STRING, _object(max_depth - 1) if max_depth > 1 else rb"(?!)")


def _header(names: bytes) -> bytes:
    """Return the pattern of a table's first columns, whatever the delimiter, with or without quotes."""
    return rb'(?:"?sep=[^\n]*\n)?"?' + rb'"?[,;\t]"?'.join(names.split(b",")) + rb'"?[,;\t\r\n]'


def _columns(*names: str) -> bytes:
    """Return the pattern of a table's first line that has all these columns."""
    return (
        rb'(?:"?sep=[^\n]*\n)?'
        + "".join(rf'(?=(?:[^\n]*[,;\t|])?[ "]*+{name}[ "]*+(?:[,;\t|\r\n]|\Z))' for name in names).encode()
    )


_ACTIVITY = "your_facebook_activity|your_activity_across_facebook|your_instagram_activity"
_CONVERSATIONS = "inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover"
_META_KEYS = (
    rb"status_updates|(?:group_)?comments_v2|group_posts_v2|searches_v2"
    rb"|notifications_v2|notes_v2|wall_posts_sent_to_you|comments_(?:media|reels|story)_\w+|likes_(?:media|comment)_likes"
    rb"|saved_saved_\w+|(?:searches|relationships|story_activities|ig|text_post_app)_\w+"
)
_META_POST = rb'(?:\[\s*)?\{\s*"(?:timestamp|attachments|data|title|tags|media|creation_timestamp)"\s*:'
_MESSAGES = Refusal(
    what="has private messages, which are never read",
    hint=_ONLY_OWN,
    looks_like=starts_with(
        (
            rb'(?:\[\s*)?\{\s*"participants"\s*:\s*\[(?:[^\[\]"]|%b)*+'
            rb'(?:"|\Z|\]\s*,\s*"(?:messages"\s*:|conversation"\s*:\s*\[\s*\{\s*"sender"\s*:))' % _STRING,
        ),
        (_JSON, rb'"sender_?[nN]ame"\s*:', rb'"(?:messages|participants|timestamp_ms|isUnsent)"\s*:'),
        (rb'.*?"sender_name"\s*:\s*%b\s*,\s*"timestamp_ms"\s*:\s*\d{13}\b' % _STRING,),  # a piece of such a file
        (rb'.*?"senderName"\s*:\s*"', rb'"isUnsent"\s*:\s*(?:true|false)'),
        (_HTML, rb'<base href="(?:\.\./){3,}'),  # other pages are less deep
        (rb"window\.YTD\.direct_message\w*\.part\d",),
        (_JSON, rb'"(?:dmConversation|dm_conversation_id|message_?[cC]reate)"\s*:'),  # of X's archive and API
        (rb'(?m).*?(?:^|[\[{,])[ \t]*+"(?:dmConversation|messageCreate)"\s*:\s*\{',),  # a piece of such a file
        (_JSON, rb'"event_type"\s*:\s*"MessageCreate"'),
        (_columns("dm_conversation_id"),),
        (_columns("sender_name", "timestamp_ms"),),
        (_columns("sender_?[iI]d", "recipient_?[iI]d"),),
        (_JSON, rb'"sender_?[iI]d"\s*:', rb'"recipient_?[iI]d"\s*:'),
        (_JSON, rb'"sender_screen_name"\s*:', rb'"recipient_screen_name"\s*:'),
        (_JSON, rb'"last_status"\s*:', rb'"accounts"\s*:\s*\[', rb'"unread"\s*:'),  # conversations of Mastodon's API
        (_JSON, rb'"\$type"\s*:\s*"chat\.bsky\.'),
    ),
    files=re.compile(r"((?:.*/)?)message_\d+\.(?:json|html)"),
    paths=re.compile(rf"((?:.*/)?(?:(?:{_ACTIVITY})/messages|messages/(?:{_CONVERSATIONS}))/)"),
    pairs=re.compile(
        r"((?:.*/)?)(?:(message_1\.(?:html|json)$)|(message_\d+\.html$|(?:photos|videos|audio|gifs|files)/))"
    ),
)
_PRIVATE_PART = Refusal(
    what="is a private part of an archive, which is never read",
    hint=_OR_WHOLE,
    looks_like=starts_with(
        (rb"window\.YTD\.(?:deleted|grok)_\w+\.part\d",),
        (_JSON, rb'"tweet"\s*:\s*\{(?:[^{}"]|(?!%b)%b|%b)*+%b' % (_DELETED, _STRING, _object(4), _DELETED)),
        (rb'.*?%b%b"' % (_DELETED, _X_DATE), rb'"full_text"\s*:'),  # X's tweets alone, or a piece of such a file
        (rb'\{\s*"(?:trash|archive|archived_stories)_v2"\s*:\s*[\[{]',),
    ),
)
_OTHER_PART = Refusal(
    what="is no file of tweets in an X archive",
    hint=_OR_WHOLE,
    looks_like=starts_with((rb"window\.YTD\.(?!(?:tweets?|note_tweets?|twitter_circle_tweets?)\.)\w+\.part\d",)),
)
_META = Refusal(
    what="is an export of Facebook, Instagram or Threads",
    hint=_OR_ALL,
    looks_like=starts_with(
        (rb'\{\s*"(?:%b)"\s*:\s*[\[{]' % _META_KEYS,),
        (rb"\[", rb'"string_(?:map|list)_data"\s*:\s*[\[{]|"label_values"\s*:\s*\[\s*\{\s*"label"'),
        (
            _META_POST,
            rb'"timestamp"\s*:\s*\d{9,10}\b',
            rb'"data"\s*:\s*\[\s*\{\s*"(?:post|\w+_timestamp)"\s*:|"attachments"\s*:\s*\[\s*\{\s*"data"\s*:\s*\[',
        ),
        (_META_POST, rb'"creation_timestamp"', rb'"media"\s*:\s*\[\s*\{\s*"(?:uri|creation_timestamp|title)"\s*:'),
        (_HTML, rb'<base href="(?:\.\./)+"|class="pam _3-9'),
    ),
    files=re.compile(
        rf"((?:[^/]+/)*?)(?:(?:{_ACTIVITY})/)?(?:(?:posts|content|media|threads)/)?"
        r"(?:your_posts\w*|posts|reels|igtv_videos|threads_and_replies)(?:_\d+)?\.json"
    ),
    paths=re.compile(
        rf"((?:.*?/)??)(?:(?:{_ACTIVITY})/|(?:messages/)?(?:{_CONVERSATIONS})/[^/]+/message_\d+\.(?:json|html)$"
        r"|(?:posts/)?(?:your_posts\w*|threads_and_replies)\.html$)"
    ),
    pairs=re.compile(
        r"((?:[^/]+/)*?)(?:(?:content|media|posts)/)?(?:(posts_1\.html$)|(posts_\d+\.html$|start_here\.html$"
        r"|(?:account_information|followers_and_following|login_and_account_creation|personal_information)/))"
    ),
)

_TELEGRAM_TYPES = rb"saved_messages|verify_codes|personal_chat|bot_chat|(?:private|public)_(?:group|supergroup|channel)"
_TELEGRAM = Refusal(
    what="is a chat exported from Telegram",
    hint=_OR_ALL,
    looks_like=starts_with(
        (_JSON, rb'"type"\s*:\s*"(?:%b)"' % _TELEGRAM_TYPES, rb'"messages"\s*:\s*\['),
        (_JSON, rb'"type"\s*:\s*"(?:message|service)"', rb'"(?:date_unixtime|from_id|actor_id)"\s*:', rb'"date"\s*:'),
        (
            rb'\{\s*"about"\s*:\s*%b\s*,\s*"(?:personal_information"\s*:\s*\{\s*"user_id"'
            rb'|(?:profile_pictures|stories)"\s*:\s*\['
            rb'|(?:contacts|frequent_contacts|sessions|web_sessions|chats|left_chats)"\s*:\s*\{\s*"about")' % _STRING,
        ),
        (_HTML, rb"(?i:<title>Exported Data</title>)"),
    ),
    files=re.compile(r"((?:.*/)?)result\.json"),
    paths=re.compile(r"((?:.*/)?(?:Chat|Data)Export_[^/]*/)"),
    pairs=re.compile(
        r"((?:.*/)?)(?:(messages\.html$)|(messages\d+\.html$|css/style\.css$|js/script\.js$"
        r"|(?:round_video_messages|stickers|video_files|voice_messages)/))"
    ),
)

_DISCORD = Refusal(
    what="is an export of Discord",
    hint=_OR_ALL,
    looks_like=starts_with(
        (_JSON, rb'"ID"\s*:\s*"?\d{5,20}\b', rb'"Timestamp"\s*:\s*"', rb'"Contents"\s*:'),
        (_header(b"ID,Timestamp,Contents,Attachments"),),
        (rb'\{\s*"guild"\s*:\s*\{(?:[^{}"]|%b)*+\}\s*,\s*"channel"\s*:\s*\{' % _STRING,),
        (_JSON, rb'"type"\s*:\s*"(?:Default|Reply)"', rb'"author"\s*:\s*\{', rb'"(?:timestampEdited|isBot)"\s*:'),
        (_header(b"AuthorID,Author,Date,Content,Attachments"),),
        (rb"={62}\r?\nGuild: [^\n]*\nChannel: ",),
        (_HTML, rb"\bchatlog__"),
    ),
    files=re.compile(r"((?:.*/)?)messages\.(?:json|csv)"),
    paths=re.compile(
        r"((?:[^/]+/)*?)(?:[^/]+/)?c?\d{15,20}/(?:messages\.(?:json|csv)|channel\.json)$"
        r"|((?:.*/)?[^/]+\.(?:json|csv|html|txt)_Files/)"
    ),
)

_REDDIT_MESSAGES = Refusal(
    what="has private messages of Reddit, which are never read",
    hint=_ONLY_OWN,
    looks_like=starts_with(
        (_header(b"id,permalink,thread_id,date"),),
        (_header(b"message_id,created_at,updated_at,username,message"),),
    ),
    files=re.compile(r"((?:.*/)?)(?:messages|chat_history)(?:_\w+)?\.csv"),
)
_REDDIT = Refusal(
    what="is an export or a dump of Reddit",
    hint=_OR_ALL,
    looks_like=starts_with(
        (_JSON, rb'"body"\s*:', rb'"subreddit"\s*:'),
        (_JSON, rb'"selftext"\s*:'),
        (_JSON, rb'"kind"\s*:\s*"(?:Listing|t[1-6])"\s*,\s*"data"\s*:\s*\{'),
        (_header(b"id,permalink,date") + rb"[^\n]*\bsubreddit\b",),
        (_header(b"id,permalink,direction"),),
        (_header(b"id,title,body,kind,created"),),
        (_header(b"scheduled_post_id,subreddit"),),
    ),
    files=re.compile(r"((?:.*/)?)(?:posts|comments|drafts|scheduled_posts)(?:_\w+)?\.csv"),
    pairs=re.compile(
        r"((?:.*/)?)(?:(messages?(?:_archive)?_headers)|(comment_(?:headers|votes))|(post_(?:headers|votes))"
        r"|((?:subscribed|moderated)_subreddits))(?:_\d+)?\.csv$"
    ),
)
_MISSKEY = Refusal(
    what="is an export of Misskey",
    hint=_OR_ALL,
    looks_like=starts_with(
        (rb"\[", *(rb'"%b"\s*:' % key for key in (b"text", b"fileIds", b"renoteId", b"visibility")))
    ),
)
_OTHER_TEXT = Refusal(
    what="is a chat exported from LINE or KakaoTalk",
    hint=_OR_ALL,
    looks_like=starts_with(
        (rb"\[LINE\] [^\n]*\n[^\n]{0,40}\d{4}[/.]\d",),
        ("[^\n]*(?:카카오톡 대화|KakaoTalk Chats?)[^\n]*\n(?:저장한 날짜|Date Saved) ?: ".encode(),),
    ),
)
_OTHER_JSON = Refusal(
    what="is a chat exported from Slack or Google Chat",
    hint=_OR_ALL,
    looks_like=starts_with(
        (_JSON, rb'"ts"\s*:\s*"\d{10}\.\d{6}"', rb'"user"\s*:\s*"[UW][A-Z0-9]{7,11}"'),
        (_JSON, rb'"creator"\s*:\s*\{\s*"name"\s*:', rb'"user_type"\s*:'),
    ),
)

_MARKS = "[\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]*+"
_TO = rf"{_MARKS}(?:[./-]|년|月|年|월){_MARKS} ?{_MARKS}"
_DATE = rf"\d{{1,4}}{_TO}\d{{1,2}}{_TO}\d{{1,4}}"
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"
_WORDS = r"[^\d\[\]:]{0,16}?"
"""Text between date and time, or after the time: ", ", " klo ", "\u202fPM", " p. m."."""
_WHEN = rf"(?:{_DATE}{_WORDS}{_TIME}|{_TIME}{_WORDS}{_DATE}){_WORDS}"
_WHATSAPP_LINES = tuple(
    re.compile(_MARKS + line)
    for line in (
        rf"\[{_MARKS}{_WHEN}\] ?(.*)",  # iOS: [31/12/19, 21:41:00] Mia: text
        rf"\[\d{{1,2}}{_TO}\d{{1,2}}, {_TIME}{_WORDS}\] ?(.*)",  # copied from the app: [31/12, 21:41] Mia: text
        rf"{_WHEN} [-–] (.*)",  # Android: 31/12/19, 21:41 - Mia: text
        rf"{_DATE}{_WORDS}{_TIME}(?: ?[AaPp][Mm])?: (.*)",  # iOS before 2017: 31.12.15 21:41:00: Mia: text
    )
)
"""The first line of a message, in the ways of all phones and languages."""
_NUM_LINES_BEFORE = 5
"""First lines of which one begins a message: there may be a note above the chat."""
_MIN_LINES_SHARE, _MANY_NAMES = 0.1, 20
_HEADER_LINE = re.compile(r'"?(?:\w+_)?(?:text|tweet|content|body|message|post|status|note)s?"?', re.IGNORECASE)
"""The first line of a table with one column, which is no chat."""


def _is_whatsapp(head: bytes) -> bool:
    """Return whether one of the first lines begins a message, most messages have an author, and authors recur.

    In a list of dated texts, what precedes a colon never recurs. In a short chat, everyone may have written once.
    """
    lines = [line for line in re.split("\r\n?|\n", head.decode(errors="replace")) if line.strip()]
    style = next((each for line in lines[:_NUM_LINES_BEFORE] for each in _WHATSAPP_LINES if each.fullmatch(line)), None)
    begun = [found[1] for line in lines if (found := style.fullmatch(line))] if style else []
    names = [name for name, colon, _ in (f"{rest} ".partition(": ") for rest in begun) if colon]
    if not names or 2 * len(names) < len(begun) or _HEADER_LINE.fullmatch(lines[0]):
        return False
    do_recur = len(names) < _MANY_NAMES or 2 * len(set(names)) < len(names)
    return do_recur and len(begun) >= _MIN_LINES_SHARE * len(lines)


_WHATSAPP = Refusal(
    what="is a chat exported from WhatsApp",
    hint=_OR_ALL,
    looks_like=_is_whatsapp,
    files=re.compile(r"((?:.*/)?)(?:_chat[ \d()-]*|[^/]*whatsapp[^/]*)\.txt", re.IGNORECASE),
)
_ACTOR = Refusal(
    what="is the profile of a Mastodon account, not its posts",
    hint="Give outbox.json, or the archive with it.",
    looks_like=starts_with((rb'\{(?!.*"orderedItems"\s*:)', rb'"preferredUsername"\s*:', rb'"outbox"\s*:')),
)
_PRIVATE = (_MESSAGES, _PRIVATE_PART, _OTHER_PART, _REDDIT_MESSAGES)
"""Refused whatever the options."""
_EXPORTS = (*_PRIVATE, _META, _TELEGRAM, _DISCORD, _REDDIT, _MISSKEY, _OTHER_TEXT, _OTHER_JSON, _WHATSAPP, _ACTOR)


_META_MESSAGES = re.compile(rf".*/(?:{_ACTIVITY})/messages/")
_CONVERSATION = re.compile(rf"(.*/messages/(?:{_CONVERSATIONS})/[^/]+/)")


def refusal_by_place(path: Path, name: str) -> Refusal | None:
    """Return `_MESSAGES` if a file on the disk is private by the folders above it; `name` is its path in `path`.

    Others have folders called messages/inbox, too: Meta's own folder must be above, or a page of the conversation
    beside the file.
    """
    whole = f"{os.path.realpath(path)}/{name}"
    found = _CONVERSATION.match(whole)
    beside = (each.name for each in Path(found[1]).glob("message_*")) if found else ()
    return _MESSAGES if _META_MESSAGES.match(whole) or any(map(_MESSAGES.files.fullmatch, beside)) else None


def refusal_of_export(head: bytes, name: str, *, is_forced: bool) -> Refusal | None:
    """Return which kind of export a text file is, by its first bytes in UTF-8; `is_forced`: only a private one.

    `name` is the file's path inside the folder or archive.
    """
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    name = without_compression(name)
    if _MESSAGES.paths.match(name) or (name.endswith(".html") and _MESSAGES.files.fullmatch(name)):
        return _MESSAGES
    return next((each for each in (_PRIVATE if is_forced else _EXPORTS) if each.looks_like(start)), None)


def closed_folder(refusal: Refusal, name: str, *, is_forced: bool) -> str | None:
    """Return the folder of the export of which the file at a path is, by its first bytes; None if unknown.

    `is_forced`: only that of a conversation.
    """
    found = refusal.files.fullmatch(without_compression(name))
    return found[1] if found and (refusal is _MESSAGES or not is_forced) else None


def may_be_messages(name: str) -> bool:
    """Return whether private messages often have such a path; only its content says whether a file has some."""
    return _MESSAGES.files.fullmatch(without_compression(name)) is not None


def exports_at(names: Iterable[str], *, is_forced: bool) -> dict[str, Refusal]:
    """Return the folders of the exports that contain some files, as far as paths identify them.

    A folder is "" or ends with a slash. `is_forced`: only those of conversations.
    """
    folders: dict[str, Refusal] = {}
    found_groups: dict[tuple[str, Refusal], set[int | None]] = {}
    for name in map(without_compression, names):
        for each in (_MESSAGES,) if is_forced else _EXPORTS:
            if found := each.paths.match(name):
                folders.setdefault(next(group for group in found.groups() if group is not None), each)
            elif found := each.pairs.match(name):
                found_groups.setdefault((found[1], each), set()).add(found.lastindex)
    return {folder: each for (folder, each), groups in found_groups.items() if len(groups) > 1} | folders
