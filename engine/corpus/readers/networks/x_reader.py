"""The archive of an X (Twitter) account: all files that belong to its tweets. Never evaluates JavaScript.

Since 2018, each file assigns an array to a variable; `data/tweets.js` is `window.YTD.tweets.part0 = [{"tweet":
{"full_text": ..., "created_at": "Tue Apr 04 13:45:22 +0000 2023", "in_reply_to_user_id": ...}}]`. Large accounts have
`tweets-part1.js` and on; archives before 2022 have `tweet.js` (`window.YTD.tweet.part0`), the oldest of them without
the wrapper. `manifest.js` (`window.__THAR_CONFIG = {"userInfo": {"accountId": ...}}`) has the owner's id. Retweets are
`RT @name: ...`, cut with an ellipsis. Longer tweets occur twice: shortened, and in full in `note-tweet.js` (see
`x_notes`). Tweets to a circle, a chosen few readers, are in `tweets.js` too; `twitter-circle-tweet.js` has them again,
so their ids are known.

From 2012 to 2019, `data/js/tweets/2012_01.js` is `Grailbird.data.tweets_2012_01 = [{"text": ..., "id_str": ...,
"in_reply_to_user_id_str": ..., "user": {"id_str": ...}, "retweeted_status": {...}}]`, newest tweet first; the text is
HTML-escaped. `data/js/user_details.js` (`var user_details = {"id": ...}`) has the owner's id. `tweets.csv`, at first
one file per month in `data/csv`, has the same tweets, every field quoted; a row ends at its last field that is not
empty, or has a field for each of several links. The month files are preferred: in CSV, some characters were lost ("?"
for curly quotation marks).

Never reads deleted tweets, community tweets, messages, likes or any other file of the archive.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import islice

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import Member
from engine.corpus.readers.csv_records import csv_records
from engine.corpus.readers.json_values import JsonFile, as_json, as_object
from engine.corpus.readers.networks.posts import PRIVATE_EXAMPLE
from engine.corpus.readers.networks.x_notes import NoteTweets
from engine.corpus.readers.reader import EMPTY, ONLY_A_LINK, RETWEET, DroppedRow, Format, Row, Source, example
from engine.corpus.readers.table import TOO_FEW_COLUMNS
from engine.corpus.readers.text_reader import decoded_lines
from engine.errors import CorpusError
from engine.text import counted

MAX_CIRCLE_TWEETS = 1_000_000

_PART = r"(?:-part(\d{1,6}))?\.js"
_FILES = {
    "tweets": re.compile(f"tweets?{_PART}"),
    "month": re.compile(r"\d{4}_\d\d\.js"),
    "table": re.compile(r"tweets\.csv"),
    "month table": re.compile(r"\d{4}_\d\d\.csv"),
    "notes": re.compile(f"note-tweets?{_PART}"),
    "circle": re.compile(f"twitter-circle-tweets?{_PART}"),
    "manifest": re.compile(f"manifest{_PART}"),
    "user": re.compile(r"user_details\.js"),
}
"""The files that are read, by their names; those with tweets first, and the preferred ones of these."""
_SINCE_2018 = ("tweets", "notes", "circle", "manifest")
_BEFORE_2018 = ("month", "table", "month table")
"""Kinds of files with the same tweets: only the first one that an archive has is read."""
_VARIABLES = {
    "tweets": re.compile("tweets?"),
    "month": re.compile(r"tweets(?:_\w+)?"),
    "notes": re.compile("note_tweets?"),
    "circle": re.compile("twitter_circle_tweets?"),
}
_OTHER_FILE = re.compile(
    r"(?:direct-message(?:s|-headers|s?-group|-group-headers)|tweet-headers|deleted-tweet-headers|ad-engagements"
    r"|ad-impressions|ip-audit|ni-devices|ageinfo|personalization|screen-name-change|user-link-clicks"
    rf"|account-creation-ip|periscope-[\w-]+){_PART}"
)
"""Files that only an archive since 2018 has, also one without tweets."""
_DATA_FOLDER = re.compile(r"(?:^|/)data$")
_OLD_FOLDERS = re.compile(r"(?:^|/)(?:(?:data/)?(?:js/)?tweets|(?:data/)?(?:js|csv))$")
_ASSIGNMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:window\.(?:YTD\.(?P<new>\w+)\.part\d+|(?P<manifest>__THAR_CONFIG))"
    rb"|Grailbird\.data\.(?P<month>\w+)|var\s+(?P<details>user_details|payload_details|tweet_index))\s*="
)
_LAST_SEMICOLON = re.compile(rb";\s*\Z")
_COLUMNS = {"tweet_id", "in_reply_to_status_id", "in_reply_to_user_id", "timestamp", "text", "retweeted_status_id"}
_HINT = (
    "Give the archive's zip or folder, or its data/tweets.js; of one before 2019, tweets.csv or the files in data/js."
)
_LINK = re.compile(r"(?<!\s)\s*(?:\(https?://t\.co/\w+\)|https?://t\.co/\w+)")
_REPLY_FIELDS = ("in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_user_id", "in_reply_to_screen_name")


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a file of an archive, of any kind."""
    return _ASSIGNMENT.match(head) is not None or _starts_with_columns(head)


def has_private_posts(head: bytes) -> bool:
    """Return whether a file starts as one of an archive since 2018: its tweets may be circle tweets."""
    found = _ASSIGNMENT.match(head)
    return found is not None and found.lastgroup in {"new", "manifest"}


def root_of(name: str) -> str | None:
    """Return the folder of the archive to which the file at a path belongs; None if the file is not read.

    Since 2018, the files that are read are in the archive's `data` folder or at its top.
    """
    kind, folder = _kind_of(name), name.rpartition("/")[0]
    if not kind or (kind in _SINCE_2018 and folder and not _DATA_FOLDER.search(folder)):
        return None
    root = (_DATA_FOLDER if kind in _SINCE_2018 else _OLD_FOLDERS).sub("", folder)
    return f"{root}/" if root else ""


def closes(name: str) -> str | None:
    """Return the folder of the archive that has a file with this path, if only archives have files of its name."""
    folder, _, file_name = name.rpartition("/")
    if not _DATA_FOLDER.search(folder) or _OTHER_FILE.fullmatch(file_name) is None:
        return None
    root = _DATA_FOLDER.sub("", folder)
    return f"{root}/" if root else ""


def main_first(member: Member) -> int:
    """Return a sort key that puts the files with tweets first: the preferred kind, in order of parts or months."""
    with_tweets = list(_FILES)[:4]
    kind = _kind_of(member.name)
    rank = with_tweets.index(kind) if kind in with_tweets else len(with_tweets)
    return 1_000_000 * rank + int("0" + "".join(filter(str.isdecimal, member.name.rpartition("/")[2]))[:6])


def x_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per tweet, of all parts or months in order, then the unmatched long notes as dropped rows.

    Without a `root_of`, one of several members is ignored. Raises `CorpusError` if there are no tweets, or the
    content of a file does not match its name.
    """
    files: defaultdict[str, list[Member]] = defaultdict(list)
    if len(members) == 1:
        files[_kind_by_content(members[0])].append(members[0])
    else:
        for member in sorted(members, key=lambda each: (main_first(each), each.name)):
            if root_of(member.name) is not None:
                files[_kind_of(member.name)].append(member)
    if kind := next((kind for kind in _BEFORE_2018 if files[kind]), ""):
        if unread := [file for each in ("month table", "table") if each != kind for file in files[each]]:
            source.notes.append(f"read from {_listed(files[kind])}, not again from {_listed(unread)}")
        tweets = _Tweets(config, NoteTweets(source.name))
        yield from _rows(files[kind], kind, files["user"], tweets, source)
    if not kind or any(files[each] for each in _SINCE_2018):
        if not files["tweets"]:
            raise CorpusError(
                f"{source.name} has no tweets.js.", "Give the whole archive: the zip from X, or the extracted folder."
            )
        notes = NoteTweets(source.name)
        for note in _items(files["notes"], "notes", source):
            notes.add(note)
        circle_ids = _circle_ids(_items(files["circle"], "circle", source), source.name)
        yield from _rows(files["tweets"], "tweets", files["manifest"], _Tweets(config, notes, circle_ids), source)
        for _ in range(notes.num_unmatched):
            yield DroppedRow("long note without its tweet", example("note-tweet.js", PRIVATE_EXAMPLE))


def _kind_of(name: str) -> str:
    """Return which of `_FILES` is at a path; "" if none."""
    file_name = name.rpartition("/")[2]
    return next((kind for kind, pattern in _FILES.items() if pattern.fullmatch(file_name)), "")


def _kind_by_content(member: Member) -> str:
    """Return the kind of a single file with tweets; "tweets" for any other, which is refused when it is read."""
    head = member.head()
    if _starts_with_columns(head):
        return "table"
    assigned = _ASSIGNMENT.match(head)
    return "month" if assigned and assigned.lastgroup in {"month", "details"} else "tweets"


def _listed(files: Sequence[Member]) -> str:
    """Return the first file and the number of the others."""
    return files[0].name + (f" + {len(files) - 1:,} more" if len(files) > 1 else "")


@dataclass
class _Tweets:
    """Converts the tweets of an archive to rows, in order, and counts what it changes."""

    config: CorpusConfig
    notes: NoteTweets
    circle_ids: frozenset[str] = frozenset()
    owner: str = ""
    """Account id of the owner, or ""."""
    num_without_links: int = 0
    num_long: int = 0
    num_protected: int = 0

    def row(self, entry: object, where: str) -> Row:
        """Return the text of a tweet, that of its long note if it has one, without t.co links, or why it is dropped."""
        tweet = _unwrapped(entry)
        whole = as_object(tweet.get("extended_tweet")).get("full_text")  # of the API's version 1.1, which cuts `text`
        texts = (whole, tweet.get("full_text"), tweet.get("text"))
        text = next((each for each in texts if isinstance(each, str)), None)
        if text is None:
            return DroppedRow("not a tweet", example(where, as_json(entry)))
        created = tweet.get("created_at")
        if _id(tweet, "id") in self.circle_ids:
            self.notes.pop_full_text(text, created)  # else it would count as a note without a tweet
            return DroppedRow("circle tweet", example(where, PRIVATE_EXAMPLE))
        if text.startswith("RT @") or tweet.get("retweeted_status") or tweet.get("retweeted_status_id"):
            return DroppedRow(RETWEET, example(where, text))
        long_text = self.notes.pop_full_text(text, created)
        text = long_text or text
        if self.config.no_replies and _is_reply_to_others(tweet, self.owner):
            return DroppedRow("reply", example(where, text))
        self.num_long += long_text is not None
        if not self.config.keep_links and _LINK.search(text):
            without_links = _LINK.sub("", text).strip()
            if not without_links:
                return DroppedRow(ONLY_A_LINK, example(where, text))
            self.num_without_links += 1
            text = without_links
        self.num_protected += as_object(tweet.get("user")).get("protected") is True
        return text


def _rows(
    files: Sequence[Member], kind: str, owner_files: Sequence[Member], tweets: _Tweets, source: Source
) -> Iterator[Row]:
    """Yield a row per tweet of files of a kind. Raises `CorpusError` if there are none."""
    tweets.owner = next((_own_id(file, source) for file in owner_files), "")
    if tweets.config.no_replies and not tweets.owner:
        tweets.owner = _owner_of(_items(files, kind, replace(source, notes=[])))
    number = 0
    for number, entry in enumerate(_items(files, kind, source), start=1):
        yield entry if isinstance(entry, DroppedRow) else tweets.row(entry, f"tweet {number:,}")
    if not number:
        raise CorpusError(
            f"{source.name} has no tweets: its owner never tweeted, or deleted them all.",
            "Give the archive of an account that has tweets, or another file.",
        )
    if count := tweets.num_without_links:
        source.notes.append(f"links removed from {counted(count, 'tweet')}; --keep-links keeps them")
    if count := tweets.num_long:
        source.notes.append(f"{counted(count, 'long tweet')} read from note-tweet.js")
    if count := tweets.num_protected:
        source.notes.append(f"{counted(count, 'tweet')} of a protected account included")


def _items(files: Sequence[Member], kind: str, source: Source) -> Iterator[object]:
    """Yield the items of the arrays in files of a kind, or the rows of tables.

    Raises `CorpusError` if a file is damaged or of another kind.
    """
    for member in files:
        if kind in {"table", "month table"}:
            yield from _table_tweets(member, source)
            continue
        variable, content = _assigned(member, source)
        if not _VARIABLES[kind].fullmatch(variable):
            raise CorpusError(f"{source.name_of(member)} {_description(variable)}.", _HINT)
        yield from content.items()


def _assigned(member: Member, source: Source) -> tuple[str, JsonFile]:
    """Return the variable to which a file assigns, "" for another file, and the content from the value on."""
    content = JsonFile(member, source)
    if last := _LAST_SEMICOLON.search(content.data, len(content.data) - 100):
        content.data = content.data[: last.start()]
    assigned = _ASSIGNMENT.match(content.data)
    if assigned is None or assigned.lastgroup is None:
        return "", content
    content.start = assigned.end()
    return assigned[assigned.lastgroup].decode(), content


def _description(variable: str) -> str:
    """Return what a file is whose variable is not the wanted one, to follow its name in a message."""
    if _VARIABLES["notes"].fullmatch(variable):
        return "contains only the long tweets"
    if _VARIABLES["circle"].fullmatch(variable):
        return "contains only circle tweets, which are private"
    if variable == "__THAR_CONFIG":
        return "is only the manifest, not the tweets of an X archive"
    return f"is a file {f'of {variable}' if variable else 'of another kind'}, not the tweets of an X archive"


def _own_id(member: Member, source: Source) -> str:
    """Return the account id in `manifest.js` or `user_details.js`, or ""."""
    variable, content = _assigned(member, source)
    value = content.decoded(content.root()) if variable in {"__THAR_CONFIG", "user_details"} else None
    user = as_object(as_object(value).get("userInfo", value))
    account_id = user.get("accountId", user.get("id"))
    return account_id if isinstance(account_id, str) else ""


def _columns(header: str) -> list[str]:
    """Return the column names in the first line of `tweets.csv`; [] for another file."""
    names = [name.strip().strip('"').casefold() for name in header.split(",")]
    return names if _COLUMNS.issubset(names) else []


def _starts_with_columns(head: bytes) -> bool:
    """Return whether a file starts with the column names of `tweets.csv`."""
    return bool(_columns(head.decode("utf-8-sig", "replace").partition("\n")[0]))


def _table_tweets(member: Member, source: Source) -> Iterator[object]:
    """Yield the tweets of a table as objects by column name, or as dropped rows."""
    with closing(member.open()) as file:
        lines = decoded_lines(file, source)
        header = next(lines, None)
        names = _columns(header) if isinstance(header, str) else []
        if not names:
            raise CorpusError(f"{source.name_of(member)} has no column names in its first line.", _HINT)
        for record in csv_records(lines, ","):
            if isinstance(record, DroppedRow):
                yield record
                continue
            number, fields = record
            if len(fields) <= names.index("text"):
                reason = TOO_FEW_COLUMNS if fields else EMPTY
                yield DroppedRow(reason, example(f"line {number + 1}", ",".join(fields)))
            else:
                tweet = dict(zip(names, fields, strict=False))  # a row may end early, or have more links
                yield {**tweet, "id_str": tweet["tweet_id"]}


def _owner_of(tweets: Iterable[object]) -> str:
    """Return the account id of the owner: the author of the tweets, or inferred from their replies to each other.

    Stores only ids. Returns "" if no tweet has an author or replies to another. Damage is reported later, when the
    texts are read.
    """
    own: set[str] = set()
    answered: list[tuple[str, str]] = []
    with suppress(CorpusError):
        for tweet in map(_unwrapped, tweets):
            if isinstance(author := as_object(tweet.get("user")).get("id_str"), str):
                return author
            ids = [_id(tweet, field) for field in ("id", "in_reply_to_status_id", "in_reply_to_user_id")]
            own.add(ids[0])
            if all(ids):
                answered.append((ids[1], ids[2]))
    accounts = Counter(account for tweet_id, account in answered if tweet_id in own)
    return accounts.most_common(1)[0][0] if accounts else ""


def _circle_ids(entries: Iterable[object], name: str) -> frozenset[str]:
    """Return the ids of circle tweets. Raises `CorpusError` that names the archive `name` if there are too many."""
    ids = [_id(_unwrapped(entry), "id") for entry in islice(entries, MAX_CIRCLE_TWEETS + 1)]
    if len(ids) > MAX_CIRCLE_TWEETS:
        raise CorpusError(
            f"{name} has over {MAX_CIRCLE_TWEETS:,} circle tweets.",
            "That is too many for one account; check the file twitter-circle-tweet.js.",
        )
    return frozenset(ids) - {""}


def _unwrapped(entry: object) -> dict[str, object]:
    """Return the object of a tweet, which archives since 2019 wrap in another one; empty for anything else."""
    return as_object(as_object(entry).get("tweet", entry))


def _is_reply_to_others(tweet: dict[str, object], owner: str) -> bool:
    """Return whether a tweet replies to another account; a continued thread does not count if the owner is known."""
    reply_to = tweet.get("in_reply_to_user_id_str") or tweet.get("in_reply_to_user_id")
    return any(tweet.get(field) for field in _REPLY_FIELDS) and not (owner and reply_to == owner)


def _id(tweet: dict[str, object], field: str) -> str:
    """Return an id of a tweet as a string, "" without one; as a number it may be rounded."""
    return next((each for each in (tweet.get(f"{field}_str"), tweet.get(field)) if each and isinstance(each, str)), "")


X = Format(
    name="x",
    rows=x_rows,
    suffixes=(".js", "tweets.csv"),
    looks_like=looks_like,
    has_private_posts=has_private_posts,
    root_of=root_of,
    closes=closes,
    main_first=main_first,
    never_read="messages, deleted tweets, community tweets and media",
)
