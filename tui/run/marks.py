"""Marks on the curve of a run, the baselines that its model has to beat, and counts of the drafts of tweets. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from engine.config.sampling import SamplingConfig
from engine.protocol.events import RefusalReason, TweetSampled
from engine.text import counted, sanitize_line
from tui.text.numbers import format_duration
from tui.text.tweets import SETTING_LABELS, format_setting, reason_text, refused_text

if TYPE_CHECKING:
    from tui.run.view import RunView

MarkKind = Literal[
    "temperature", "filter", "learning rate", "batch size", "paused", "saved", "loaded", "finishing", "level"
]
MAX_MARKS = 2000
_MAX_VALUE_CHARS = 20


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark at a step at which a setting was changed, the run paused, a checkpoint saved or loaded."""

    step: int
    kind: MarkKind
    label: str
    """Shown beside the mark, in a few words."""


def with_mark(marks: tuple[Mark, ...], mark: Mark) -> tuple[Mark, ...]:
    """Return the marks with another, which replaces one of its kind at its step."""
    others = [each for each in marks if (each.step, each.kind) != (mark.step, mark.kind)]
    return (*others[-(MAX_MARKS - 1) :], mark)


def sampling_marks(step: int, before: SamplingConfig, after: SamplingConfig) -> Iterator[Mark]:
    """Yield the marks of changed sampling settings: temperature and filter, each with its new value."""
    if after.temperature != before.temperature:
        yield Mark(step=step, kind="temperature", label=f"temperature {after.temperature:.2f}")
    if not has_same_filter(before, after):
        changed = [name for name in DECISIVE_FIELDS if getattr(after, name) != getattr(before, name)]
        values = ", ".join(f"{SETTING_LABELS[name]} {_value(name, getattr(after, name))}" for name in changed)
        yield Mark(step=step, kind="filter", label=f"filter: {values}" if after.has_filter else "filter off")


def _value(name: str, value: object) -> str:
    """Return a setting of the filter: "on", "none", "20", "3 texts", "“morning”"."""
    if isinstance(value, tuple) and value:
        return counted(len(value), "text")
    return format_setting(name, sanitize_line(value, _MAX_VALUE_CHARS) if isinstance(value, str) else value)


# Baselines ------------------------------------------------------------------------------------------------------------

_NAMES = {"uniform": "uniform", "unigram": "unigram", "2-gram": "bigram"}
"""Shown names by the names of the event."""
_MEANINGS = {
    "uniform": "all characters equally likely",
    "unigram": "character frequencies only",
    "bigram": "predicts from 1 character",
}
_HIGHER_ORDER = re.compile(r"[3-9]-gram")
NUM_BASELINES = len(_NAMES) + 1


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The bits per character of a simple model of the same tweets, which the run's model has to beat.

    It is crossed at the first evaluation below it, and beaten while the latest one is (`RunView.is_beaten`).
    """

    name: str
    """"uniform", "unigram", "bigram", or of the best n-gram "6-gram"."""
    bits_per_char: float
    crossed_at: int | None = None
    """The step of the first evaluation below it; None before that."""

    @property
    def meaning(self) -> str:
        """What the simple model predicts from, in a few words."""
        return _MEANINGS.get(self.name) or f"predicts from {int(self.name[0]) - 1} characters"

    @property
    def sentence(self) -> str:
        """The sentence shown once the model has crossed it."""
        return f"Now better than the {self.name} model ({self.meaning})."


def baselines_from(
    names: Sequence[str], bits_per_char: Sequence[float], before: Sequence[Baseline] = ()
) -> tuple[Baseline, ...]:
    """Return measured baselines, in the order uniform, unigram, bigram, best n-gram.

    A baseline that equals one of `before` keeps the step at which that was crossed.
    """
    measured = dict(zip(names, bits_per_char, strict=False))  # only in an edited journal, the lengths differ
    higher = sorted((name for name in measured if _HIGHER_ORDER.fullmatch(name)), key=measured.__getitem__)
    crossed = {(baseline.name, baseline.bits_per_char): baseline.crossed_at for baseline in before}
    shown = [(_NAMES.get(name, name), measured[name]) for name in (*_NAMES, *higher[:1]) if name in measured]
    return tuple(Baseline(name=name, bits_per_char=its, crossed_at=crossed.get((name, its))) for name, its in shown)


def has_all(baselines: Sequence[Baseline]) -> bool:
    """Return whether the best n-gram is among the baselines, not only those that are measured first."""
    return len(baselines) == NUM_BASELINES


def newly_crossed(before: Sequence[Baseline], baselines: Sequence[Baseline], from_step: int) -> Baseline | None:
    """Return the hardest of the baselines crossed since `before`, at a step later than `from_step`, if any."""
    crossed_before = {each.name for each in before if each.crossed_at is not None}
    new = [each for each in baselines if (each.crossed_at or 0) > from_step and each.name not in crossed_before]
    return new[-1] if new else None


def with_crossings(baselines: tuple[Baseline, ...], evaluations: Iterable[tuple[int, float]]) -> tuple[Baseline, ...]:
    """Return the baselines after evaluations, each a step and its bits per character, in order."""
    for step, bits in evaluations:
        crossed = {each.name for each in baselines if each.crossed_at is None and bits < each.bits_per_char}
        if crossed:
            baselines = tuple(replace(each, crossed_at=step) if each.name in crossed else each for each in baselines)
    return baselines


def uncrossed_after(baselines: tuple[Baseline, ...], step: int) -> tuple[Baseline, ...]:
    """Return the baselines without the crossings after `step`, to which the run went back."""
    if not any((each.crossed_at or 0) > step for each in baselines):
        return baselines  # the same object
    return tuple(replace(each, crossed_at=None) if (each.crossed_at or 0) > step else each for each in baselines)


def baseline_marks(baselines: Sequence[Baseline]) -> tuple[Mark, ...]:
    """Return a mark at each step at which baselines were crossed, for the hardest of them."""
    hardest = {baseline.crossed_at: baseline.name for baseline in baselines if baseline.crossed_at is not None}
    return tuple(Mark(step=step, kind="level", label=f"better than the {name} model") for step, name in hardest.items())


# Drafts ---------------------------------------------------------------------------------------------------------------

DECISIVE_FIELDS = ("only_new", "avoid", "must_contain", "min_length", "max_length", "best_of")
"""The settings that decide which drafts pass: the filter and the maximum length, in the order of its dialog."""


def has_same_filter(sampling: SamplingConfig, other: SamplingConfig) -> bool:
    """Return whether both refuse the same drafts."""
    if not (sampling.has_filter and other.has_filter):
        return sampling.has_filter == other.has_filter
    return all(getattr(sampling, name) == getattr(other, name) for name in DECISIVE_FIELDS)


@dataclass(frozen=True, kw_only=True)
class DraftCounts:
    """The drafts since the filter was last changed."""

    num_drafts: int = 0
    num_shown: int = 0
    """Tweets: the drafts that were chosen."""
    num_failing: int = 0
    """Tweets that do not pass the filter, as no draft did."""
    refused: tuple[tuple[RefusalReason, int], ...] = ()
    """Refused drafts by reason, in the order of `RefusalReason`; those of the failing tweets are among them."""

    def plus(self, num_drafts: int, refused: Iterable[tuple[RefusalReason, int]], *, is_failing: bool) -> DraftCounts:
        """Return the counts with the drafts of one more tweet."""
        counts = Counter(dict(self.refused)) + Counter(dict(refused))
        return DraftCounts(
            num_drafts=self.num_drafts + num_drafts,
            num_shown=self.num_shown + 1,
            num_failing=self.num_failing + is_failing,
            refused=tuple((reason, counts[reason]) for reason in get_args(RefusalReason) if counts[reason]),
        )


def num_refused_text(counts: DraftCounts) -> str:
    """Return how many of the drafts were not chosen: "33 of 38 drafts refused", "none of 5 drafts refused"."""
    num_refused = counts.num_drafts - (counts.num_shown - counts.num_failing)
    shown = f"{num_refused:,}" if num_refused else "none"
    return f"{shown} of {counted(counts.num_drafts, 'draft')} refused"


def drafts_text(counts: DraftCounts) -> str:
    """Return how many drafts were not chosen, and why: "33 of 38 drafts refused: 20 copies, 13 with avoided words"."""
    reasons = [refused_text(counts.refused)] if counts.refused else []
    num_passing = counts.num_drafts - sum(count for _, count in counts.refused)
    if num_passed_over := num_passing - (counts.num_shown - counts.num_failing):
        reasons.append(f"{num_passed_over:,} with more bits per character")
    return ": ".join(filter(None, (num_refused_text(counts), ", ".join(reasons))))


def refusals_of(tweet: TweetSampled) -> str:
    """Return why the other drafts of a tweet were refused, as `drafts_text` does; empty if it was the only draft."""
    if tweet.num_drafts == 1:
        return ""
    return drafts_text(DraftCounts().plus(tweet.num_drafts, tweet.refused, is_failing=bool(tweet.unmet)))


def failure_of(tweet: TweetSampled) -> str:
    """Return the reasons against a tweet of which no draft passed the filter; empty for the others."""
    reasons = ", ".join(map(reason_text, tweet.unmet))
    return f"No draft passed the filter; this one comes nearest: {reasons}." if reasons else ""


def delay_text(view: RunView) -> str:
    """Return what delays the next tweet: "draft 17 of 32", "next within 0:24"; empty if nothing does."""
    delay = view.tweet_delayed
    if delay is None or view.phase not in {"training", "paused"}:
        return ""
    if not delay.due_in_seconds:
        is_current = view.step == delay.step  # else training has gone on without the tweet
        return f"draft {min(delay.num_drafts + 1, delay.max_drafts)} of {delay.max_drafts}" if is_current else ""
    seconds = math.ceil(delay.elapsed_seconds + delay.due_in_seconds - view.elapsed_seconds)
    return f"next within {format_duration(seconds)}" if seconds > 0 and view.phase == "training" else ""
