"""Labels of feeling, as Sentiment140 has them: 0 sad, 2 neutral, 4 happy (elsewhere 1); which of them are kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.text import harmless

POLARITIES = frozenset({"0", "1", "2", "4"})
LABELLED = "labelled "
WITHOUT_A_LABEL = "without a label"
OTHER_LABEL = "with another label"
FEELINGS = frozenset({"happy", "sad", "all"})
"""Names that mean polarities wherever they are asked for; "neutral" may be a label in words, too."""
_MAX_NAMED, _MAX_NAME_CHARS = 20, 40


def label_of(cell: str) -> str:
    """Return a label as it is compared: without blanks, and without the ".0" that spreadsheets add."""
    return cell.strip().removesuffix(".0")


@dataclass(frozen=True)
class LabelRule:
    """Which labels are kept, and why the rows with others are not."""

    wanted: str
    """What was asked for: "happy", "sad", "all", or a label."""
    kept: frozenset[str]
    """The labels that this means in a file; unused where all are kept."""
    reasons: dict[str, str]
    """Why a row with this label is dropped; learns the labels that it meets, up to a bound."""

    @classmethod
    def for_file(cls, wanted: str, seen: Collection[str]) -> LabelRule:
        """Return the rule for what a `CorpusConfig` calls `label`; `seen` are labels of the file, blanks left out."""
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
        """Return why a row with this label is dropped, or None where it is kept."""
        label = label_of(cell)
        if self.keeps_all or label in self.kept:
            return None
        if label not in self.reasons and len(self.reasons) < _MAX_NAMED and len(label) <= _MAX_NAME_CHARS:
            self.reasons[label] = f"{LABELLED}{label}"
        return self.reasons.get(label, OTHER_LABEL)

    @property
    def keeps_all(self) -> bool:
        """Whether no row is dropped for its label."""
        return self.wanted.casefold() == "all"

    def note(self) -> str:
        """Return what is kept, and how to keep all: "kept happy (4); --label all keeps all"."""
        return f"kept {harmless(str(self), 40)}" + ("" if self.keeps_all else "; --label all keeps all")

    def __str__(self) -> str:
        """Return what is kept: "happy (4)"."""
        labels = " or ".join(sorted(self.kept))
        return "all" if self.keeps_all else self.wanted if labels == self.wanted else f"{self.wanted} ({labels})"


def _happy_labels(seen: frozenset[str]) -> frozenset[str]:
    """Return which labels are the happy ones: 4, or 1 in a column of 0 and 1; both where only 0 was seen so far."""
    if "1" in seen and seen <= {"0", "1"}:
        return frozenset("1")
    return frozenset("14") if seen <= {"0"} else frozenset("4")
