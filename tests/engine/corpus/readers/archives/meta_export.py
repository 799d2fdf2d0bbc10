"""Builds files as Facebook, Instagram and Threads export them."""

from __future__ import annotations

import json


def as_exported(value: object) -> bytes:
    """Return a value as Meta writes it: each byte of a text's UTF-8 is one escaped Latin-1 character."""
    return _each_text(json.dumps(value, ensure_ascii=False, indent=2)).encode("ascii")


def _each_text(text: str) -> str:
    return "".join(char if char.isascii() else "".join(f"\\u{byte:04x}" for byte in char.encode()) for char in text)


def facebook(text: str | None, **fields: object) -> dict[str, object]:
    """Return a post of Facebook."""
    data = [] if text is None else [{"post": text}]
    return {
        "timestamp": 1242901624,
        "attachments": [{"data": [{"media": {"uri": "posts/media/a.jpg", "description": "of a photo"}}]}],
        "data": [*data, {"update_timestamp": 1242901630}],
        "title": "Mia Hill updated her status.",
        **fields,
    }


def picture(caption: str = "", **fields: object) -> dict[str, object]:
    """Return a picture or video of Instagram, or the text of a thread."""
    metadata = {"camera_metadata": {"has_camera_metadata": False}}
    return {
        "uri": "media/a.jpg",
        "creation_timestamp": 1573560000,
        "media_metadata": metadata,
        "title": caption,
        **fields,
    }


def thread(text: str, *, is_reply: bool = False) -> dict[str, object]:
    return {"media": [picture(text, text_app_post={"reply_control": "everyone", "is_reply": is_reply})]}
