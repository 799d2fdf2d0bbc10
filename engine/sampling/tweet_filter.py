"""`TweetFilter`: the reasons for which a draft is refused. Avoided words and required text are found by `engine.text`.

A filter that no draft can pass is an error (`require_samplable`, `SamplingConfig.require_satisfiable`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from engine.config.sampling import SamplingConfig
from engine.corpus.similarity.novelty import novelty_of
from engine.errors import VocabError
from engine.model.vocab import Vocab, named_chars
from engine.protocol.events import RefusalReason
from engine.sampling.sampler import SampledTweet
from engine.text import comparable, harmless, has_word

CopiedShare = Callable[[str], float]
"""Returns the share, 0 to 1, of a text's characters in long runs from a training tweet, as `NoveltyIndex` does."""


class TweetFilter:
    """The filter of one `SamplingConfig`."""

    def __init__(self, sampling: SamplingConfig, copied_share: CopiedShare | None) -> None:
        """`copied_share` may be None unless `sampling.only_new`."""
        self.best_of = sampling.best_of
        self.max_length = sampling.max_length
        self.is_greedy = sampling.temperature == 0
        """Whether all drafts are the same."""
        self._sampling = sampling
        self._copied_share = copied_share if sampling.only_new else None
        self._avoided = tuple(dict.fromkeys(map(comparable, sampling.avoid)))
        self._required = comparable(sampling.must_contain)

    def reasons(self, draft: SampledTweet) -> tuple[RefusalReason, ...]:
        """Return the reasons against a draft, in the order of `RefusalReason`; () if it passes."""
        if not self._sampling.has_filter:
            return ()
        text = comparable(harmless(draft.text))
        novelty = "new" if self._copied_share is None else novelty_of(self._copied_share(draft.text))
        claims: dict[RefusalReason, bool] = {
            "copy": novelty == "copy",
            "near-copy": novelty == "near-copy",
            "avoided word": any(has_word(text, word) for word in self._avoided),
            "required text missing": self._required not in text,
            "too short": len(draft.text) < self._sampling.min_length,
            "unfinished": not draft.reached_eos,
        }
        return tuple(reason for reason, is_true in claims.items() if is_true)


def require_samplable(sampling: SamplingConfig, vocab: Vocab) -> None:
    """Raise `VocabError` where the vocabulary lacks a character of the prime, or one without which no draft passes.

    A required character may come from another one that is equal without case, or from its letter and marks.
    """
    vocab.encode_strict(sampling.prime)
    known = {part for char in vocab.chars for part in comparable(char)}
    missing = [
        char
        for char in dict.fromkeys(comparable(sampling.must_contain))
        if char not in known and not known.issuperset(unicodedata.normalize("NFD", char))
    ]
    if missing:
        raise VocabError(
            f"No tweet can contain “{sampling.must_contain}”: the vocabulary lacks {named_chars(missing)}.",
            "Change --must-contain, or leave it out.",
        )
