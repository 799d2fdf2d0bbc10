"""How people typed in 2009: slang, stretched words, typos, emoticons, lost capitals.

Takes sentences in the base spelling of `happy_grammar` and rewrites them in the manner of one
writer, a `Style` drawn once a row. @names and links pass unchanged.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Final

from assets.grammar.slang import (
    EMOJI,
    EMOTICONS,
    ENDS,
    LAUGHS,
    NEAR_KEYS,
    PHRASES,
    PROPER,
    SPELLINGS,
    STRETCHED,
)
from assets.grammar.tables import pick

CORE: Final = re.compile(r"^(\W*)([\w'-]*)(.*)$", re.DOTALL)
SENTENCE_START: Final = re.compile(r"(^|[.!?] +)((?:@\w+ )*[\"(]*)([a-z])")


@dataclass(frozen=True, slots=True)
class Style:
    """How one writer types."""

    case: str
    """`lower`, `sentence` or `shout`."""
    slang: float
    """Chance that a word with a slang spelling gets it."""
    typos: float
    """Chance of a typo in a word of four letters or more."""
    has_apostrophes: bool
    """Whether don't keeps its apostrophe."""
    stretch: float
    """Chance that a word that can be stretched is stretched."""
    emphasis: float
    """Chance that a word that can be stretched is put in capitals."""
    faces: str
    """What ends a sentence beside or instead of a mark: `emoticon`, `emoji` or empty."""


def draw_style(rng: Random) -> Style:
    """Draw a writer."""
    return Style(
        case=pick(rng, ("lower",) * 24 + ("sentence",) * 25 + ("shout",)),
        slang=pick(rng, (0.0, 0.0, 0.0, 0.1, 0.15, 0.25, 0.4, 0.7)),
        typos=pick(rng, (0.0, 0.0, 0.0, 0.0, 0.01, 0.03)),
        has_apostrophes=rng.random() < 0.6,
        stretch=pick(rng, (0.0, 0.0, 0.0, 0.1, 0.3)),
        emphasis=pick(rng, (0.0,) * 8 + (0.4,)),
        faces=pick(rng, ("emoticon",) * 6 + ("emoji",) * 2 + ("",) * 7),
    )


def respell(sentence: str, style: Style, rng: Random) -> str:
    """Write a sentence the way the style spells, without its case or end mark."""
    if style.slang:
        for phrase, slang in PHRASES:
            if phrase in sentence and rng.random() < style.slang:
                sentence = re.sub(rf"\b{phrase}\b", pick(rng, slang), sentence)
    return " ".join(_respell_token(token, style, rng) for token in sentence.split(" "))


def _respell_token(token: str, style: Style, rng: Random) -> str:
    if token.startswith(("@", "http:")):
        return token
    found = CORE.match(token)
    if found is None or not found[2]:
        return token
    before, word, after = found.groups()
    return f"{before}{_respell_word(word, style, rng)}{after}"


def _respell_word(word: str, style: Style, rng: Random) -> str:
    if word in LAUGHS:
        return pick(rng, LAUGHS[word])
    if style.slang and word in SPELLINGS and rng.random() < style.slang:
        return pick(rng, SPELLINGS[word])
    if style.emphasis and word in STRETCHED and rng.random() < style.emphasis:
        return word.upper()
    if style.stretch and word in STRETCHED and rng.random() < style.stretch:
        word = _stretch(word, rng)
    elif len(word) > 3 and word.isalpha() and rng.random() < style.typos:
        word = _mistype(word, rng)
    elif style.slang and word.endswith("ing") and len(word) > 5 and rng.random() < style.slang / 3:
        word = word[:-1] + pick(rng, ("", "", "'"))
    return word if style.has_apostrophes else word.replace("'", "")


def _stretch(word: str, rng: Random) -> str:
    at = word.rindex(STRETCHED[word])
    return word[:at] + word[at] * (2 + int(rng.random() * rng.random() * 6)) + word[at + 1 :]


def _mistype(word: str, rng: Random) -> str:
    """Swap, drop, double or miss one letter, never the first."""
    at = 1 + int(rng.random() * (len(word) - 2))
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    slip = int(rng.random() * 4)
    if slip == 0:
        return head + tail[0] + letter + tail[1:]
    if slip == 1:
        return head + tail
    if slip == 2:
        return head + letter + letter + tail
    return head + NEAR_KEYS.get(letter, letter) + tail


def end_mark(sentence: str, rng: Random, soft: float) -> str:
    """Choose the mark that ends a sentence; a link or a mark of its own needs none.

    `soft` is the chance of a mark that leads on.
    """
    last = sentence.rsplit(" ", 1)[-1]
    if last.startswith("http:"):
        return ""
    if sentence.endswith("?"):
        return pick(rng, ("", "", "", "", "?", "!", "??"))
    if sentence.endswith("!"):
        return pick(rng, ("", "", "", "!", "!!"))
    if soft and rng.random() < soft:
        return pick(rng, (",", "...", " -", ":"))
    return pick(rng, ENDS)


def face(style: Style, rng: Random) -> str:
    """Draw an emoticon, or one to three emoji; empty for a writer who uses neither."""
    if style.faces == "emoticon":
        return pick(rng, EMOTICONS)
    if style.faces == "emoji":
        return pick(rng, EMOJI) * pick(rng, (1, 1, 1, 1, 2, 3)) + pick(rng, ("", "", pick(rng, EMOJI)))
    return ""


def recase(text: str, style: Style) -> str:
    """Put a whole row into the style's case, leaving @names, links and faces alone."""
    if style.case == "shout":
        return " ".join(t if t.startswith(("@", "http:")) or t in EMOTICONS else t.upper() for t in text.split(" "))
    if style.case == "lower":
        return " ".join(
            t if t.startswith(("@", "http:")) or t in EMOTICONS or t.isupper() else t.lower() for t in text.split(" ")
        )
    text = " ".join(_capital_name(token) for token in text.split(" "))
    return SENTENCE_START.sub(lambda m: m[1] + m[2] + m[3].upper(), text)


def _capital_name(token: str) -> str:
    core = token.strip("\"'.,!?:()")
    if core == "i" or core.startswith("i'") or core in ("im", "ill", "ive"):
        return token.replace("i", "I", 1)
    if core in PROPER or core.removesuffix("s") in PROPER:
        return token.replace(core[0], core[0].upper(), 1)
    return token
