"""The files of an X (Twitter) archive: which are read, and the variable or columns that each contains.

Since 2018, `data/tweets.js` and others assign to `window.YTD.tweets.part0` and the like. From 2012 to 2019, one file
per month in `data/js/tweets` assigned to `Grailbird.data.tweets_2012_01`, and `tweets.csv` (at first one CSV per month)
had the same tweets. Never evaluates JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_object
from engine.corpus.readers.reader import Member, Source
from engine.errors import CorpusError

_PART = r"(?:-part(\d{1,6}))?\.js"
TWEETS_FILE = re.compile(f"tweets?{_PART}")
NOTES_FILE = re.compile(f"note-tweets?{_PART}")
CIRCLE_FILE = re.compile(f"twitter-circle-tweets?{_PART}")
MANIFEST_FILE = re.compile(f"manifest{_PART}")
MONTH_FILE = re.compile(r"\d{4}_\d\d\.js")
USER_FILE = re.compile(r"user_details\.js")
_OTHER_FILE = re.compile(
    r"(?:direct-message(?:s|-headers|s?-group|-group-headers)|tweet-headers|deleted-tweet-headers|ad-engagements"
    r"|ad-impressions|ip-audit|ni-devices|ageinfo|personalization|screen-name-change|user-link-clicks"
    rf"|account-creation-ip|periscope-[\w-]+){_PART}"
)
"""Files that only an archive since 2018 has, also one without tweets."""
TABLE_FILES = (re.compile(r"tweets\.csv"), re.compile(r"\d{4}_\d\d\.csv"))
"""One file of all tweets, or one per month."""

HINT = (
    "Give the archive's zip or folder, or its data/tweets.js; of one before 2019, tweets.csv or the files in data/js."
)
_DATA_FOLDER = re.compile(r"(?:^|/)data$")
_OLD_FOLDERS = re.compile(r"(?:^|/)(?:(?:data/)?(?:js/)?tweets|(?:data/)?(?:js|csv))$")
_ASSIGNMENT = re.compile(
    r"(?:window\.(?:YTD\.(?P<new>\w+)\.part\d+|(?P<manifest>__THAR_CONFIG))"
    r"|Grailbird\.data\.(?P<month>\w+)|var\s+(?P<details>user_details|payload_details|tweet_index))\s*="
)
_COLUMNS = {"tweet_id", "in_reply_to_status_id", "in_reply_to_user_id", "timestamp", "text", "retweeted_status_id"}


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a file of an archive, of any kind."""
    return _assignment(head) is not None or _starts_with_columns(head)


def has_private_posts(head: bytes) -> bool:
    """Return whether a file starts as one of an archive since 2018: its tweets may be circle tweets."""
    found = _assignment(head)
    return found is not None and found.lastgroup in {"new", "manifest"}


def is_old(member: Member, *, is_alone: bool) -> bool:
    """Return whether a file is of an archive of 2012 to 2019: one of several by its name, a single one by content."""
    if not is_alone:
        return any(kind.fullmatch(file_name_of(member)) for kind in (MONTH_FILE, USER_FILE, *TABLE_FILES))
    assigned = _assignment(head := member.head())
    return assigned.lastgroup in {"month", "details"} if assigned else _starts_with_columns(head)


def is_table(member: Member, *, is_alone: bool) -> bool:
    """Return whether a file is CSV: one of several by its name, a single one by content."""
    if not is_alone:
        return any(kind.fullmatch(file_name_of(member)) for kind in TABLE_FILES)
    return _starts_with_columns(member.head())


def table_columns(header: str) -> list[str]:
    """Return the column names in the first line of `tweets.csv`; [] for another file."""
    names = [name.strip().strip('"').casefold() for name in header.split(",")]
    return names if _COLUMNS.issubset(names) else []


def archive_root(name: str) -> str | None:
    """Return the folder of the archive to which the file at a path belongs; None if the file is not read.

    Since 2018, the files that are read are in the archive's `data` folder or at its top.
    """
    folder, _, file_name = name.rpartition("/")
    if any(kind.fullmatch(file_name) for kind in (TWEETS_FILE, NOTES_FILE, CIRCLE_FILE, MANIFEST_FILE)):
        if folder and not _DATA_FOLDER.search(folder):
            return None
        folder = _DATA_FOLDER.sub("", folder)
    elif any(kind.fullmatch(file_name) for kind in (MONTH_FILE, USER_FILE, *TABLE_FILES)):
        folder = _OLD_FOLDERS.sub("", folder)
    else:
        return None
    return f"{folder}/" if folder else ""


def enclosing_root(name: str) -> str | None:
    """Return the folder of the archive that has a file with this path, if only archives have files of its name."""
    folder, _, file_name = name.rpartition("/")
    if not _DATA_FOLDER.search(folder) or _OTHER_FILE.fullmatch(file_name) is None:
        return None
    root = _DATA_FOLDER.sub("", folder)
    return f"{root}/" if root else ""


def main_first(member: Member) -> int:
    """Return a sort key that puts the files with tweets first: the preferred kind, in order of parts or months."""
    kinds = (TWEETS_FILE, MONTH_FILE, *TABLE_FILES)
    name = file_name_of(member)
    rank = next((rank for rank, kind in enumerate(kinds) if kind.fullmatch(name)), len(kinds))
    return 1_000_000 * rank + int("0" + "".join(filter(str.isdecimal, name))[:6])


def file_name_of(member: Member) -> str:
    """Return the last part of a member's path."""
    return member.name.rpartition("/")[2]


def items_of(member: Member, source: Source, variable: re.Pattern[str]) -> Iterator[object]:
    """Yield the items of the array that a file assigns to such a variable.

    Raises `CorpusError` if the file is damaged or of another kind.
    """
    with _opened(member, source) as (name, stream):
        if not variable.fullmatch(name):
            raise CorpusError(f"{source.name_of(member)} {_description(name)}.", HINT)
        yield from stream.items()


def own_id(member: Member, source: Source) -> str:
    """Return the account id in `manifest.js` or `user_details.js`, or ""."""
    with _opened(member, source) as (name, stream):
        value = stream.value() if name in {"__THAR_CONFIG", "user_details"} else None
    user = as_object(as_object(value).get("userInfo", value))
    account_id = user.get("accountId", user.get("id"))
    return account_id if isinstance(account_id, str) else ""


@contextmanager
def _opened(member: Member, source: Source) -> Iterator[tuple[str, JsonStream]]:
    """Yield the variable to which a file assigns, "" for another file, and the stream of its value."""
    with closing(member.open()) as file:
        stream = JsonStream(file, source.name_of(member))
        assigned = _ASSIGNMENT.match(stream.beginning())
        stream.skip(assigned.end() if assigned else 0)
        yield (assigned[assigned.lastgroup or 0] if assigned else ""), stream


def _starts_with_columns(head: bytes) -> bool:
    """Return whether a file starts with the column names of `tweets.csv`."""
    return bool(table_columns(head.decode("utf-8-sig", "replace").partition("\n")[0]))


def _assignment(head: bytes) -> re.Match[str] | None:
    """Return the match of the assignment with which a file starts."""
    return _ASSIGNMENT.match(head.decode("utf-8-sig", "replace").lstrip())


def _description(variable: str) -> str:
    """Return what a file is whose variable is not the wanted one, to follow its name in a message."""
    if re.fullmatch("note_tweets?", variable):
        return "contains only the long tweets"
    if re.fullmatch("twitter_circle_tweets?", variable):
        return "contains only circle tweets, which are private"
    if variable == "__THAR_CONFIG":
        return "is only the manifest, not the tweets of an X archive"
    return f"is a file {f'of {variable}' if variable else 'of another kind'}, not the tweets of an X archive"
