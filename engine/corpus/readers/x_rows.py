"""The archive that X (Twitter) makes of an account: `data/tweets.js` and what belongs to it.

Each file assigns an array to a variable: `window.YTD.tweets.part0 = [{"tweet": {"full_text": ..., "created_at": "Tue
Apr 04 13:45:22 +0000 2023", "in_reply_to_user_id": ...}}]`. Large accounts have `tweets-part1.js` and on; archives
before 2022 have `tweet.js` (`window.YTD.tweet.part0`), the oldest of them without the wrapper. `manifest.js`
(`window.__THAR_CONFIG = {"userInfo": {"accountId": ...}}`) says whose it is. Retweets are in it as `RT @name: ...`, cut
with an ellipsis. Longer tweets are there twice: shortened, and whole in `note-tweet.js` (see `x_notes`).

Never reads deleted tweets, messages, likes or any other file of the archive, and evaluates no JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing

from engine.corpus.readers.json_stream import JsonStream
from engine.corpus.readers.json_values import example
from engine.corpus.readers.x_notes import NoteTweets
from engine.corpus.rows import Row, Unusable
from engine.corpus.source import Member, Source
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError

_TWEETS_FILE = re.compile(r"tweets?(?:-part(\d{1,6}))?\.js")
_NOTES_FILE = re.compile(r"note-tweets?(?:-part(\d{1,6}))?\.js")
_MANIFEST_FILE = "manifest.js"
_ASSIGNMENT = re.compile(r"window\.(?:YTD\.(\w+)\.part\d+|(__THAR_CONFIG))\s*=")
_LINK = re.compile(r"\s*https?://t\.co/\w+")
_REPLY_FIELDS = ("in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_user_id", "in_reply_to_screen_name")


def looks_like(head: bytes) -> bool:
    """Say whether a file begins as one of an archive; which one, reading it tells."""
    return _ASSIGNMENT.match(head.decode("utf-8-sig", "replace").lstrip()) is not None


def is_part(name: str) -> bool:
    """Say whether the file at this path of an archive is one that is read: in its `data` folder, or at the top."""
    folder, _, file_name = name.rpartition("/")
    is_known = file_name == _MANIFEST_FILE or _TWEETS_FILE.fullmatch(file_name) or _NOTES_FILE.fullmatch(file_name)
    return bool(is_known) and folder.rpartition("/")[2] in {"", "data"}


def x_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per tweet of all parts in their order, then what is left of the long notes, as unusable.

    Of several members, those are left alone that `is_part` does not know. Raises `CorpusError` where there is no
    tweet at all, or a file is not what its name says.
    """
    parts = [member for member in members if len(members) == 1 or is_part(member.name)]
    notes = NoteTweets(source.name)
    own_id = ""
    tweets: list[Member] = []
    for member in sorted(parts, key=_part_number):
        file_name = member.name.rpartition("/")[2]
        if file_name == _MANIFEST_FILE:
            own_id = _own_id(member, source)
        elif _NOTES_FILE.fullmatch(file_name):
            for entry in _entries(member, source, {"note_tweet", "note_tweets"}):
                notes.add(entry)
        else:
            tweets.append(member)
    num_tweets = 0
    for member in tweets:
        for entry in _entries(member, source, {"tweet", "tweets"}):
            num_tweets += 1
            yield _row(entry, notes, own_id, config, f"tweet {num_tweets:,}")
    if not num_tweets:
        raise _without_tweets(source, has_file=bool(tweets))
    if count := notes.num_found:
        source.notes.append(f"{count:,} long tweet{'s' * (count > 1)} taken from note-tweet.js")
    for text in notes.left_over():
        yield Unusable("a long note without its tweet", example("note-tweet.js", text))


def _row(entry: object, notes: NoteTweets, own_id: str, config: CorpusConfig, where: str) -> Row:
    """Return the text of an entry of `tweets.js`, or why it has none."""
    tweet = entry.get("tweet", entry) if isinstance(entry, dict) else None
    text = tweet.get("full_text", tweet.get("text")) if isinstance(tweet, dict) else None
    if not isinstance(tweet, dict) or not isinstance(text, str):
        return Unusable("not a tweet", example(where, str(tweet)[:200]))
    if text.startswith("RT @"):
        return Unusable("a retweet", example(where, text))
    text = notes.take(text, tweet.get("created_at")) or text
    if config.no_replies and _is_reply_to_others(tweet, own_id):
        return Unusable("a reply", example(where, text))
    if config.keep_links:
        return text
    bare = _LINK.sub("", text).strip()
    return bare if bare or not text.strip() else Unusable("only a link", example(where, text))


def _is_reply_to_others(tweet: dict[str, object], own_id: str) -> bool:
    """Say whether a tweet answers somebody else; going on with one's own thread does not, where the owner is known."""
    answered = tweet.get("in_reply_to_user_id_str") or tweet.get("in_reply_to_user_id")
    return any(tweet.get(field) for field in _REPLY_FIELDS) and not (own_id and answered == own_id)


def _entries(member: Member, source: Source, variables: set[str]) -> Iterator[object]:
    """Yield the items of the array that a file assigns to one of these variables."""
    name = _name(member, source)
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
    """Return the id of the account that `manifest.js` names, or "" where it names none."""
    with closing(member.open()) as file:
        stream = JsonStream(file, _name(member, source))
        assigned = _ASSIGNMENT.match(stream.beginning())
        if assigned is None or assigned[2] is None:
            return ""
        stream.skip(assigned.end())
        manifest = stream.value()
    user = manifest.get("userInfo") if isinstance(manifest, dict) else None
    account_id = user.get("accountId") if isinstance(user, dict) else None
    return account_id if isinstance(account_id, str) else ""


def _part_number(member: Member) -> tuple[int, str]:
    """Return what sorts the parts of an archive as they were split."""
    file_name = member.name.rpartition("/")[2]
    match = _TWEETS_FILE.fullmatch(file_name) or _NOTES_FILE.fullmatch(file_name)
    return int(match[1] or 0) if match else 0, member.name


def _name(member: Member, source: Source) -> str:
    """Return what a member is called in a message."""
    return source.name if source.name.endswith(member.name) else f"{source.name}: {member.name}"


def _without_tweets(source: Source, *, has_file: bool) -> CorpusError:
    """Return the error of an archive without tweets."""
    if has_file:
        return CorpusError(
            f"{source.name} holds no tweets: its owner has never tweeted, or deleted them all.",
            "Give the archive of an account that has tweets, or another file.",
        )
    return CorpusError(
        f"{source.name} holds no tweets.js.", "Give the whole archive as X made it: its zip, or the unpacked folder."
    )
