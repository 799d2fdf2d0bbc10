"""The archive of an X (Twitter) account: `data/tweets.js` and the files that belong to it.

Each file assigns an array to a variable: `window.YTD.tweets.part0 = [{"tweet": {"full_text": ..., "created_at": "Tue
Apr 04 13:45:22 +0000 2023", "in_reply_to_user_id": ...}}]`. Large accounts have `tweets-part1.js` and on; archives
before 2022 have `tweet.js` (`window.YTD.tweet.part0`), the oldest of them without the wrapper. `manifest.js`
(`window.__THAR_CONFIG = {"userInfo": {"accountId": ...}}`) has the owner's id. Retweets are `RT @name: ...`, cut with
an ellipsis. Longer tweets occur twice: shortened, and in full in `note-tweet.js` (see `x_notes`).

Never reads deleted tweets, messages, likes or any other file of the archive, and never evaluates JavaScript.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import numpy as np

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.x_notes import NoteTweets
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_json
from engine.corpus.types import DroppedRow, Member, Row, Source, example
from engine.errors import CorpusError

_TWEETS_FILE = re.compile(r"tweets?(?:-part(\d{1,6}))?\.js")
_NOTES_FILE = re.compile(r"note-tweets?(?:-part(\d{1,6}))?\.js")
_MANIFEST_FILE = "manifest.js"
_ASSIGNMENT = re.compile(r"window\.(?:YTD\.(\w+)\.part\d+|(__THAR_CONFIG))\s*=")
_LINK = re.compile(r"\s*https?://t\.co/\w+")
_TWEETS_VARIABLES = {"tweet", "tweets"}
_ID_FIELDS = ("id", "in_reply_to_status_id", "in_reply_to_user_id")
_REPLY_FIELDS = ("in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_user_id", "in_reply_to_screen_name")


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a file of an archive, of any kind."""
    return _ASSIGNMENT.match(head.decode("utf-8-sig", "replace").lstrip()) is not None


def archive_root(name: str) -> str | None:
    """Return the folder of the archive to which the file at a path belongs; None if the file is not read.

    The files that are read are in the archive's `data` folder or at its top.
    """
    folder, _, file_name = name.rpartition("/")
    if file_name != _MANIFEST_FILE and not _TWEETS_FILE.fullmatch(file_name) and not _NOTES_FILE.fullmatch(file_name):
        return None
    above, _, last = folder.rpartition("/")
    if last == "data":
        folder = above
    elif last:
        return None
    return f"{folder}/" if folder else ""


def tweets_first(member: Member) -> bool:
    """Return a sort key that puts the files with tweets first."""
    return _TWEETS_FILE.fullmatch(member.name.rpartition("/")[2]) is None


def x_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per tweet of all parts in order, then the unmatched long notes as dropped rows.

    Of several members, those without an `archive_root` are ignored. Raises `CorpusError` if there are no tweets, or
    the content of a file does not match its name.
    """
    notes = NoteTweets(source.name)
    own_id, tweets = _split_members(members, source, notes)
    if config.no_replies and not own_id:
        own_id = _inferred_owner_id(tweets, source)
    num_tweets = num_without_links = 0
    for member in tweets:
        for entry in _entries(member, source, _TWEETS_VARIABLES):
            num_tweets += 1
            where = f"tweet {num_tweets:,}"
            row = _row(entry, notes, own_id, config, where)
            if isinstance(row, str) and not config.keep_links and _LINK.search(row):
                row = _without_links(row, where)
                num_without_links += isinstance(row, str)
            yield row
    if not num_tweets:
        raise _without_tweets(source, has_file=bool(tweets))
    source.notes += _notes(num_without_links, notes.num_found)
    for text in notes.unmatched():
        yield DroppedRow("long note without its tweet", example("note-tweet.js", text))


def _notes(num_without_links: int, num_long: int) -> Iterator[str]:
    """Yield the notes on changes to the tweets."""
    if num_without_links:
        plural = "s" * (num_without_links > 1)
        yield f"links removed from {num_without_links:,} tweet{plural}; --keep-links keeps them"
    if num_long:
        yield f"{num_long:,} long tweet{'s' * (num_long > 1)} read from note-tweet.js"


def _split_members(members: Sequence[Member], source: Source, notes: NoteTweets) -> tuple[str, list[Member]]:
    """Return the owner's id, or "", and the files of tweets in order; add the long tweets to `notes`."""
    own_id = ""
    tweets: list[Member] = []
    parts = [member for member in members if len(members) == 1 or archive_root(member.name) is not None]
    for member in sorted(parts, key=_part_number):
        file_name = member.name.rpartition("/")[2]
        if file_name == _MANIFEST_FILE:
            own_id = _own_id(member, source)
        elif _NOTES_FILE.fullmatch(file_name):
            for entry in _entries(member, source, {"note_tweet", "note_tweets"}):
                notes.add(entry)
        else:
            tweets.append(member)
    return own_id, tweets


def _row(entry: object, notes: NoteTweets, own_id: str, config: CorpusConfig, where: str) -> Row:
    """Return the text of an entry of `tweets.js`, or why it is dropped."""
    tweet = entry.get("tweet", entry) if isinstance(entry, dict) else None
    text = tweet.get("full_text", tweet.get("text")) if isinstance(tweet, dict) else None
    if not isinstance(tweet, dict) or not isinstance(text, str):
        return DroppedRow("not a tweet", example(where, as_json(tweet)))
    if text.startswith("RT @"):
        return DroppedRow("retweet", example(where, text))
    text = notes.pop_full_text(text, tweet.get("created_at")) or text
    if config.no_replies and _is_reply_to_others(tweet, own_id):
        return DroppedRow("reply", example(where, text))
    return text


def _without_links(text: str, where: str) -> Row:
    """Return the text of a tweet without its t.co links; dropped if nothing is left."""
    return _LINK.sub("", text).strip() or DroppedRow("only a link", example(where, text))


def _is_reply_to_others(tweet: dict[str, object], own_id: str) -> bool:
    """Return whether a tweet replies to another account; a continued thread does not count if the owner is known."""
    reply_to = tweet.get("in_reply_to_user_id_str") or tweet.get("in_reply_to_user_id")
    return any(tweet.get(field) for field in _REPLY_FIELDS) and not (own_id and reply_to == own_id)


def _inferred_owner_id(tweets: Sequence[Member], source: Source) -> str:
    """Return the owner's id, inferred from replies to tweets of the archive; "" without such replies.

    Reads all tweets once more, storing only numbers. Damage is reported later, when the texts are read.
    """
    own, answered, accounts = array("Q"), array("Q"), array("Q")
    with suppress(CorpusError):
        for member in tweets:
            for entry in _entries(member, source, _TWEETS_VARIABLES):
                tweet = entry.get("tweet", entry) if isinstance(entry, dict) else None
                if isinstance(tweet, dict):
                    numbers = [_number(tweet, f"{field}_str", field) for field in _ID_FIELDS]
                    own.append(numbers[0])
                    if all(numbers):
                        answered.append(numbers[1])
                        accounts.append(numbers[2])
    is_own = np.isin(np.array(answered, np.uint64), np.array(own, np.uint64))
    candidates, counts = np.unique(np.array(accounts, np.uint64)[is_own], return_counts=True)
    return str(candidates[counts.argmax()]) if len(candidates) else ""


def _number(tweet: dict[str, object], *fields: str) -> int:
    """Return the id of a tweet or account in the first of these fields that has one, else 0."""
    for field in fields:
        value = tweet.get(field)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
            return int(value)
    return 0


def _entries(member: Member, source: Source, variables: set[str]) -> Iterator[object]:
    """Yield the items of the array that a file assigns to one of these variables. Raises `CorpusError`."""
    name = source.name_of(member)
    with closing(member.open()) as file:
        stream = JsonStream(file, name)
        assigned = _ASSIGNMENT.match(stream.beginning())
        if assigned is None or assigned[1] not in variables:
            found = "of another kind" if assigned is None else f"of {assigned[1] or 'the manifest'}"
            raise CorpusError(
                f"{name} is a file {found}, not the tweets of an X archive.",
                "Give the archive's zip or folder, or its data/tweets.js; other files of it are never read.",
            )
        stream.skip(assigned.end())
        yield from stream.items()


def _own_id(member: Member, source: Source) -> str:
    """Return the account id in `manifest.js`, or ""."""
    with closing(member.open()) as file:
        stream = JsonStream(file, source.name_of(member))
        assigned = _ASSIGNMENT.match(stream.beginning())
        if assigned is None or assigned[2] is None:
            return ""
        stream.skip(assigned.end())
        manifest = stream.value()
    user = manifest.get("userInfo") if isinstance(manifest, dict) else None
    account_id = user.get("accountId") if isinstance(user, dict) else None
    return account_id if isinstance(account_id, str) else ""


def _part_number(member: Member) -> tuple[int, str]:
    """Return the sort key of a part: its number, then its path."""
    file_name = member.name.rpartition("/")[2]
    match = _TWEETS_FILE.fullmatch(file_name) or _NOTES_FILE.fullmatch(file_name)
    return int(match[1] or 0) if match else 0, member.name


def _without_tweets(source: Source, *, has_file: bool) -> CorpusError:
    """Return the error of an archive without tweets."""
    if has_file:
        return CorpusError(
            f"{source.name} has no tweets: its owner never tweeted, or deleted them all.",
            "Give the archive of an account that has tweets, or another file.",
        )
    return CorpusError(
        f"{source.name} has no tweets.js.", "Give the whole archive: the zip from X, or the extracted folder."
    )
