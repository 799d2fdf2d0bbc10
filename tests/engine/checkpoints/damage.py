"""Modifies the bytes of checkpoint files: with or without correct checksums."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any


def header_size(content: bytes) -> int:
    """Return the length of a safetensors header: eight bytes of length, and the JSON text."""
    return 8 + int(struct.unpack("<Q", content[:8])[0])


def with_metadata(content: bytes, **changes: str | None) -> bytes:
    """Return a checkpoint with some metadata strings replaced; None removes one."""
    size = header_size(content)
    header = json.loads(content[8:size])
    metadata = {**header["__metadata__"], **changes}
    header["__metadata__"] = {key: value for key, value in metadata.items() if value is not None}
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + content[size:]


def with_info_text(content: bytes, text: str) -> bytes:
    """Return a checkpoint with this text as its info and a correct SHA-256."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return with_metadata(content, tweetgen=text, tweetgen_info_sha256=digest)


def with_header(content: bytes, **tensors: dict[str, Any] | None) -> bytes:
    """Return a checkpoint with other header entries for some tensors; None removes one."""
    size = header_size(content)
    header = {**json.loads(content[8:size]), **tensors}
    return with_raw_header({name: entry for name, entry in header.items() if entry is not None}, content[size:])


def with_raw_header(head: object, data: bytes = b"") -> bytes:
    """Return a file with this header, a JSON value or bytes, before its data."""
    text = head if isinstance(head, bytes) else json.dumps(head, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + data


def signed_info(content: bytes, **changes: Any) -> bytes:
    """Return a checkpoint with a changed info, or changed parts of it, and a correct SHA-256."""
    info = json.loads(json.loads(content[8 : header_size(content)])["__metadata__"]["tweetgen"])
    for name, value in changes.items():
        next((part for part in (info["progress"], info["computation"]) if name in part), info)[name] = value
    return with_info_text(content, json.dumps(info))
