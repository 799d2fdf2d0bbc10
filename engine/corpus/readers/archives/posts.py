"""What the readers of networks share: how links are shown in posts, and the notes on what was left out or included.

Networks show `a.example/very/lo…` for a link, which nobody types. So a shown address is removed, or with --keep-links
replaced by the whole one; other text of a link, such as a mention, a hashtag or words, is the author's and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

DIRECT_MESSAGE = "direct message"
FOR_FOLLOWERS = "for followers only"
ONLY_A_LINK = "only a link"
SENSITIVE = "marked as sensitive"
PRIVATE_EXAMPLE = "its text is not shown"
"""Example of a dropped row whose text is private."""

_TYPED_LINK = re.compile(
    r"(?<! ) *(?:\(https?://[!-'*-~]+\)|(?<![a-z0-9])(?:https?://|www\.(?=[a-z0-9]))[!-~]*[a-z0-9/_=&#%~+-])",
    re.IGNORECASE,
)
"""An address in plain text, without the punctuation after it; Japanese words follow it without a blank."""


@dataclass
class PostCounts:
    """Counts for the notes of a source."""

    without_links: int = 0
    for_followers: int = 0
    with_warnings: int = 0

    def notes(self) -> Iterator[str]:
        """Yield a note for each count."""
        if self.without_links:
            yield f"links removed from {_posts(self.without_links)}; --keep-links keeps them"
        if self.for_followers:
            yield f"{_posts(self.for_followers)} for followers only included"
        if self.with_warnings:
            yield f"content warnings of {_posts(self.with_warnings)} not included; --no-sensitive skips such posts"


def is_address(shown: str, url: str) -> bool:
    """Return whether the text of a link is its address, possibly shortened, rather than words."""
    if len(shown.split()) != 1:
        return False
    bare = _bare(shown)
    if len(bare) < len(shown):
        return True
    bare = bare.rstrip(".…/")
    return "." in bare and _bare(url).startswith(bare)


def without_typed_links(text: str) -> str:
    """Return plain text without the links in it."""
    return _TYPED_LINK.sub("", text)


def _bare(address: str) -> str:
    """Return an address in lower case without protocol and www."""
    return address.lower().removeprefix("http://").removeprefix("https://").removeprefix("www.")


def _posts(count: int) -> str:
    return f"{count:,} post{'' if count == 1 else 's'}"
