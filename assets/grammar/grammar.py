"""A context-free grammar of templates with slots, choices, inflection and pronouns.

The notation is explained in `words` and `phrases`. The caller passes the random generator, and only
`Random.random` is called: Python guarantees its sequence across versions, so a seed determines the corpus.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from assets.grammar.english import FORMS, fix_articles
from assets.grammar.tables import pick

Maker = Callable[[Random], str]
PRONOUNS: Final[Mapping[str, Mapping[str, str]]] = {
    "he": {"m": "he", "f": "she", "": "it"},
    "him": {"m": "him", "f": "her", "": "it"},
    "his": {"m": "his", "f": "her", "": "its"},
}
TOKEN: Final = re.compile(r"[{}\[\]|]|[^{}\[\]|]+")
LINE: Final = re.compile(r"(?:(?P<weight>\d+)\*)?(?P<text>.*?)(?: ~(?P<gender>[mf]))?")
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
    """The source line, which identifies a sentence frame."""
    parts: Parts
    gender: str
    """`m` or `f`: sets the gender of later pronouns. Empty: no change."""


Rules = dict[str, tuple[Template, ...]]


@dataclass(slots=True)
class _State:
    """The state of one expansion: the gender of the latest person, and the rules that were used once."""

    gender: str = ""
    used: set[str] = field(default_factory=set)


def read_words(text: str) -> Rules:
    """Parse word classes: `name: item, item, ...`, continued on indented lines."""
    joined = re.sub(r"\n +", " ", text.strip())
    pairs = (line.split(": ", 1) for line in joined.split("\n") if line)
    return {name: tuple(_alternatives(items.split(", "))) for name, items in pairs}


def read_rules(text: str) -> Rules:
    """Parse phrase or sentence rules: a line `= name`, then one alternative per line.

    An indented line continues the previous one.
    """
    joined = re.sub(r"\n +", " ", text.strip())
    sections = re.split(r"^= ", joined, flags=re.MULTILINE)[1:]
    blocks = (section.strip().split("\n") for section in sections)
    return {lines[0]: tuple(_alternatives([x for x in lines[1:] if x])) for lines in blocks}


def _alternatives(lines: Sequence[str]) -> Iterator[Template]:
    """Yield each line's template `weight` times."""
    for line in lines:
        found = LINE.fullmatch(line.strip().rstrip(","))
        if found is None:
            raise GrammarError(f"invalid line {line!r}")
        template = Template(found["text"], _parse(found["text"]), found["gender"] or "")
        yield from [template] * int(found["weight"] or 1)


def _parse(text: str) -> Parts:
    tokens = TOKEN.findall(text)
    options, end = _parse_options(tokens, 0)
    if end != len(tokens) or len(options) != 1:
        raise GrammarError(f"unbalanced brackets in {text!r}")
    return options[0]


def _parse_options(tokens: Sequence[str], at: int) -> tuple[tuple[Parts, ...], int]:
    """Parse up to a closing bracket or the end; return the options and the index after them."""
    options: list[list[str | Slot | Choice]] = [[]]
    while at < len(tokens) and tokens[at] != "]":
        if tokens[at] == "|":
            options.append([])
        elif tokens[at] == "{":
            name, *forms = tokens[at + 1].split(".")
            options[-1].append(Slot(name, tuple(forms)))
            at += 2
        elif tokens[at] == "[":
            inner, at = _parse_options(tokens, at + 1)
            options[-1].append(Choice(inner))
        else:
            options[-1].append(tokens[at])
        at += 1
    return tuple(tuple(option) for option in options), at


class Grammar:
    """Expands templates to sentences."""

    def __init__(self, rules: Rules, makers: Mapping[str, Maker], once: frozenset[str] = frozenset()) -> None:
        """Store rules, functions for slots without a rule, and the names of rules that expand once per sentence.

        Raises `GrammarError` if a template has a slot without rule or function.
        """
        self.rules: Final = rules
        self._makers: Final = makers
        self._once: Final = once
        known = {*rules, *makers, *PRONOUNS}
        for template in (t for templates in rules.values() for t in templates):
            missing = [slot.name for slot in slots_of(template.parts) if slot.name not in known]
            if missing:
                raise GrammarError(f"no rule for {missing} in {template.text!r}")

    def sentence(self, template: Template, rng: Random) -> str:
        """Expand one template, in standard spelling: lower case except names, without a final mark."""
        text = self._expand(template.parts, rng, _State())
        return fix_articles(SPACES.sub(lambda m: " " if m[0] == "  " else "", text).strip())

    def _expand(self, parts: Parts, rng: Random, state: _State) -> str:
        pieces: list[str] = []
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
            elif isinstance(part, Slot):
                text = self._fill(part.name, rng, state)
                for form in part.forms:
                    text = FORMS[form](text)
                pieces.append(text)
            else:
                pieces.append(self._expand(pick(rng, part.options), rng, state))
        return "".join(pieces)

    def _fill(self, name: str, rng: Random, state: _State) -> str:
        if name in PRONOUNS:
            return PRONOUNS[name][state.gender]
        if name in self._makers:
            return self._makers[name](rng)
        if name in self._once:
            if name in state.used:
                return ""
            state.used.add(name)
        template = pick(rng, self.rules[name])
        if template.gender:
            state.gender = template.gender
        return self._expand(template.parts, rng, state)


def slots_of(parts: Parts) -> Iterator[Slot]:
    """Yield the slots of a template, including those inside choices."""
    for part in parts:
        if isinstance(part, Slot):
            yield part
        elif isinstance(part, Choice):
            for option in part.options:
                yield from slots_of(option)
