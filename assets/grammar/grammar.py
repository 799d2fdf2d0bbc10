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
TOKEN: Final = re.compile(r"\{[^{}]*\}|[\[\]|]|[^{}\[\]|]+")
SPACES: Final = re.compile(r" {2,}| (?=[,.!?])")


class GrammarError(ValueError):
    """Invalid rule text, or a slot without a rule."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A nonterminal of a template; the inflections `forms` apply to its expansion, in order."""

    name: str
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Equally likely alternatives inside a template."""

    options: tuple["Parts", ...]


Parts = tuple["str | Slot | Choice", ...]


@dataclass(frozen=True, slots=True)
class Template:
    """One alternative of a rule."""

    text: str
    """As written in its file; identifies a sentence frame."""
    parts: Parts
    gender: str
    """`m` or `f`: sets the gender of later pronouns. Empty: no change."""


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
    """Parse word classes: `name: item, item, ...`, continued on indented lines."""
    lines = COMMENTS.sub("", text).replace("\n    ", " ").splitlines()
    classes = (line.split(": ", 1) for line in lines if line)
    return {name: tuple(_templates(items.split(", "))) for name, items in classes}


def read_rules(text: str) -> Rules:
    """Parse phrase or sentence rules: a line `= name`, then one alternative per line."""
    sections = re.split(r"^= ", COMMENTS.sub("", text), flags=re.MULTILINE)[1:]
    blocks = (section.split("\n") for section in sections)
    return {name: tuple(_templates(filter(None, lines))) for name, *lines in blocks}


def _weighted(items: Iterable[str]) -> Iterator[str]:
    """Yield each item as often as the weight before it says."""
    for item in items:
        weight = WEIGHT.match(item)
        yield from [item[weight.end() :]] * int(weight[1]) if weight else [item]


def _templates(items: Iterable[str]) -> Iterator[Template]:
    """Yield the template of each item as often as its weight says. Raises `GrammarError`."""
    for item in _weighted(items):
        text, _, gender = item.partition(" ~")
        yield Template(text, _parse(text), gender)


def _parse(text: str) -> Parts:
    """Return the parts of a template. Raises `GrammarError` if its brackets are unbalanced."""
    pieces = TOKEN.findall(text)
    opened: list[list[list[str | Slot | Choice]]] = [[[]]]  # the options of each choice that is not closed yet
    for piece in pieces:
        if piece == "[":
            opened.append([[]])
        elif piece == "]" and len(opened) > 1:
            options = opened.pop()
            opened[-1][-1].append(Choice(tuple(map(tuple, options))))
        elif piece == "|" and len(opened) > 1:
            opened[-1].append([])
        elif piece in ("]", "|"):
            break
        elif piece[0] == "{":
            name, *forms = piece[1:-1].split(".")
            opened[-1][-1].append(Slot(name, tuple(forms)))
        else:
            opened[-1][-1].append(piece)
    else:
        if len(opened) == 1 and "".join(pieces) == text:
            return tuple(opened[0][0])
    raise GrammarError(f"unbalanced brackets in {text!r}")


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
            for slot in SLOT.findall(template.text):
                name, *forms = slot.split(".")
                if name not in known or not self.forms.keys() >= set(forms):
                    raise GrammarError(f"no rule or form for {{{slot}}} in {template.text!r}")

    def sentence(self, template: Template, rng: Random) -> str:
        """Expand one template, in standard spelling: lower case except names, without a final mark."""
        text = _Expansion(self, rng).text_of(template.parts)
        return SPACES.sub(lambda m: " " if m[0] == "  " else "", text).strip()


@dataclass(slots=True)
class _Expansion:
    """The expansion of one sentence: the gender of the latest person, and the rules that were used once."""

    grammar: Grammar
    rng: Random
    gender: str = ""
    used: set[str] = field(default_factory=set)

    def text_of(self, parts: Parts) -> str:
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
            elif isinstance(part, Choice):
                text += self.text_of(pick(self.rng, part.options))
            else:
                filled = self._filled(part.name)
                for form in part.forms:
                    filled = self.grammar.forms[form](filled)
                text += filled
        return text

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
        return self.text_of(template.parts)
