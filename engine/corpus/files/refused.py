r"""Files that are not read as tweets, by their first bytes and their paths: what each is, and what to do instead.

Pictures, documents and programs have no tweets that could be read. From exports with other people's words, the readers
of JSON, CSV and text would learn: these are refused unless the user sets a --format, and what is private by its content
or by its place, always. To refuse another kind of file, add a row to `_NOT_TEXTS`, `_PRIVATE` or `_EXPORTS`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from engine.config.corpus import DELIMITERS
from engine.corpus.files.archives import without_compression
from engine.errors import CorpusError

_NO_PATH = re.compile("(?!)")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A kind of file that is not read."""

    what: str
    """What it is, a phrase that follows the file's name: "is empty"."""
    hint: str
    looks_like: Callable[[bytes], bool] = lambda _: False
    """Whether a file is one, by its first bytes; of an export, without byte order mark and blanks before them."""
    files: re.Pattern[str] = _NO_PATH
    """Usual paths of the files of an export; group 1 is its folder, in which nothing else is read either."""
    paths: re.Pattern[str] = _NO_PATH
    """Starts of paths that only such an export has, whatever the file's content; group 1 is its folder."""
    pairs: re.Pattern[str] = _NO_PATH
    """Starts of paths that others have, too; group 1 is the folder of an export if two of the other groups match."""

    def error(self, name: str) -> CorpusError:
        """Return the error of the file or folder `name`."""
        return CorpusError(f"{name} {self.what}.", self.hint)


def _refused(what: str, hint: str, *starts: bytes | tuple[bytes, ...], **patterns: str) -> Refusal:
    """Return the refusal of files that start with a pattern, or with the first of several and the others after it.

    `patterns` are those of the fields `files`, `paths` and `pairs`.
    """
    several = [start if isinstance(start, tuple) else (start,) for start in starts]
    compiled = [[re.compile(each, re.DOTALL) for each in start] for start in several]

    def looks_like(head: bytes) -> bool:
        return any(first.match(head) and all(each.search(head) for each in others) for first, *others in compiled)

    of_paths = {field: re.compile(pattern) for field, pattern in patterns.items()}
    return Refusal(what=what, hint=hint, looks_like=looks_like, **of_paths)


EMPTY = Refusal(what="is empty", hint="Give a file with one tweet per row.")
_LFS_POINTER = _refused(
    "is a Git LFS pointer, not the data itself",
    "Fetch the data with `git lfs pull`, or download it.",
    b"version https://git-lfs",
)


def refusal_of(head: bytes) -> Refusal | None:
    """Return why a file of any format with these first bytes is not read."""
    if not head.strip():
        return EMPTY
    return _LFS_POINTER if _LFS_POINTER.looks_like(head) else None


# Files without text ---------------------------------------------------------------------------------------------------

_AS_TEXT = "Save its text as a plain text file with one tweet per line."
_AS_SHEET = "Save the sheet with the tweets as CSV."
_UNPACK = "Extract it and give a file in it."
_ZIP, _PART, _MIME = rb"PK\x03\x04", rb"PK\x03\x04.{26}", rb"PK\x03\x04.{26}mimetypeapplication/"
"""The start of a zip archive, of the name of a part of it, and of a first part that is the archive's type."""
_CONTROLS = bytes(range(8)) + bytes(range(14, 27)) + bytes(range(28, 32)) + b"\x0b\x7f"
_MAX_CONTROL_SHARE = 0.05
"""Text may have a stray NUL byte, whose line is dropped; of random bytes a ninth are control characters."""
NOT_TEXT = Refusal(what="is not a text file", hint="Give a CSV, JSON lines or text file.")
_DOCUMENTS = (
    _refused("is an Excel workbook", _AS_SHEET, (_ZIP, _PART + b"xl/")),
    _refused("is a Word document", _AS_TEXT, (_ZIP, _PART + b"word/")),
    _refused("is a PowerPoint presentation", _AS_TEXT, (_ZIP, _PART + b"ppt/")),
    _refused(
        "is a document of Apple's Numbers, Pages or Keynote",
        "Export it as CSV or plain text.",
        (_ZIP, _PART + b"Index/"),
    ),
    _refused("is an OpenDocument spreadsheet", _AS_SHEET, _MIME + rb"vnd\.oasis\.opendocument\.spreadsheet"),
    _refused("is an OpenDocument file", _AS_TEXT, _MIME + rb"vnd\.oasis\.opendocument"),
    _refused("is an e-book (EPUB)", _AS_TEXT, _MIME + rb"epub\+zip"),
)
"""Documents that are zip archives."""
_NOT_TEXTS = (
    *_DOCUMENTS,
    _refused("is an archive inside another file", _UNPACK, _ZIP),
    _refused(
        "is a table of Arrow or Feather",
        "Save it as Parquet or CSV.",
        *(rb"ARROW1\0\0", rb"FEA1\0\0\0\0", rb"\xff{4}.{3}\0"),  # the last one: a stream
    ),
    _refused(
        "is a picture",
        "Tweets in a picture can't be read: give a CSV, JSON lines or text file.",
        *(rb"\x89PNG\r\n\x1a\n", rb"\xff\xd8\xff", rb"GIF8"),
    ),
    _refused("is a PDF document", _AS_TEXT, rb"%PDF-"),
    _refused("is an RTF document", _AS_TEXT, rb"\{\\rtf"),
    _refused("is a 7-Zip or RAR archive", _UNPACK, rb"7z\xbc\xaf\x27\x1c", rb"Rar!\x1a\x07"),
    _refused("is an SQLite database", "Export the table with the tweets as CSV.", rb"SQLite format 3\0"),
    _refused(
        "is an Office document in an old format (such as .xls) or with a password",
        "Save it in its program as CSV or plain text, without a password.",
        rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ),
    _refused("is a program", NOT_TEXT.hint, rb"\x7fELF", rb"MZ\x90\0", rb"\xcf\xfa\xed\xfe"),
)
REFUSED_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".arrow", ".feather")
"""Files in a folder or archive that are opened to be named in the report: people have their tweets in them."""


def refusal_as_text(head: bytes) -> Refusal | None:
    """Return why a file with these first bytes is no text file."""
    found = next((each for each in _NOT_TEXTS if each.looks_like(head)), None)
    if found is None and len(head.translate(None, _CONTROLS)) < (1 - _MAX_CONTROL_SHARE) * len(head):
        return NOT_TEXT
    return found


def is_document(head: bytes, names: Iterable[str]) -> bool:
    """Return whether a zip archive with files of these names is a document, not an archive with such folders."""
    is_kind = any(each.looks_like(head) for each in _DOCUMENTS)
    return is_kind and not {"[Content_Types].xml", "mimetype", "Index/Document.iwa"}.isdisjoint(names)


# Exports with other people's words, and private parts of archives -----------------------------------------------------

_OWN_TEXTS = "Save your own texts as CSV, or as text with one per line"
_ONLY_OWN = f"{_OWN_TEXTS}."
_OR_WHOLE = f"{_OWN_TEXTS}, or give the whole archive: only your posts in it are read."
_OR_ALL = f"{_OWN_TEXTS}; --format text, csv or json reads everyone's."
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_DELETED = rb'"deleted_at"\s*:\s*"'
_X_DATE = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}"
_JSON = rb"(?:(?:export )?(?:(?:const|let|var) )?[\w.$]+\s*=\s*)?[\[{]"
_HTML = rb"(?i:<(?:!doctype )?html\b)"
_OBJECT = rb"(?!)"  # a JSON object with others in it, four deep
for _ in range(4):
    _OBJECT = rb'\{(?:[^{}"]|%b|%b)*+\}' % (_STRING, _OBJECT)


def _header(names: str) -> bytes:
    """Return the pattern of a table's first columns, whatever the delimiter, with or without quotes."""
    columns = rf'"?[{DELIMITERS}]"?'.join(names.split(","))
    return rf'(?:"?sep=[^\n]*\n)?"?{columns}"?[{DELIMITERS}\r\n]'.encode()


def _columns(*names: str) -> bytes:
    """Return the pattern of a table's first line that has all these columns."""
    columns = "".join(rf'(?=(?:[^\n]*[{DELIMITERS}])?[ "]*+{name}[ "]*+(?:[{DELIMITERS}\r\n]|\Z))' for name in names)
    return rf'(?:"?sep=[^\n]*\n)?{columns}'.encode()


_ACTIVITY = "your_facebook_activity|your_activity_across_facebook|your_instagram_activity"
_CONVERSATIONS = "inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover"
_META_KEYS = (
    rb"status_updates|(?:group_)?comments_v2|group_posts_v2|searches_v2"
    rb"|notifications_v2|notes_v2|wall_posts_sent_to_you|comments_(?:media|reels|story)_\w+|likes_(?:media|comment)_likes"
    rb"|saved_saved_\w+|(?:searches|relationships|story_activities|ig|text_post_app)_\w+"
)
_META_POST = rb'(?:\[\s*)?\{\s*"(?:timestamp|attachments|data|title|tags|media|creation_timestamp)"\s*:'
_MESSAGES = _refused(
    "has private messages, which are never read",
    _ONLY_OWN,
    rb'(?:\[\s*)?\{\s*"participants"\s*:\s*\[(?:[^\[\]"]|%b)*+'
    rb'(?:"|\Z|\]\s*,\s*"(?:messages"\s*:|conversation"\s*:\s*\[\s*\{\s*"sender"\s*:))' % _STRING,
    (_JSON, rb'"sender_?[nN]ame"\s*:', rb'"(?:messages|participants|timestamp_ms|isUnsent)"\s*:'),
    rb'.*?"sender_name"\s*:\s*%b\s*,\s*"timestamp_ms"\s*:\s*\d{13}\b' % _STRING,  # a piece of such a file
    (rb'.*?"senderName"\s*:\s*"', rb'"isUnsent"\s*:\s*(?:true|false)'),
    (_HTML, rb'<base href="(?:\.\./){3,}'),  # other pages are less deep
    rb"window\.YTD\.direct_message\w*\.part\d",
    (_JSON, rb'"(?:dmConversation|dm_conversation_id|message_?[cC]reate)"\s*:'),  # of X's archive and API
    rb'(?m).*?(?:^|[\[{,])[ \t]*+"(?:dmConversation|messageCreate)"\s*:\s*\{',  # a piece of such a file
    (_JSON, rb'"event_type"\s*:\s*"MessageCreate"'),
    _columns("dm_conversation_id"),
    _columns("sender_name", "timestamp_ms"),
    _columns("sender_?[iI]d", "recipient_?[iI]d"),
    (_JSON, rb'"sender_?[iI]d"\s*:', rb'"recipient_?[iI]d"\s*:'),
    (_JSON, rb'"sender_screen_name"\s*:', rb'"recipient_screen_name"\s*:'),
    (_JSON, rb'"last_status"\s*:', rb'"accounts"\s*:\s*\[', rb'"unread"\s*:'),  # conversations of Mastodon's API
    (_JSON, rb'"\$type"\s*:\s*"chat\.bsky\.'),
    files=r"((?:.*/)?)message_\d+\.(?:json|html)",
    paths=rf"((?:.*/)?(?:(?:{_ACTIVITY})/messages|messages/(?:{_CONVERSATIONS}))/)",
    pairs=r"((?:.*/)?)(?:(message_1\.(?:html|json)$)|(message_\d+\.html$|(?:photos|videos|audio|gifs|files)/))",
)
_PRIVATE_PART = _refused(
    "is a private part of an archive, which is never read",
    _OR_WHOLE,
    rb"window\.YTD\.(?:deleted|grok)_\w+\.part\d",
    (_JSON, rb'"tweet"\s*:\s*\{(?:[^{}"]|(?!%b)%b|%b)*+%b' % (_DELETED, _STRING, _OBJECT, _DELETED)),
    (rb'.*?%b%b"' % (_DELETED, _X_DATE), rb'"full_text"\s*:'),  # X's tweets alone, or a piece of such a file
    rb'\{\s*"(?:trash|archive|archived_stories)_v2"\s*:\s*[\[{]',
)
_OTHER_PART = _refused(
    "is no file of tweets in an X archive",
    _OR_WHOLE,
    rb"window\.YTD\.(?!(?:tweets?|note_tweets?|twitter_circle_tweets?)\.)\w+\.part\d",
)
_META = _refused(
    "is an export of Facebook, Instagram or Threads",
    _OR_ALL,
    rb'\{\s*"(?:%b)"\s*:\s*[\[{]' % _META_KEYS,
    (rb"\[", rb'"string_(?:map|list)_data"\s*:\s*[\[{]|"label_values"\s*:\s*\[\s*\{\s*"label"'),
    (
        _META_POST,
        rb'"timestamp"\s*:\s*\d{9,10}\b',
        rb'"data"\s*:\s*\[\s*\{\s*"(?:post|\w+_timestamp)"\s*:|"attachments"\s*:\s*\[\s*\{\s*"data"\s*:\s*\[',
    ),
    (_META_POST, rb'"creation_timestamp"', rb'"media"\s*:\s*\[\s*\{\s*"(?:uri|creation_timestamp|title)"\s*:'),
    (_HTML, rb'<base href="(?:\.\./)+"|class="pam _3-9'),
    files=rf"((?:[^/]+/)*?)(?:(?:{_ACTIVITY})/)?(?:(?:posts|content|media|threads)/)?"
    r"(?:your_posts\w*|posts|reels|igtv_videos|threads_and_replies)(?:_\d+)?\.json",
    paths=rf"((?:.*?/)??)(?:(?:{_ACTIVITY})/|(?:messages/)?(?:{_CONVERSATIONS})/[^/]+/message_\d+\.(?:json|html)$"
    r"|(?:posts/)?(?:your_posts\w*|threads_and_replies)\.html$)",
    pairs=r"((?:[^/]+/)*?)(?:(?:content|media|posts)/)?(?:(posts_1\.html$)|(posts_\d+\.html$|start_here\.html$"
    r"|(?:account_information|followers_and_following|login_and_account_creation|personal_information)/))",
)
_TELEGRAM_TYPES = rb"saved_messages|verify_codes|personal_chat|bot_chat|(?:private|public)_(?:group|supergroup|channel)"
_TELEGRAM = _refused(
    "is a chat exported from Telegram",
    _OR_ALL,
    (_JSON, rb'"type"\s*:\s*"(?:%b)"' % _TELEGRAM_TYPES, rb'"messages"\s*:\s*\['),
    (_JSON, rb'"type"\s*:\s*"(?:message|service)"', rb'"(?:date_unixtime|from_id|actor_id)"\s*:', rb'"date"\s*:'),
    rb'\{\s*"about"\s*:\s*%b\s*,\s*"(?:personal_information"\s*:\s*\{\s*"user_id"'
    rb'|(?:profile_pictures|stories)"\s*:\s*\['
    rb'|(?:contacts|frequent_contacts|sessions|web_sessions|chats|left_chats)"\s*:\s*\{\s*"about")' % _STRING,
    (_HTML, rb"(?i:<title>Exported Data</title>)"),
    files=r"((?:.*/)?)result\.json",
    paths=r"((?:.*/)?(?:Chat|Data)Export_[^/]*/)",
    pairs=r"((?:.*/)?)(?:(messages\.html$)|(messages\d+\.html$|css/style\.css$|js/script\.js$"
    r"|(?:round_video_messages|stickers|video_files|voice_messages)/))",
)
_DISCORD = _refused(
    "is an export of Discord",
    _OR_ALL,
    (_JSON, rb'"ID"\s*:\s*"?\d{5,20}\b', rb'"Timestamp"\s*:\s*"', rb'"Contents"\s*:'),
    _header("ID,Timestamp,Contents,Attachments"),
    rb'\{\s*"guild"\s*:\s*\{(?:[^{}"]|%b)*+\}\s*,\s*"channel"\s*:\s*\{' % _STRING,
    (_JSON, rb'"type"\s*:\s*"(?:Default|Reply)"', rb'"author"\s*:\s*\{', rb'"(?:timestampEdited|isBot)"\s*:'),
    _header("AuthorID,Author,Date,Content,Attachments"),
    rb"={62}\r?\nGuild: [^\n]*\nChannel: ",
    (_HTML, rb"\bchatlog__"),
    files=r"((?:.*/)?)messages\.(?:json|csv)",
    paths=r"((?:[^/]+/)*?)(?:[^/]+/)?c?\d{15,20}/(?:messages\.(?:json|csv)|channel\.json)$"
    r"|((?:.*/)?[^/]+\.(?:json|csv|html|txt)_Files/)",
)
_REDDIT_MESSAGES = _refused(
    "has private messages of Reddit, which are never read",
    _ONLY_OWN,
    _header("id,permalink,thread_id,date"),
    _header("message_id,created_at,updated_at,username,message"),
    files=r"((?:.*/)?)(?:messages|chat_history)(?:_\w+)?\.csv",
)
_REDDIT = _refused(
    "is an export or a dump of Reddit",
    _OR_ALL,
    (_JSON, rb'"body"\s*:', rb'"subreddit"\s*:'),
    (_JSON, rb'"selftext"\s*:'),
    (_JSON, rb'"kind"\s*:\s*"(?:Listing|t[1-6])"\s*,\s*"data"\s*:\s*\{'),
    _header("id,permalink,date") + rb"[^\n]*\bsubreddit\b",
    _header("id,permalink,direction"),
    _header("id,title,body,kind,created"),
    _header("scheduled_post_id,subreddit"),
    files=r"((?:.*/)?)(?:posts|comments|drafts|scheduled_posts)(?:_\w+)?\.csv",
    pairs=r"((?:.*/)?)(?:(messages?(?:_archive)?_headers)|(comment_(?:headers|votes))|(post_(?:headers|votes))"
    r"|((?:subscribed|moderated)_subreddits))(?:_\d+)?\.csv$",
)
_MISSKEY = _refused(
    "is an export of Misskey",
    _OR_ALL,
    (rb"\[", *(rb'"%b"\s*:' % key for key in (b"text", b"fileIds", b"renoteId", b"visibility"))),
)
_OTHER_TEXT = _refused(
    "is a chat exported from LINE or KakaoTalk",
    _OR_ALL,
    rb"\[LINE\] [^\n]*\n[^\n]{0,40}\d{4}[/.]\d",
    "[^\n]*(?:카카오톡 대화|KakaoTalk Chats?)[^\n]*\n(?:저장한 날짜|Date Saved) ?: ".encode(),
)
_OTHER_JSON = _refused(
    "is a chat exported from Slack or Google Chat",
    _OR_ALL,
    (_JSON, rb'"ts"\s*:\s*"\d{10}\.\d{6}"', rb'"user"\s*:\s*"[UW][A-Z0-9]{7,11}"'),
    (_JSON, rb'"creator"\s*:\s*\{\s*"name"\s*:', rb'"user_type"\s*:'),
)
_ACTOR = _refused(
    "is the profile of a Mastodon account, not its posts",
    "Give outbox.json, or the archive with it.",
    (rb'\{(?!.*"orderedItems"\s*:)', rb'"preferredUsername"\s*:', rb'"outbox"\s*:'),
)

_MARKS = "[\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]*+"
_TO = rf"{_MARKS}(?:[./-]|년|月|年|월){_MARKS} ?{_MARKS}"
_DATE = rf"\d{{1,4}}{_TO}\d{{1,2}}{_TO}\d{{1,4}}"
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"
_WORDS = r"[^\d\[\]:]{0,16}?"  # between date and time, or after the time: ", ", " klo ", "\u202fPM", " p. m."
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
_MIN_LINES_SHARE, _MANY_NAMES = 0.1, 20
_HEADER_LINE = re.compile(r'"?(?:\w+_)?(?:text|tweet|content|body|message|post|status|note)s?"?', re.IGNORECASE)
"""The first line of a table with one column, which is no chat."""


def _is_whatsapp(head: bytes) -> bool:
    """Return whether one of the first lines begins a message, most messages have an author, and authors recur.

    There may be a note above the chat. In a list of dated texts, what precedes a colon never recurs. In a short chat,
    everyone may have written once.
    """
    lines = [line for line in re.split("\r\n?|\n", head.decode(errors="replace")) if line.strip()]
    style = next((each for line in lines[:5] for each in _WHATSAPP_LINES if each.fullmatch(line)), None)
    begun = [found[1] for line in lines if (found := style.fullmatch(line))] if style else []
    names = [name for name, colon, _ in (f"{rest} ".partition(": ") for rest in begun) if colon]
    if not names or 2 * len(names) < len(begun) or _HEADER_LINE.fullmatch(lines[0]):
        return False
    do_recur = len(names) < _MANY_NAMES or 2 * len(set(names)) < len(names)
    return do_recur and len(begun) >= _MIN_LINES_SHARE * len(lines)


_WHATSAPP_FILES = r"(?i)((?:.*/)?)(?:_chat[ \d()-]*|[^/]*whatsapp[^/]*)\.txt"
_WHATSAPP = replace(
    _refused("is a chat exported from WhatsApp", _OR_ALL, files=_WHATSAPP_FILES), looks_like=_is_whatsapp
)
_PRIVATE = (_MESSAGES, _PRIVATE_PART, _OTHER_PART, _REDDIT_MESSAGES)
"""Refused whatever the options."""
_EXPORTS = (*_PRIVATE, _META, _TELEGRAM, _DISCORD, _REDDIT, _MISSKEY, _OTHER_TEXT, _OTHER_JSON, _WHATSAPP, _ACTOR)


def refusal_of_export(head: bytes, name: str, *, is_forced: bool) -> Refusal | None:
    """Return which kind of export a text file is, by its first bytes in UTF-8; `is_forced`: only a private one.

    `name` is the file's path inside the folder or archive.
    """
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    name = without_compression(name)
    if _MESSAGES.paths.match(name) or (name.endswith(".html") and _MESSAGES.files.fullmatch(name)):
        return _MESSAGES
    return next((each for each in (_PRIVATE if is_forced else _EXPORTS) if each.looks_like(start)), None)


def refusal_by_place(path: Path, name: str) -> Refusal | None:
    """Return the refusal of a file on the disk that is private by the folders above it; `name` is its path in `path`.

    Others have folders called messages/inbox, too: Meta's own must be above, or a page of the conversation beside it.
    """
    whole = f"{os.path.realpath(path)}/{name}"
    if re.match(rf".*/(?:{_ACTIVITY})/messages/", whole):
        return _MESSAGES
    conversation = re.match(rf"(.*/messages/(?:{_CONVERSATIONS})/[^/]+/)", whole)
    beside = Path(conversation[1]).glob("message_*") if conversation else ()
    return _MESSAGES if any(_MESSAGES.files.fullmatch(each.name) for each in beside) else None


def export_folders(
    names: Iterable[str], refused: Mapping[str, Refusal], others: Iterable[str], *, is_forced: bool
) -> dict[str, Refusal]:
    """Return the folders of exports, "" or with a final slash, that have one of some files; `is_forced`: of messages.

    `names` are the paths of opened files, `others` of those that were not opened. A path alone may identify an export.
    Only its content identifies an opened file as messages: it is in `refused` then, like every refused file.
    """
    folders: dict[str, Refusal] = {}
    found_groups: dict[tuple[str, Refusal], set[int | None]] = {}
    opened = (each for each in names if each in refused or not _MESSAGES.files.fullmatch(without_compression(each)))
    for name in map(without_compression, chain(opened, others)):
        for each in (_MESSAGES,) if is_forced else _EXPORTS:
            if found := each.paths.match(name):
                folders.setdefault(next(group for group in found.groups() if group is not None), each)
            elif found := each.pairs.match(name):
                found_groups.setdefault((found[1], each), set()).add(found.lastindex)
    folders = {folder: each for (folder, each), groups in found_groups.items() if len(groups) > 1} | folders
    for name, refusal in refused.items():
        if (refusal is _MESSAGES or not is_forced) and (found := refusal.files.fullmatch(without_compression(name))):
            folders.setdefault(found[1], refusal)
    return folders
