"""`TweetFilter`: the reasons for which a draft is refused.

Text is compared without case, in NFC and with line breaks as blanks. An avoided word is found as a whole word, as by
`grep -w`: no letter, digit, underscore, combining mark or joiner may touch it. So "art" is not in "party" and "art_2",
but in "art's", "@art" and "#art", while "@art" is only the name. Where a script has no blanks between words (Chinese,
Japanese, Thai, Lao, Burmese, Khmer), any place between two characters is the end of a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from engine.config.sampling import SamplingConfig
from engine.corpus.similarity.novelty import novelty_of
from engine.protocol.events import RefusalReason
from engine.sampling.sampler import SampledTweet
from engine.text import LINE_BREAK, harmless

CopiedShare = Callable[[str], float]
"""Returns the share, 0 to 1, of a text's characters in long runs from a training tweet, as `NoveltyIndex` does."""
_SELECTORS = re.compile("[\ufe0e\ufe0f]")
_JOINERS = frozenset("\u200c\u200d")
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U00020000-\U0003ffff]"
)
"""Letters of scripts without blanks between words."""


class TweetFilter:
    """The filter of one `SamplingConfig`."""

    def __init__(self, sampling: SamplingConfig, copied_share: CopiedShare | None) -> None:
        """`copied_share` may be None unless `sampling.only_new`."""
        self.best_of = sampling.best_of
        self.is_greedy = sampling.temperature == 0
        """Whether all drafts are the same."""
        self._sampling = sampling
        self._copied_share = copied_share if sampling.only_new else None
        self._avoided = tuple(dict.fromkeys(map(_comparable, sampling.avoid)))
        self._required = _comparable(sampling.must_contain)

    def reasons(self, draft: SampledTweet) -> tuple[RefusalReason, ...]:
        """Return the reasons against a draft, in the order of `RefusalReason`; () if it passes."""
        if not self._sampling.has_filter:
            return ()
        shown = harmless(draft.text)
        text = _comparable(shown)
        novelty = "new" if self._copied_share is None else novelty_of(self._copied_share(draft.text))
        claims: dict[RefusalReason, bool] = {
            "copy": novelty == "copy",
            "near-copy": novelty == "near-copy",
            "avoided word": any(_has_word(text, word) for word in self._avoided),
            "required text missing": self._required not in text,
            "too short": len(shown) < self._sampling.min_length,
            "unfinished": not draft.reached_eos,
        }
        return tuple(reason for reason, is_true in claims.items() if is_true)


def _comparable(text: str) -> str:
    """Return text as it is compared: without case and emoji selectors, in NFC, line breaks as blanks."""
    text = _SELECTORS.sub("", text.replace(LINE_BREAK, " "))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _has_word(text: str, word: str) -> bool:
    """Return whether a word or phrase, not empty, occurs in `text` as whole words; both are comparable."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not _is_inside_word(text[at - 1 : at + 1]) and not _is_inside_word(text[end - 1 : end + 1]):
            return True
        at = text.find(word, at + 1)
    return False


def _is_inside_word(pair: str) -> bool:
    """Return whether two characters in sequence belong to one word; an end of the text has fewer than two."""
    if len(pair) < 2:
        return False
    if _is_mark(pair[1]) or _JOINERS.intersection(pair):
        return True
    return all(char.isalnum() or char == "_" or _is_mark(char) for char in pair) and not _WITHOUT_BLANKS.search(pair)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"
