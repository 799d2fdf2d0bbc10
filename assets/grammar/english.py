"""English inflection for the embedded corpus: plurals, tenses and a/an.

It covers the words of `words` and `phrases`, not the language: regular rules with tables of exceptions. Phrases
inflect on their head: the first word of a verb phrase, the last word of a noun phrase or the one before " of ".
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from assets.grammar.tables import pairs, words

PAST: Final[Mapping[str, str]] = pairs(
    "be:was beat:beat blow:blew bring:brought build:built burn:burned buy:bought come:came "
    "cut:cut do:did draw:drew drink:drank eat:ate fall:fell feed:fed feel:felt find:found "
    "fly:flew get:got give:gave go:went hang:hung have:had hide:hid hold:held keep:kept "
    "lie:lay lose:lost make:made meet:met put:put read:read ride:rode run:ran say:said "
    "see:saw send:sent sew:sewed sing:sang sit:sat sleep:slept steal:stole swim:swam "
    "swing:swung take:took teach:taught tell:told think:thought throw:threw wear:wore "
    "weave:wove win:won write:wrote"
)
DOUBLED: Final = frozenset(
    words(
        "chat chop clap cut dip drum fit flip get grab hit hop hug hum jog knit mop nap pet pin "
        "plan plop put rub run scrub shop sip sit skip skim slip snap spin spot stir stop strum "
        "swap swim tip trip whip win wrap"
    )
)
PLURAL: Final[Mapping[str, str]] = pairs(
    "bison:bison calf:calves child:children deer:deer fish:fish goldfish:goldfish "
    "goose:geese hero:heroes jellyfish:jellyfish man:men moose:moose postman:postmen "
    "platypus:platypuses scarf:scarves series:series shelf:shelves bookshelf:bookshelves "
    "squid:squid starfish:starfish superhero:superheroes wolf:wolves photo:photos "
    "tooth:teeth leaf:leaves cargo:cargo"
)
SINGULAR: Final[Mapping[str, str]] = {
    "tomatoes": "tomato",
    "potatoes": "potato",
    "radishes": "radish",
    "squashes": "squash",
    "crocuses": "crocus",
    "irises": "iris",
    "chilies": "chili",
    "mangoes": "mango",
    "peaches": "peach",
}
VOWEL: Final = re.compile(
    r"\b([Aa]) (?=[aeio](?!nce\b|ne\b)|u(?!ni|ku|se|s[au])|hour|honest|8\b|11\b|18\b|80\b)",
    re.IGNORECASE,
)


def plural(phrase: str) -> str:
    """Return a noun phrase in the plural: `pair of socks` gives `pairs of socks`."""
    head, of, rest = phrase.partition(" of ")
    before, space, noun = head.rpartition(" ")
    return f"{before}{space}{_plural_noun(noun)}{of}{rest}"


def _plural_noun(noun: str) -> str:
    if noun in PLURAL:
        return PLURAL[noun]
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun + "s"


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
    return f"{_past_verb(verb)}{space}{rest}"


def _past_verb(verb: str) -> str:
    if verb in PAST:
        return PAST[verb]
    if verb in DOUBLED:
        return f"{verb}{verb[-1]}ed"
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return verb + "ed"


def gerund(phrase: str) -> str:
    """Return a verb phrase in the -ing form: `make tea` gives `making tea`."""
    verb, space, rest = phrase.partition(" ")
    return f"{_gerund_verb(verb)}{space}{rest}"


def _gerund_verb(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb in DOUBLED:
        return f"{verb}{verb[-1]}ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "be")):
        return verb[:-1] + "ing"
    return verb + "ing"


def article(phrase: str) -> str:
    """Prefix `a`; `fix_articles` changes it to `an` once the next word is final."""
    return f"a {phrase}"


def fix_articles(sentence: str) -> str:
    """Replace `a` by `an` before a vowel sound."""
    return VOWEL.sub(r"\1n ", sentence)


FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "a": article,
    "ed": past,
    "ing": gerund,
    "pl": plural,
    "sg": singular,
}
