r"""Files that are not read as tweets, by their first bytes and their paths: what each is, and what to do instead.

Pictures, documents and programs have no tweets that could be read. Exports of chats and of networks without a reader
have other people's words, which the readers of JSON, CSV and text would learn: they are refused, unless the user sets a
--format. Private messages of Meta's networks are refused whatever the options.

To refuse another kind of file, add a row to `_NOT_TEXTS` or `_EXPORTS`.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.errors import CorpusError

_NO_PATH = re.compile(r"(?!)")
_Test = Callable[[bytes], bool]
"""Whether a file is of a kind, by its first bytes; of an export, without byte order mark and blanks before them."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A kind of file that is not read."""

    what: str
    """What it is, a phrase that follows the file's name: "is empty"."""
    hint: str
    looks_like: _Test = lambda _: False
    files: re.Pattern[str] = _NO_PATH
    """Usual paths of the files of an export; group 1 is its folder, in which nothing else is read either."""
    paths: re.Pattern[str] = _NO_PATH
    """Starts of paths that only such an export has, whatever the file's content; group 1 is its folder."""
    pairs: re.Pattern[str] = _NO_PATH
    """Starts of paths that others have, too; group 1 is the folder of an export if two of the other groups match."""

    def error(self, name: str) -> CorpusError:
        """Return the error of the file or folder `name`."""
        return CorpusError(f"{name} {self.what}.", self.hint)


def _starts(*alternatives: tuple[bytes, ...]) -> _Test:
    """Return a test for a start with the first pattern of an alternative, with the others anywhere after it."""
    compiled = [[re.compile(pattern, re.DOTALL) for pattern in patterns] for patterns in alternatives]

    def looks_like(head: bytes) -> bool:
        return any(first.match(head) and all(each.search(head) for each in others) for first, *others in compiled)

    return looks_like


def _header(names: bytes) -> bytes:
    """Return the pattern of a table's first columns, whatever the delimiter, with or without quotes."""
    return rb'(?:"?sep=[^\n]*\n)?"?' + rb'"?[,;\t]"?'.join(names.split(b",")) + rb'"?[,;\t\r\n]'


# Any file -------------------------------------------------------------------------------------------------------------

EMPTY = Refusal(what="is empty", hint="Give a file with one tweet per row.")
_LFS_POINTER = Refusal(
    what="is a Git LFS pointer, not the data itself", hint="Fetch the data with `git lfs pull`, or download it."
)
NOT_TEXT = Refusal(what="is not a text file", hint="Give a CSV, JSON lines or text file.")


def refusal_of(head: bytes) -> Refusal | None:
    """Return why a file of any format with these first bytes is not read."""
    if not head.strip():
        return EMPTY
    return _LFS_POINTER if head.startswith(b"version https://git-lfs") else None


# Files without text ---------------------------------------------------------------------------------------------------

_AS_TEXT = "Save its text as a plain text file with one tweet per line."
_AS_SHEET = "Save the sheet with the tweets as CSV."
_UNPACK = "Extract it and give a file in it."
_LOCAL_HEADER = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_MIME_TYPE = re.compile(rb"PK\x03\x04.{26}mimetype(application/[\w.+-]+)", re.DOTALL)
_CONTROLS = bytes(range(8)) + bytes(range(14, 27)) + bytes(range(28, 32)) + b"\x0b\x7f"
_MAX_CONTROL_SHARE = 0.05
"""Text may have a stray NUL byte, whose line is dropped; of random bytes a ninth are control characters."""


def _has_part(*prefixes: str) -> _Test:
    """Return a test for a document that is a zip archive with a part whose name starts so, as far as headers show."""
    return lambda head: any(name.startswith(prefixes) for name in _names_in(head))


def _is_mime(*prefixes: bytes) -> _Test:
    """Return a test for a document that is a zip archive, whose first part is its type."""
    return lambda head: (found := _MIME_TYPE.match(head)) is not None and found[1].startswith(prefixes)


def _names_in(head: bytes) -> list[str]:
    """Return the names in the local headers of a zip archive."""
    return [
        head[found.end() : found.end() + struct.unpack("<H", found[1])[0]].decode(errors="replace")
        for found in (_LOCAL_HEADER.finditer(head) if head.startswith(b"PK\x03\x04") else ())
    ]


_DOCUMENTS = (
    Refusal(what="is an Excel workbook", hint=_AS_SHEET, looks_like=_has_part("xl/")),
    Refusal(what="is a Word document", hint=_AS_TEXT, looks_like=_has_part("word/")),
    Refusal(what="is a PowerPoint presentation", hint=_AS_TEXT, looks_like=_has_part("ppt/")),
    Refusal(
        what="is a document of Apple's Numbers, Pages or Keynote",
        hint="Export it as CSV or plain text.",
        looks_like=_has_part("Index/"),
    ),
    Refusal(
        what="is an OpenDocument spreadsheet",
        hint=_AS_SHEET,
        looks_like=_is_mime(b"application/vnd.oasis.opendocument.spreadsheet"),
    ),
    Refusal(what="is an OpenDocument file", hint=_AS_TEXT, looks_like=_is_mime(b"application/vnd.oasis.opendocument")),
    Refusal(what="is an e-book (EPUB)", hint=_AS_TEXT, looks_like=_is_mime(b"application/epub+zip")),
)
"""Documents that are zip archives."""
_NOT_TEXTS = (
    *_DOCUMENTS,
    Refusal(what="is an archive inside another file", hint=_UNPACK, looks_like=_starts((rb"PK\x03\x04",))),
    Refusal(
        what="is a table of Arrow or Feather",
        hint="Save it as Parquet or CSV.",
        looks_like=_starts((rb"ARROW1\0\0",), (rb"FEA1\0\0\0\0",), (rb"\xff{4}.{3}\0",)),  # the last one: a stream
    ),
    Refusal(
        what="is a picture",
        hint="Tweets in a picture can't be read: give a CSV, JSON lines or text file.",
        looks_like=_starts((rb"\x89PNG\r\n\x1a\n",), (rb"\xff\xd8\xff",), (rb"GIF8",)),
    ),
    Refusal(what="is a PDF document", hint=_AS_TEXT, looks_like=_starts((rb"%PDF-",))),
    Refusal(what="is an RTF document", hint=_AS_TEXT, looks_like=_starts((rb"\{\\rtf",))),
    Refusal(
        what="is a 7-Zip or RAR archive",
        hint=_UNPACK,
        looks_like=_starts((rb"7z\xbc\xaf\x27\x1c",), (rb"Rar!\x1a\x07",)),
    ),
    Refusal(
        what="is an SQLite database",
        hint="Export the table with the tweets as CSV.",
        looks_like=_starts((rb"SQLite format 3\0",)),
    ),
    Refusal(
        what="is an Office document in an old format (such as .xls) or with a password",
        hint="Save it in its program as CSV or plain text, without a password.",
        looks_like=_starts((rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    ),
    Refusal(
        what="is a program",
        hint="Give a CSV, JSON lines or text file.",
        looks_like=_starts((rb"\x7fELF",), (rb"MZ\x90\0",), (rb"\xcf\xfa\xed\xfe",)),
    ),
)
REFUSED_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".arrow", ".feather")
"""Files in a folder or archive that are opened to be named in the report: people have their tweets in them."""


def refusal_as_text(head: bytes) -> Refusal | None:
    """Return why a file with these first bytes is no text file."""
    found = next((each for each in _NOT_TEXTS if each.looks_like(head)), None)
    if found is None and len(head.translate(None, _CONTROLS)) < (1 - _MAX_CONTROL_SHARE) * len(head):
        return NOT_TEXT
    return found


def may_be_document(head: bytes) -> bool:
    """Return whether a zip archive with these first bytes may be a document: see `is_document`."""
    return any(each.looks_like(head) for each in _DOCUMENTS)


def is_document(names: Iterable[str]) -> bool:
    """Return whether a zip archive with files of these names is a document, not an archive with such folders."""
    return not {"[Content_Types].xml", "mimetype", "Index/Document.iwa"}.isdisjoint(names)


# Exports with other people's words ------------------------------------------------------------------------------------

_OWN_TEXTS = "Save your own texts as CSV, or as text with one per line"
_OR_ALL = f"{_OWN_TEXTS}; --format text, csv or json reads everyone's."
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_JSON = rb"[\[{]"
_HTML = rb"(?i:<(?:!doctype )?html\b)"

_ACTIVITY = "your_facebook_activity|your_activity_across_facebook|your_instagram_activity"
_CONVERSATIONS = "inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover"
_META_KEYS = (
    rb"status_updates|(?:group_)?comments_v2|group_posts_v2|searches_v2|archive_v2|trash_v2|archived_stories_v2"
    rb"|notifications_v2|notes_v2|wall_posts_sent_to_you|comments_(?:media|reels|story)_\w+|likes_(?:media|comment)_likes"
    rb"|saved_saved_\w+|(?:searches|relationships|story_activities|ig|text_post_app)_\w+"
)
_META_POST = rb'(?:\[\s*)?\{\s*"(?:timestamp|attachments|data|title|tags|media|creation_timestamp)"\s*:'
_MESSAGES = Refusal(
    what="has private messages, which are never read",
    hint=f"{_OWN_TEXTS}.",
    looks_like=_starts(
        (rb'(?:\[\s*)?\{\s*"participants"\s*:\s*\[\s*(?:"|\{\s*"name"\s*:)',),
        (_JSON, rb'"sender_?[nN]ame"\s*:', rb'"(?:messages|participants|timestamp_ms|isUnsent)"\s*:'),
        (_HTML, rb'<base href="(?:\.\./){3,}'),  # other pages are less deep
    ),
    files=re.compile(r"((?:.*/)?)message_\d+\.(?:json|html)"),
    paths=re.compile(rf"((?:.*/)?(?:(?:{_ACTIVITY})/messages|messages/(?:{_CONVERSATIONS}))/)"),
    pairs=re.compile(r"((?:.*/)?)(?:(message_1\.html$)|(message_\d+\.html$|(?:photos|videos|audio|gifs|files)/))"),
)
_META = Refusal(
    what="is an export of Facebook, Instagram or Threads",
    hint=_OR_ALL,
    looks_like=_starts(
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
    looks_like=_starts(
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
    looks_like=_starts(
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

_REDDIT = Refusal(
    what="is an export or a dump of Reddit",
    hint=_OR_ALL,
    looks_like=_starts(
        (_JSON, rb'"body"\s*:', rb'"subreddit"\s*:'),
        (_JSON, rb'"selftext"\s*:'),
        (_JSON, rb'"kind"\s*:\s*"(?:Listing|t[1-6])"\s*,\s*"data"\s*:\s*\{'),
        (_header(b"id,permalink,date") + rb"[^\n]*\bsubreddit\b",),
        (_header(b"id,permalink,direction"),),
        (_header(b"id,permalink,thread_id,date"),),
        (_header(b"message_id,created_at,updated_at,username,message"),),
        (_header(b"id,title,body,kind,created"),),
        (_header(b"scheduled_post_id,subreddit"),),
    ),
    files=re.compile(r"((?:.*/)?)(?:posts|comments|messages|chat_history|drafts|scheduled_posts)(?:_\w+)?\.csv"),
    pairs=re.compile(
        r"((?:.*/)?)(?:(messages?(?:_archive)?_headers)|(comment_(?:headers|votes))|(post_(?:headers|votes))"
        r"|((?:subscribed|moderated)_subreddits))(?:_\d+)?\.csv$"
    ),
)
_MISSKEY = Refusal(
    what="is an export of Misskey",
    hint=_OR_ALL,
    looks_like=_starts((rb"\[", *(rb'"%b"\s*:' % key for key in (b"text", b"fileIds", b"renoteId", b"visibility")))),
)
_OTHER_TEXT = Refusal(
    what="is a chat exported from LINE or KakaoTalk",
    hint=_OR_ALL,
    looks_like=_starts(
        (rb"\[LINE\] [^\n]*\n[^\n]{0,40}\d{4}[/.]\d",),
        ("[^\n]*(?:카카오톡 대화|KakaoTalk Chats?)[^\n]*\n(?:저장한 날짜|Date Saved) ?: ".encode(),),
    ),
)
_OTHER_JSON = Refusal(
    what="is a chat exported from Slack or Google Chat",
    hint=_OR_ALL,
    looks_like=_starts(
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
_EXPORTS = (_MESSAGES, _META, _TELEGRAM, _DISCORD, _REDDIT, _MISSKEY, _OTHER_TEXT, _OTHER_JSON, _WHATSAPP)


def refusal_of_export(head: bytes, name: str, *, is_forced: bool) -> Refusal | None:
    """Return the export of which a text file is, by its first bytes in UTF-8; `is_forced`: only private messages.

    `name` is the file's path.
    """
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if _MESSAGES.paths.match(name) or (name.endswith(".html") and _MESSAGES.files.fullmatch(name)):
        return _MESSAGES
    return next((each for each in (_EXPORTS[:1] if is_forced else _EXPORTS) if each.looks_like(start)), None)


def closed_folder(refusal: Refusal, name: str) -> str | None:
    """Return the folder of the export of which the file at a path is, by its first bytes; None if unknown."""
    found = refusal.files.fullmatch(name)
    return found[1] if found else None


def exports_at(names: Iterable[str], *, is_forced: bool) -> dict[str, Refusal]:
    """Return the folders of the exports that contain some files, as far as paths identify them.

    A folder is "" or ends with a slash. `is_forced`: only those of private messages.
    """
    folders: dict[str, Refusal] = {}
    found_groups: dict[tuple[str, Refusal], set[int | None]] = {}
    for name in names:
        for each in _EXPORTS[:1] if is_forced else _EXPORTS:
            if found := each.paths.match(name):
                folders.setdefault(next(group for group in found.groups() if group is not None), each)
            elif found := each.pairs.match(name):
                found_groups.setdefault((found[1], each), set()).add(found.lastindex)
    return {folder: each for (folder, each), groups in found_groups.items() if len(groups) > 1} | folders
