"""The spelling of tweets in 2009: slang, stretched words, typos, emoticons, missing capitals.

Sentences in the standard spelling of `grammar` are respelled in a `Style`, which is drawn once per row and stands for
one author. @names and links pass unchanged.
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
        case=pick(rng, ("lower",) * 24 + ("sentence",) * 25 + ("shout",)),
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
    """Transpose, drop, double or replace one letter after the first."""
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
    """Return a random final mark, empty after a link.

    `soft` is the probability of a mark that introduces the next sentence, such as a comma.
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
    """Return a random emoticon or one to four emoji; empty in a style without faces."""
    if style.faces == "emoticon":
        return pick(rng, EMOTICONS)
    if style.faces == "emoji":
        return pick(rng, EMOJI) * pick(rng, (1, 1, 1, 1, 2, 3)) + pick(rng, ("", "", pick(rng, EMOJI)))
    return ""


def recase(text: str, style: Style) -> str:
    """Return a whole row in the style's case, with @names, links and emoticons unchanged."""
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
