"""Checkpoint files changed after they were written, as bytes: by somebody who knows the format, or only its place."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any


def header_size(content: bytes) -> int:
    """Return the length of a safetensors file's head: eight bytes of length, and the JSON text."""
    return 8 + int(struct.unpack("<Q", content[:8])[0])


def with_metadata(content: bytes, **changes: str | None) -> bytes:
    """Return a checkpoint with some of the texts in its metadata replaced; None leaves one out."""
    size = header_size(content)
    header = json.loads(content[8:size])
    header["__metadata__"] = {
        key: value for key, value in {**header["__metadata__"], **changes}.items() if value is not None
    }
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + content[size:]


def with_info_text(content: bytes, text: str) -> bytes:
    """Return a checkpoint with this text as its info, and the SHA-256 that belongs to it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return with_metadata(content, tweetgen=text, tweetgen_info_sha256=digest)


def with_info(content: bytes, **changes: Any) -> bytes:
    """Return a checkpoint whose info was changed after it was written."""
    header = json.loads(content[8 : header_size(content)])
    info = json.loads(header["__metadata__"]["tweetgen"])
    return with_metadata(content, tweetgen=json.dumps({**info, **changes}))


def with_header(content: bytes, **tensors: dict[str, Any] | None) -> bytes:
    """Return a checkpoint whose head says other things of some tensors; None leaves one out."""
    size = header_size(content)
    header = {**json.loads(content[8:size]), **tensors}
    return with_head({name: entry for name, entry in header.items() if entry is not None}, content[size:])


def with_head(head: object, data: bytes = b"") -> bytes:
    """Return a file with this head, JSON or bytes, before its data."""
    text = head if isinstance(head, bytes) else json.dumps(head, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + data


def signed_info(content: bytes, **changes: Any) -> bytes:
    """Return a checkpoint whose info was changed by somebody who knows how to make its SHA-256."""
    info = json.loads(json.loads(content[8 : header_size(content)])["__metadata__"]["tweetgen"])
    return with_info_text(content, json.dumps({**info, **changes}))
