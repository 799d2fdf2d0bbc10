"""Sentiment labels, as in Sentiment140: 0 sad, 2 neutral, 4 happy (1 elsewhere), and the rule of --label."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.text import harmless

POLARITIES = frozenset({"0", "1", "2", "4"})
LABELLED = "labelled "
WITHOUT_A_LABEL = "without a label"
OTHER_LABEL = "with another label"
FEELINGS = frozenset({"happy", "sad", "all"})
"""Values of --label that always mean polarities; "neutral" may also be a literal label."""
_MAX_NAMED, _MAX_NAME_CHARS = 20, 40


def label_of(cell: str) -> str:
    """Return a label for comparison: without blanks, and without the ".0" that spreadsheets add."""
    return cell.strip().removesuffix(".0")


@dataclass(frozen=True)
class LabelRule:
    """Which labels are kept, and the reason to drop rows with others."""

    wanted: str
    """The value of --label: "happy", "sad", "all", or a label."""
    kept: frozenset[str]
    """The labels that it means in this file; unused if all are kept."""
    reasons: dict[str, str]
    """The reason by label; grows with the labels found, up to `_MAX_NAMED`."""

    @classmethod
    def for_file(cls, wanted: str, seen: Collection[str]) -> LabelRule:
        """Return the rule for a --label, given the labels `seen` at the start of the file."""
        wanted = label_of(wanted)
        happy = _happy_labels(frozenset(seen))
        meant = {"happy": happy, "sad": frozenset("0")}
        if POLARITIES.issuperset(seen):
            meant["neutral"] = frozenset("2")
        kept = meant.get(wanted.casefold(), frozenset({wanted}))
        names = {
            "0": "sad (0)",
            "2": "neutral (2)",
            "1": "1",
            "4": "4",
            **{label: f"happy ({label})" for label in happy},
        }
        return cls(wanted, kept, {"": WITHOUT_A_LABEL, **{label: f"{LABELLED}{name}" for label, name in names.items()}})

    def reason_to_drop(self, cell: str) -> str | None:
        """Return the reason to drop a row with this label, or None to keep it."""
        label = label_of(cell)
        if self.keeps_all or label in self.kept:
            return None
        if label not in self.reasons and len(self.reasons) < _MAX_NAMED and len(label) <= _MAX_NAME_CHARS:
            self.reasons[label] = f"{LABELLED}{label}"
        return self.reasons.get(label, OTHER_LABEL)

    @property
    def keeps_all(self) -> bool:
        """Whether --label is "all"."""
        return self.wanted.casefold() == "all"

    def note(self) -> str:
        """Return the note for the report: "kept happy (4); --label all keeps all"."""
        return f"kept {harmless(str(self), 40)}" + ("" if self.keeps_all else "; --label all keeps all")

    def __str__(self) -> str:
        """Return the kept labels: "happy (4)"."""
        labels = " or ".join(sorted(self.kept))
        return "all" if self.keeps_all else self.wanted if labels == self.wanted else f"{self.wanted} ({labels})"


def _happy_labels(seen: frozenset[str]) -> frozenset[str]:
    """Return the happy labels: 4, or 1 in a column of 0 and 1; both if only 0 was seen so far."""
    if "1" in seen and seen <= {"0", "1"}:
        return frozenset("1")
    return frozenset("14") if seen <= {"0"} else frozenset("4")
