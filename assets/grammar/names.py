"""Invented @names, links and hashtags for the embedded corpus.

Names are random combinations of syllables and words; none is copied from a person or a brand. The hosts of links cannot
be registered.
"""

import re
from random import Random
from typing import Final

from assets.grammar.tables import pick, words

MAX_NAME_CHARS: Final = 15
ONSETS: Final = words("b br c ch d dr f fl g gr h j k kl l m n p pl r s sh st t tr v w y z zo mi la po ka be lu")
NUCLEI: Final = words("a e i o u a e i o ai ee oo ou ay ie")
CODAS: Final = ("", "", "", "", *words("n l r s x m nd zz bbles ngo lly tz"))
FIRST: Final = words(
    "sunny fuzzy tiny happy lazy disco pixel jelly cosmic velvet lemon sleepy mellow silly "
    "misty lucky ginger paper rocket turbo bubbly cheeky dizzy fancy honey indigo jolly kooky "
    "lunar minty noisy peachy quirky rusty salty toasty urban wacky zesty crafty dusty electric "
    "frosty groovy hyper inky magic neon ocean purple rainy sparkly tofu vinyl winter blue "
    "little super mega dancing flying lost secret wild midnight sugar butter coffee cherry "
    "stripy plaid cotton captain miss mister lady sir the real its only just simply not team "
    "queen king baby uncle auntie professor doctor dj"
)
SECOND: Final = words(
    "otter panda moth teapot waffle pickle noodle muffin pancake robin badger llama turnip "
    "biscuit comet kite button puddle lantern mitten sprout toast cactus walrus penguin fox owl "
    "bee moose raven sparrow daisy clover fern maple willow pebble river cloud storm moon star "
    "sock boots hat scarf cupcake brownie mango kiwi peach olive radish pepper ginger nutmeg "
    "cocoa mocha latte crumb nacho taco dumpling banjo ukulele fiddle drum vinyl mixtape remix "
    "pixel robot gizmo widget circuit wizard pirate ninja dragon unicorn goblin yeti mermaid "
    "captain rider dreamer dancer baker reader knitter gardener runner surfer hooligan bandit "
    "rascal giggles whiskers paws tails socks bubbles sprinkles jellybean marshmallow"
)
GIVEN: Final = words(
    "katie emma sophie hannah lucy megan chloe nina tess abby becky jess molly zoe ellie amber "
    "daisy josie leah maya tom ben josh sam luke matt danny ravi omar kenji diego marco jonas "
    "felix oscar leo adam finn jake kyle liam nate pete rob theo mandy sandy jenny kimmy lolly "
    "tilly betty dotty frankie"
)
HOSTS: Final = words("twee.xt pix.xy tinylnk.zz pikpik.zz snip.qp yay.xo hpy.qt")
"""Under country codes that ISO 3166 reserves for private use, so that no such domain can be registered."""
CODE_CHARS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
TAGS: Final = words(
    "happy happy happy yay win win bestday bestdayever love smile smile lovelife goodtimes "
    "goodday excited fun sunshine sunday friday friday fridayfeeling weekend weekend "
    "musicmonday musicmonday followfriday ff ff nowplaying nowplaying foodie yum nomnom lucky "
    "blessed grateful thankful threegoodthings success awesome woohoo justsaying lol "
    "littlethings dance party summer spring autumn winter holiday proud cute squee geek nerd "
    "random tgif bliss joy epicwin happydance thankyou smiling cheers hugs hooray sweet cosy "
    "adventure magic tinywins simplepleasures lovethis madeofawesome giggles sillyme coffeetime "
    "teatime cake"
)


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


def _syllables(rng: Random) -> str:
    count = 2 + int(rng.random() * 2)
    body = "".join(pick(rng, ONSETS) + pick(rng, NUCLEI) for _ in range(count))
    return body + pick(rng, CODAS)


def _digits(rng: Random) -> str:
    return str(int(rng.random() * pick(rng, (10, 100, 100, 1000))))


def _made_up(rng: Random) -> str:
    name = _syllables(rng)
    return name.capitalize() if rng.random() < 0.4 else name


def _made_up_number(rng: Random) -> str:
    return f"{_made_up(rng)}{pick(rng, ('', '_'))}{_digits(rng)}"


def _two_words(rng: Random) -> str:
    first, second = pick(rng, FIRST), pick(rng, SECOND)
    if rng.random() < 0.4:
        return first.capitalize() + second.capitalize()
    return first + pick(rng, ("", "", "_")) + second


def _two_words_number(rng: Random) -> str:
    return _two_words(rng) + _digits(rng)


def _given_word(rng: Random) -> str:
    given, word = pick(rng, GIVEN), pick(rng, SECOND)
    if rng.random() < 0.5:
        return given.capitalize() + word.capitalize()
    return given + pick(rng, ("", "_", "the", "_loves_")) + word


def _given_made_up(rng: Random) -> str:
    given = pick(rng, GIVEN)
    surname = pick(rng, ONSETS) + pick(rng, NUCLEI) + pick(rng, CODAS)
    return f"{given.capitalize()}{surname.capitalize()}" if rng.random() < 0.5 else given + surname


def _framed(rng: Random) -> str:
    word = pick(rng, SECOND)
    return pick(rng, ("x{}x", "_{}_", "i_heart_{}", "{}lover", "{}girl", "{}boy", "{}tweets")).format(word)


STYLES: Final = (
    _made_up,
    _made_up_number,
    _two_words,
    _two_words,
    _two_words_number,
    _given_word,
    _given_word,
    _given_made_up,
    _given_made_up,
    _framed,
)
