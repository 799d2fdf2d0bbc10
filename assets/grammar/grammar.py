"""A context-free grammar of templates with slots, choices, inflection and pronouns, and the files that it is read from.

The heads of `words.txt` and `phrases.txt` explain the notation. Every choice is one call of `Random.random`, and no
other function is called: Python guarantees its sequence across versions, so a seed determines the corpus.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

T = TypeVar("T")
FOLDER: Final = Path(__file__).parent
TABLES: Final[Mapping[str, Any]] = tomllib.loads((FOLDER / "tables.toml").read_text(encoding="utf-8"))
PRONOUNS: Final[Mapping[str, Mapping[str, str]]] = {
    "he": {"m": "he", "f": "she", "": "it"},
    "him": {"m": "him", "f": "her", "": "it"},
    "his": {"m": "his", "f": "her", "": "its"},
}
COMMENTS: Final = re.compile(r"^#.*\n", re.MULTILINE)
WEIGHT: Final = re.compile(r"(\d+)\*")
SLOT: Final = re.compile(r"\{([^{}]*)\}")
CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
SLOT_OR_CHOICE: Final = re.compile(f"{SLOT.pattern}|{CHOICE.pattern}")
SPACES: Final = re.compile(r" {2,}| (?=[,.!?])")


class GrammarError(ValueError):
    """Invalid rule text, or a slot without a rule."""


@dataclass(frozen=True, slots=True)
class Template:
    """One alternative of a rule."""

    text: str
    """As written in its file, without weight and gender; identifies a sentence frame."""
    gender: str
    """`m` or `f`: sets the gender of later pronouns. Empty: no change."""
    slots: tuple[str, ...]
    """All that can be filled, those inside choices too."""


Rules = dict[str, tuple[Template, ...]]
"""By name; a template is in its rule as often as its weight says."""


def pick(rng: Random, items: Sequence[T]) -> T:
    """Draw one item uniformly, by a single call of `Random.random`."""
    return items[int(rng.random() * len(items))]


def words(text: str) -> tuple[str, ...]:
    """Split a text of `tables.toml` into words; `3*word` gives three."""
    return tuple(_weighted(text.split()))


def pairs(text: str) -> dict[str, str]:
    """Parse a text of `key:value` words."""
    return dict(pair.split(":") for pair in text.split())


def read_words(text: str) -> Rules:
    """Parse word classes: `name: item, item, ...`, continued on indented lines. Raises `GrammarError`."""
    lines = COMMENTS.sub("", text).replace("\n    ", " ").splitlines()
    classes = (line.split(": ", 1) for line in lines if line)
    return {name: _templates(items.split(", ")) for name, items in classes}


def read_rules(text: str) -> Rules:
    """Parse phrase or sentence rules: a line `= name`, then one alternative per line. Raises `GrammarError`."""
    sections = re.split(r"^= ", COMMENTS.sub("", text), flags=re.MULTILINE)[1:]
    blocks = (section.split("\n") for section in sections)
    return {name: _templates(filter(None, lines)) for name, *lines in blocks}


def _weighted(items: Iterable[str]) -> Iterator[str]:
    """Yield each item as often as the weight before it says."""
    for item in items:
        weight = WEIGHT.match(item)
        yield from [item[weight.end() :]] * int(weight[1]) if weight else [item]


def _templates(items: Iterable[str]) -> tuple[Template, ...]:
    templates = []
    for item in _weighted(items):
        text, _, gender = item.partition(" ~")
        options = CHOICE.sub(lambda choice: choice[1].replace("|", " "), text)
        if re.search(r"[{}\[\]|]", SLOT.sub("", options)):
            raise GrammarError(f"nested or unbalanced brackets in {text!r}")
        templates.append(Template(text, gender, tuple(SLOT.findall(options))))
    return tuple(templates)


@dataclass(frozen=True, slots=True)
class Grammar:
    """Expands templates to sentences. Raises `GrammarError` if a template has a slot or form that does not exist."""

    rules: Rules
    makers: Mapping[str, Callable[[Random], str]] = field(default_factory=dict)
    """Functions for slots without a rule."""
    forms: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """Inflections."""
    once: frozenset[str] = frozenset()
    """Rules that expand to nothing from their second use in a sentence on."""

    def __post_init__(self) -> None:
        known = {*self.rules, *self.makers, *PRONOUNS}
        for template in (t for templates in self.rules.values() for t in templates):
            for slot in template.slots:
                name, _, form = slot.partition(".")
                if name not in known or form not in {"", *self.forms}:
                    raise GrammarError(f"no rule or form for {{{slot}}} in {template.text!r}")

    def sentence(self, template: Template, rng: Random) -> str:
        """Expand one template, in standard spelling: lower case except names, without a final mark."""
        text = _Expansion(self, rng).text_of(template.text)
        return SPACES.sub(lambda m: " " if m[0] == "  " else "", text).strip()


@dataclass(slots=True)
class _Expansion:
    """The expansion of one sentence: the gender of the latest person, and the rules that were used once."""

    grammar: Grammar
    rng: Random
    gender: str = ""
    used: set[str] = field(default_factory=set)

    def text_of(self, template: str) -> str:
        return SLOT_OR_CHOICE.sub(self._expanded, template)

    def _expanded(self, found: re.Match[str]) -> str:
        slot, choice = found.groups()
        if choice is not None:
            return self.text_of(pick(self.rng, choice.split("|")))
        name, _, form = slot.partition(".")
        text = self._filled(name)
        return self.grammar.forms[form](text) if form else text

    def _filled(self, name: str) -> str:
        if name in PRONOUNS:
            return PRONOUNS[name][self.gender]
        if name in self.grammar.makers:
            return self.grammar.makers[name](self.rng)
        if name in self.used:
            return ""
        if name in self.grammar.once:
            self.used.add(name)
        template = pick(self.rng, self.grammar.rules[name])
        self.gender = template.gender or self.gender
        return self.text_of(template.text)
