"""Invented @names, links and hashtags: random combinations of the syllables and words in `tables.toml`."""

import re
from random import Random
from typing import Final

from assets.grammar.grammar import TABLES, pick, words

MAX_NAME_CHARS: Final = 15
ONSETS, NUCLEI, FIRST, SECOND, GIVEN, HOSTS, TAGS = (
    words(TABLES["names"][name]) for name in ("onsets", "nuclei", "first", "second", "given", "hosts", "tags")
)
CODAS: Final = ("", "", "", "", *words(TABLES["names"]["codas"]))
FRAMES: Final = ("x{}x", "_{}_", "i_heart_{}", "{}lover", "{}girl", "{}boy", "{}tweets")
CODE_CHARS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
UNWANTED: Final = re.compile(
    r"ana[ln]|dead|di[ea]$|kil|arse|ass|boob|coc?k|cum|dik|fag|fuc?k|h[io]tle|homo|jap|kkk|kum|"
    r"naz|nig|p[ei]n[iu]s|pedo|pee|p[io]*ss|po+n|poo|porn|puss|ra[ip]e|sex|shi[te]|slut|spic|suk|"
    r"tit|turd|tw[ai]t|wank|who?re",
    re.IGNORECASE,
)
"""Substrings that random syllables must not produce."""


def handle(rng: Random) -> str:
    """Return a random @name of 3 to 15 characters after the @."""
    while True:
        name = pick(rng, STYLES)(rng)
        if 3 <= len(name) <= MAX_NAME_CHARS and not UNWANTED.search(name):
            return f"@{name}"


def link(rng: Random) -> str:
    """Return a random short link."""
    code = "".join(pick(rng, CODE_CHARS) for _ in range(4 + int(rng.random() * 3)))
    return f"http://{pick(rng, HOSTS)}/{code}"


def hashtag(rng: Random, topic: str) -> str:
    """Return a random hashtag, with probability 0.35 the topic's name."""
    return f"#{topic if topic and rng.random() < 0.35 else pick(rng, TAGS)}"


def _made_up(rng: Random) -> str:
    name = "".join(pick(rng, ONSETS) + pick(rng, NUCLEI) for _ in range(2 + int(rng.random() * 2))) + pick(rng, CODAS)
    return name.capitalize() if rng.random() < 0.4 else name


def _made_up_number(rng: Random) -> str:
    return _made_up(rng) + pick(rng, ("", "_")) + _digits(rng)


def _two_words(rng: Random) -> str:
    return _joined(rng, pick(rng, FIRST), pick(rng, SECOND), 0.4, ("", "", "_"))


def _two_words_number(rng: Random) -> str:
    return _two_words(rng) + _digits(rng)


def _given_word(rng: Random) -> str:
    return _joined(rng, pick(rng, GIVEN), pick(rng, SECOND), 0.5, ("", "_", "the", "_loves_"))


def _given_made_up(rng: Random) -> str:
    given, surname = pick(rng, GIVEN), pick(rng, ONSETS) + pick(rng, NUCLEI) + pick(rng, CODAS)
    return f"{given.capitalize()}{surname.capitalize()}" if rng.random() < 0.5 else given + surname


def _framed(rng: Random) -> str:
    word = pick(rng, SECOND)
    return pick(rng, FRAMES).format(word)


def _joined(rng: Random, first: str, second: str, camel_case: float, joints: tuple[str, ...]) -> str:
    """Return a name of two words, in camel case with a probability of `camel_case`."""
    if rng.random() < camel_case:
        return first.capitalize() + second.capitalize()
    return first + pick(rng, joints) + second


def _digits(rng: Random) -> str:
    return str(int(rng.random() * pick(rng, (10, 100, 100, 1000))))


STYLES: Final = (
    *(_made_up, _made_up_number, _two_words, _two_words, _two_words_number),
    *(_given_word, _given_word, _given_made_up, _given_made_up, _framed),
)
