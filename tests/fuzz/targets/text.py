"""Arbitrary text, cleaned and sanitized."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from engine.text import clean, defused, harmless, harmless_char, with_single_blanks
from tests import hostile
from tests.fuzz.target import Target, require_plain


def make(_: Path) -> Target:
    """Return the target."""
    seeds = tuple(text.encode("utf-8", "surrogatepass") for text in (*hostile.TEXTS.values(), "a nice day", "ẞ ☕ é"))
    tokens = tuple(f"{text}".encode("utf-8", "surrogatepass") for text in ("&amp;", "&#", "\u200d", "\ufe0f", "\u0316"))
    return Target(name="text", seeds=seeds, tokens=tokens, check=_check, max_seconds=0.5)


def _check(data: bytes) -> str:
    """Clean a text, and sanitize it with every function."""
    text = (
        data.decode("utf-8", "surrogatepass" if len(data) % 2 else "replace")
        if _is_text(data)
        else data.decode("latin-1")
    )
    cleaned, shown, safe = clean(text), harmless(text), defused(text)
    require_plain(cleaned, shown, safe, *map(harmless_char, text[:200]))
    assert harmless(shown) == shown
    assert defused(safe) == safe
    assert len(shown) <= 4000
    assert with_single_blanks(cleaned) == cleaned
    kinds = sorted({unicodedata.category(char) for char in cleaned})
    return f"{'s' * len(shown).bit_length()} {shown == text} {safe == text} {' '.join(kinds)}"


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
