"""Spelling: English inflection, and the spelling of tweets in 2009: slang, stretched words, typos, missing capitals.

Inflection covers the words of the grammar, not the language: regular rules with tables of exceptions. A phrase inflects
on its head: the first word of a verb phrase, the last word of a noun phrase or the one before " of ".

Sentences in standard spelling are respelled in a `Style`, which is drawn once per row and stands for one author. @names
and links pass unchanged.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from assets.grammar.grammar import TABLES, pairs, pick, words

PAST, PLURAL, SINGULAR = (pairs(TABLES["inflection"][name]) for name in ("past", "plural", "singular"))
DOUBLED: Final = frozenset(words(TABLES["inflection"]["doubled"]))
VOWEL: Final = re.compile(
    r"\b([Aa]) (?=[aeio](?!nce\b|ne\b)|u(?!ni|ku|se|s[au])|hour|honest|8\b|11\b|18\b|80\b)",
    re.IGNORECASE,
)
SLANG: Final[Mapping[str, list[str]]] = TABLES["spelling"]["slang"]
SLANG_PHRASES: Final[Mapping[str, list[str]]] = TABLES["spelling"]["phrases"]
LAUGHS: Final = {word: words(text) for word, text in TABLES["spelling"]["laughs"].items()}
EMOTICONS, EMOJI, ENDS = (words(TABLES["spelling"][name]) for name in ("emoticons", "emoji", "ends"))
STRETCHED, NEAR_KEYS = (pairs(TABLES["spelling"][name]) for name in ("stretched", "near_keys"))
CAPITALIZED: Final = frozenset(words(TABLES["spelling"]["capitalized"]))
CORE: Final = re.compile(r"^(\W*)([\w'-]*)(.*)$", re.DOTALL)
SENTENCE_START: Final = re.compile(r"(^|[.!?] +)((?:@\w+ )*[\"(]*)([a-z])")


def plural(phrase: str) -> str:
    """Return a noun phrase in the plural: `pair of socks` gives `pairs of socks`."""
    head, of, rest = phrase.partition(" of ")
    before, space, noun = head.rpartition(" ")
    if noun in PLURAL:
        noun = PLURAL[noun]
    elif re.search(r"[^aeiou]y$", noun):
        noun = noun[:-1] + "ies"
    else:
        noun += "es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s"
    return f"{before}{space}{noun}{of}{rest}"


def singular(phrase: str) -> str:
    """Return a plural phrase that ends in its head in the singular: `sweet peas` gives `sweet pea`."""
    before, space, noun = phrase.rpartition(" ")
    if noun in SINGULAR:
        noun = SINGULAR[noun]
    elif noun.endswith("ies"):
        noun = noun[:-3] + "y"
    elif noun.endswith("s") and not noun.endswith("ss"):
        noun = noun[:-1]
    return f"{before}{space}{noun}"


def past(phrase: str) -> str:
    """Return a verb phrase in the past tense: `go home` gives `went home`."""
    verb, space, rest = phrase.partition(" ")
    if verb in PAST:
        verb = PAST[verb]
    elif re.search(r"[^aeiou]y$", verb):
        verb = verb[:-1] + "ied"
    else:
        verb = _doubled(verb).removesuffix("e") + "ed"
    return f"{verb}{space}{rest}"


def gerund(phrase: str) -> str:
    """Return a verb phrase in the -ing form: `make tea` gives `making tea`."""
    verb, space, rest = phrase.partition(" ")
    if verb.endswith("ie"):
        verb = verb[:-2] + "y"
    elif verb.endswith("e") and not verb.endswith(("ee", "ye", "be")):
        verb = verb[:-1]
    return f"{_doubled(verb)}ing{space}{rest}"


def _doubled(verb: str) -> str:
    return verb + verb[-1] if verb in DOUBLED else verb


def fix_articles(sentence: str) -> str:
    """Replace `a` by `an` before a vowel sound, once the next word is final."""
    return VOWEL.sub(r"\1n ", sentence)


FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "a": "a {}".format,
    "ed": past,
    "ing": gerund,
    "pl": plural,
    "sg": singular,
}
"""The inflections of slots, as in `{animal.pl}`."""


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of one author."""

    case: str
    """`lower`, `sentence` or `shout`."""
    slang: float
    """Probability of slang for a word that has a slang spelling."""
    typos: float
    """Probability of a typo in a word of at least four letters."""
    has_apostrophes: bool
    """Whether words such as don't keep their apostrophe."""
    stretch: float
    """Probability of stretching, for words in `STRETCHED`."""
    emphasis: float
    """Probability of capitals, for words in `STRETCHED`."""
    faces: str
    """The kind of face after a sentence: `emoticon`, `emoji` or, for no faces, empty."""


def draw_style(rng: Random) -> Style:
    """Draw a random style."""
    return Style(
        case=pick(rng, words("24*lower 25*sentence shout")),
        slang=pick(rng, (0.0, 0.0, 0.0, 0.1, 0.15, 0.25, 0.4, 0.7)),
        typos=pick(rng, (0.0, 0.0, 0.0, 0.0, 0.01, 0.03)),
        has_apostrophes=rng.random() < 0.6,
        stretch=pick(rng, (0.0, 0.0, 0.0, 0.1, 0.3)),
        emphasis=pick(rng, (0.0,) * 8 + (0.4,)),
        faces=pick(rng, ("emoticon",) * 6 + ("emoji",) * 2 + ("",) * 7),
    )


def respell(sentence: str, style: Style, rng: Random) -> str:
    """Return a sentence respelled in a style; `recase` and `end_mark` apply the rest of it."""
    if style.slang:
        for phrase, slang in SLANG_PHRASES.items():
            if phrase in sentence and rng.random() < style.slang:
                sentence = re.sub(rf"\b{phrase}\b", pick(rng, slang), sentence)
    return " ".join(
        token if is_verbatim(token) else CORE.sub(lambda m: m[1] + _respell_word(m[2], style, rng) + m[3], token)
        for token in sentence.split(" ")
    )


def is_verbatim(token: str) -> bool:
    """Return whether a token is an @name or a link, which no style changes."""
    return token.startswith(("@", "http:"))


def _respell_word(word: str, style: Style, rng: Random) -> str:
    if word in LAUGHS:
        return pick(rng, LAUGHS[word])
    if style.slang and word in SLANG and rng.random() < style.slang:
        return pick(rng, SLANG[word])
    if style.emphasis and word in STRETCHED and rng.random() < style.emphasis:
        return word.upper()
    if style.stretch and word in STRETCHED and rng.random() < style.stretch:
        at = word.rindex(STRETCHED[word])
        word = word[:at] + word[at] * (2 + int(rng.random() * rng.random() * 6)) + word[at + 1 :]
    elif len(word) > 3 and word.isalpha() and rng.random() < style.typos:
        word = _mistype(word, rng)
    elif style.slang and word.endswith("ing") and len(word) > 5 and rng.random() < style.slang / 3:
        word = word[:-1] + pick(rng, ("", "", "'"))
    return word if style.has_apostrophes else word.replace("'", "")


def _mistype(word: str, rng: Random) -> str:
    """Transpose, drop, double or replace one letter after the first."""
    at = 1 + int(rng.random() * (len(word) - 2))
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    wrong = (tail[0] + letter + tail[1:], tail, letter + letter + tail, NEAR_KEYS.get(letter, letter) + tail)
    return head + pick(rng, wrong)


def end_mark(sentence: str, rng: Random, soft: float) -> str:
    """Return a random final mark, empty after a link.

    `soft` is the probability of a mark that introduces the next sentence, such as a comma.
    """
    if sentence.rsplit(" ", 1)[-1].startswith("http:"):
        return ""
    if sentence.endswith("?"):
        return pick(rng, ("", "", "", "", "?", "!", "??"))
    if sentence.endswith("!"):
        return pick(rng, ("", "", "", "!", "!!"))
    if soft and rng.random() < soft:
        return pick(rng, (",", "...", " -", ":"))
    return pick(rng, ENDS)


def face(style: Style, rng: Random) -> str:
    """Return a random emoticon or one to four emoji; empty in a style without faces."""
    if style.faces == "emoticon":
        return pick(rng, EMOTICONS)
    if style.faces == "emoji":
        return pick(rng, EMOJI) * pick(rng, (1, 1, 1, 1, 2, 3)) + pick(rng, ("", "", pick(rng, EMOJI)))
    return ""


def recase(text: str, style: Style) -> str:
    """Return a whole row in the style's case, with @names, links and emoticons unchanged."""
    tokens = text.split(" ")
    if style.case == "sentence":
        return SENTENCE_START.sub(lambda m: m[1] + m[2] + m[3].upper(), " ".join(map(_capitalized, tokens)))
    change = str.upper if style.case == "shout" else _lowered
    return " ".join(t if is_verbatim(t) or t in EMOTICONS else change(t) for t in tokens)


def _lowered(token: str) -> str:
    return token if token.isupper() else token.lower()


def _capitalized(token: str) -> str:
    core = token.strip("\"'.,!?:()")
    if core == "i" or core.startswith("i'") or core in ("im", "ill", "ive"):
        return token.replace("i", "I", 1)
    if core in CAPITALIZED or core.removesuffix("s") in CAPITALIZED:
        return token.replace(core[0], core[0].upper(), 1)
    return token
