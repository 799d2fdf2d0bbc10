"""Files of tweets in every format, compressed or not, with every --format.

The first byte of an input selects the format, the second the suffix; the rest is the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus import cache
from engine.corpus.loading import load_corpus
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of, zstd_of
from tests.fuzz.target import Target, require_plain

_FORMATS = get_args(FileFormat)
_ENDINGS = (
    *("txt", "csv", "tsv", "json", "jsonl", "js", "zip", "tar", "gz", "zst", "parquet", "car", "html"),
    "bin",
)
_TWEETS = [f"tweet number {number} of a made-up morning" for number in range(30)]


def seeds() -> tuple[bytes, ...]:
    """Return a small file in every text format."""
    rows = [{"id": number, "text": tweet} for number, tweet in enumerate(_TWEETS)]
    plain = "\n".join(_TWEETS).encode()
    csv = "id,text\n" + "".join(f'{number},"{tweet}"\n' for number, tweet in enumerate(_TWEETS))
    sentiment = "".join(f'"4","{n}","Mon Apr 06","NO_QUERY","somebody","{tweet}"\n' for n, tweet in enumerate(_TWEETS))
    archive = "window.YTD.tweets.part0 = " + json.dumps(
        [{"tweet": {"id": str(row["id"]), "full_text": row["text"], "entities": {"urls": []}}} for row in rows]
    )
    month = "Grailbird.data.tweets_2012_01 = " + json.dumps(
        [{"id_str": str(n), "text": t} for n, t in enumerate(_TWEETS)]
    )
    table = "tweet_id,in_reply_to_status_id,in_reply_to_user_id,timestamp,source,text,retweeted_status_id\n"
    table += "".join(f'"{number}","","","2012","web","{tweet}"\n' for number, tweet in enumerate(_TWEETS))
    outbox = {
        "orderedItems": [
            {"type": "Create", "object": {"type": "Note", "content": f"<p>{t}</p>", "to": "as:Public"}} for t in _TWEETS
        ]
    }
    captions = {"text_post_app_text_posts": [{"media": [{"uri": "", "title": tweet}]} for tweet in _TWEETS]}
    chat = "".join(f"[31/12/19, 9:41:00\u202fPM] Mia: {tweet}\n\u200eimage omitted\n" for tweet in _TWEETS)
    files = {
        ("text", "txt"): plain,
        ("csv", "csv"): csv.encode(),
        ("csv", "txt"): b'sep=;\n7;"a \\"quiet\\" sea"\n' * 30,
        ("auto", "tsv"): "".join(f'{n}\tneutral\t"{tweet}\n' for n, tweet in enumerate(_TWEETS)).encode(),
        ("auto", "csv"): sentiment.encode(),
        ("x", "js"): archive.encode(),
        ("auto", "js"): month.encode(),
        ("x", "csv"): table.encode(),
        ("mastodon", "json"): json.dumps(outbox).encode(),
        ("auto", "json"): json.dumps(captions).encode(),
        ("auto", "bin"): chat.encode(),
        ("jsonl", "jsonl"): "".join(json.dumps(row) + "\n" for row in rows).encode(),
        ("json", "json"): json.dumps({"data": rows}).encode(),
        ("auto", "jsonl"): "".join(
            json.dumps({"data": rows, "includes": {"tweets": rows}}) + "\n" for _ in "ab"
        ).encode(),
        ("json", "txt"): json.dumps({str(row["id"]): row for row in rows}).encode(),
        ("json", "csv"): json.dumps(
            {key: {str(n): row[key] for n, row in enumerate(rows)} for key in rows[0]}
        ).encode(),
        ("json", "tsv"): json.dumps({"columns": ["id", "text"], "data": [list(row.values()) for row in rows]}).encode(),
        ("json", "bin"): "".join(json.dumps(row) for row in rows).encode(),
        ("auto", "zip"): zip_of({"a.txt": plain, "data/tweets.js": archive.encode()}),
        ("csv", "bin"): "".join(f"{number},今天天气真好，{number}\n" for number in range(30)).encode("gbk"),
        ("auto", "txt"): "\n".join(f"доброе утро, {number}" for number in range(30)).encode("koi8-r"),
        ("text", "bin"): "\n%\n".join(_TWEETS).encode(),
        ("text", "tsv"): "\n".join(rf"it\u2019s {tweet}" for tweet in _TWEETS).encode(),
        ("auto", "tar"): tar_of({"a.csv": csv.encode()}),
        ("auto", "gz"): gzip_of(plain),
        ("auto", "zst"): zstd_of(plain),
        ("bluesky", "jsonl"): "".join(
            json.dumps({"$type": "app.bsky.feed.post", "text": tweet, "createdAt": "2026-01-01T00:00:00Z"}) + "\n"
            for tweet in _TWEETS
        ).encode(),
    }
    return tuple(_first_bytes(*kind) + content for kind, content in files.items())


def _first_bytes(file_format: str, ending: str) -> bytes:
    return bytes([_FORMATS.index(file_format), _ENDINGS.index(ending)])


def make(folder: Path) -> Target:
    """Return the target."""
    own = folder / "readers"
    own.mkdir()
    tokens = (
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b\x08",
        b"PAR1",
        b"BZh91AY&SY",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"&lt;",
        b"<br>",
    )
    return Target(name="readers", seeds=seeds(), tokens=tokens, check=lambda data: _check(own, data), max_seconds=4.0)


def _check(folder: Path, data: bytes) -> str:
    """Load a file as a corpus."""
    file_format, ending = data[:2].ljust(2, b"\0")
    path = folder / f"fuzz.{_ENDINGS[ending % len(_ENDINGS)]}"
    path.write_bytes(data[2:])
    config = CorpusConfig(files=(str(path),), format=_FORMATS[file_format % len(_FORMATS)])
    try:
        corpus = load_corpus(config)
    except CorpusError as error:
        require_plain(error.message, error.hint)
        return error.message
    finally:
        path.unlink()
        for entry in cache._folder().glob("*.safetensors"):
            entry.unlink()
    require_plain(*corpus.train, *corpus.validation)
    return f"{config.format} {path.suffix} {'n' * len(corpus.train).bit_length()}"
