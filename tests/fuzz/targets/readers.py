"""Files of tweets in every format, compressed or not, with every --format.

The first byte of an input selects the format, the second the suffix; the rest is the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus import cache
from engine.corpus.loading import load_corpus
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of, zstd_of
from tests.engine.corpus.reading import cases, encoded
from tests.fuzz.target import Target, require_plain

_FORMATS = get_args(FileFormat)
_ENDINGS = (
    *("txt", "csv", "tsv", "json", "jsonl", "js", "zip", "tar", "gz", "zst", "parquet", "car", "html"),
    "bin",
)
_TWEETS = "\n".join(f"tweet number {number} of a made-up morning" for number in range(30)).encode()


def seeds() -> tuple[bytes, ...]:
    """Return the first file of each recorded case, and tweets enough for a corpus, packed in every way."""
    found = [
        _seed(str(case.options[0].get("format", "auto")), name.rpartition(".")[2], encoded(content))
        for each in ("csv", "labels", "json", "jsonl", "x", "x_old", "mastodon", "bluesky", "text", "not_refused")
        for case in cases(each)
        for name, content in list(case.files.items())[:1]
    ]
    files = {"a.txt": _TWEETS, "a.jsonl": b'{"text": "a nice day"}\n'}
    packed = {"zip": zip_of(files), "tar": tar_of(files), "gz": gzip_of(_TWEETS), "zst": zstd_of(_TWEETS)}
    found += [_seed("auto", ending, content) for ending, content in packed.items()]
    texts = (_TWEETS, b"\n%\n".join(_TWEETS.splitlines()), _TWEETS.replace(b"number", rb"it\u2019s"))
    found += [_seed("text", "txt", text) for text in texts]
    for text, encoding in (("今天天气真好，{}", "gbk"), ("доброе утро, {}", "koi8-r")):
        found.append(_seed("csv", "bin", "".join(text.format(f"{n}\n") for n in range(30)).encode(encoding)))
    return tuple(found)


def _seed(file_format: str, ending: str, content: bytes) -> bytes:
    ending = ending if ending in _ENDINGS else "bin"
    return bytes([_FORMATS.index(file_format), _ENDINGS.index(ending)]) + content


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
