"""Assembly of a row from sentences: addressee, topic, length, hashtags and links.

A row is either a reply (an @name, then sentences addressed to "you") or an announcement (statements on one topic,
optionally between an opener and a goodbye). Sentences are appended until the row's random target length is reached;
then a random `Style` respells them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from assets.grammar.grammar import Grammar, Rules, Template, read_rules, read_words
from assets.grammar.mangle import Style, draw_style, end_mark, face, recase, respell
from assets.grammar.names import handle, hashtag, link
from assets.grammar.phrases import PHRASES
from assets.grammar.tables import pick
from assets.grammar.talk import TALK
from assets.grammar.topics import TOPICS
from assets.grammar.words import WORDS

MAX_CHARS: Final = 140
REPLY_SHARE: Final = 0.46
ONCE: Final = frozenset({"withsome", "atplace", "past", "future", "plannedday", "tail", "until"})
"""Rules that expand to nothing from their second use in a sentence on, which would repeat or contradict the first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tweet and its derivation."""

    text: str
    base: str
    """The sentences before respelling, punctuation and decoration."""
    frames: tuple[str, ...]
    """The sentence templates, as written in `topics` and `talk`."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One expanded sentence and the template behind it."""

    text: str
    frame: str
    soft_mark: float = 0.0
    """Probability of a comma, dash, colon or ellipsis after it; above 0 only if it introduces the next sentence."""


class Composer:
    """Generates rows from the grammar, without random state of its own."""

    def __init__(self) -> None:
        """Parse the vocabulary, the phrases and the sentence templates. Raises `GrammarError`."""
        topics, talk = read_rules(TOPICS), read_rules(TALK)
        rules = {**read_words(WORDS), **read_rules(PHRASES)}
        named = {f"frames.{name}": templates for name, templates in {**topics, **talk}.items()}
        self._grammar: Final = Grammar({**rules, **named}, {"buddy": handle, "link": link}, ONCE)
        self._talk: Final = talk
        self._topics: Final = _by_size(topics)
        replies = {name: templates for name, templates in talk.items() if name.startswith("reply.")}
        self._replies: Final = _by_size(replies)

    def row(self, rng: Random) -> Row:
        """Generate one row, which may be longer than `MAX_CHARS`."""
        goal_chars = 18 + int(rng.random() * 62 + rng.random() * 40)
        style = draw_style(rng)
        if rng.random() < REPLY_SHARE:
            topic, to, plan = "", _addressees(rng), self._reply(rng)
        else:
            topic, templates = pick(rng, self._topics)
            to, plan = "", self._announcement(rng, templates)
        sentences = _fill(plan, goal_chars - len(to))
        text = _write(sentences, style, rng)
        text = recase(f"{to}{text}", style) + _decoration(rng, topic)
        base = " ".join(sentence.text for sentence in sentences)
        return Row(text, base, tuple(sentence.frame for sentence in sentences))

    def _expand(self, templates: tuple[Template, ...], rng: Random) -> Sentence:
        template = pick(rng, templates)
        soft_mark = 0.3 if templates is self._talk["opener"] else 0.0
        if templates is self._talk["turn"]:
            soft_mark = 1.0
        return Sentence(self._grammar.sentence(template, rng), template.text, soft_mark)

    def _announcement(self, rng: Random, topic: tuple[Template, ...]) -> Iterator[Sentence]:
        """Yield an optional opener, statements and comments, and a goodbye as the last sentence."""
        if rng.random() < 0.24:
            yield self._expand(self._talk["opener"], rng)
        yield self._expand(topic, rng)
        while True:
            chance = rng.random()
            if chance < 0.4:
                yield self._expand(topic, rng)
            elif chance < 0.85:
                yield self._expand(self._talk["comment"], rng)
            else:
                yield self._expand(self._talk["closer"], rng)
                return

    def _reply(self, rng: Random) -> Iterator[Sentence]:
        """Yield sentences to the addressee; a change of subject and a statement on it are the last two."""
        _, first = pick(rng, self._replies)
        yield self._expand(first, rng)
        while True:
            chance = rng.random()
            if chance < 0.25:
                yield self._expand(first, rng)
            elif chance < 0.85:
                yield self._expand(self._talk["more"], rng)
            else:
                yield self._expand(self._talk["turn"], rng)
                yield self._expand(pick(rng, self._topics)[1], rng)
                return


def _by_size(rules: Rules) -> tuple[tuple[str, tuple[Template, ...]], ...]:
    """Repeat each section once per template, so that templates are equally likely in a uniform draw of sections."""
    return tuple((name.rpartition(".")[2], templates) for name, templates in rules.items() for _ in templates)


def _addressees(rng: Random) -> str:
    return f"{handle(rng)} {handle(rng)} " if rng.random() < 0.03 else f"{handle(rng)} "


def _fill(plan: Iterator[Sentence], goal_chars: int) -> list[Sentence]:
    """Collect sentences up to the target length, without repeating a frame and without an opener as the last."""
    sentences: list[Sentence] = []
    chars = 0
    for sentence in plan:
        if any(sentence.frame == other.frame for other in sentences):
            continue
        if sentences and not sentences[-1].soft_mark and chars + len(sentence.text) > goal_chars + 25:
            break
        sentences.append(sentence)
        chars += len(sentence.text) + 2
        if chars >= goal_chars and not sentence.soft_mark:
            break
    return sentences


def _write(sentences: list[Sentence], style: Style, rng: Random) -> str:
    """Join the respelled sentences with punctuation and emoticons."""
    pieces: list[str] = []
    for number, sentence in enumerate(sentences, start=1):
        is_last = number == len(sentences)
        smile = face(style, rng) if rng.random() < (0.8 if is_last else 0.15) else ""
        mark = end_mark(sentence.text, rng, 0.0 if is_last else sentence.soft_mark)
        if (smile and rng.random() < 0.5) or (is_last and rng.random() < 0.35):
            mark = ""
        pieces.append(f"{respell(sentence.text, style, rng)}{mark}")
        if smile:
            pieces.append(smile)
    return " ".join(pieces)


def _decoration(rng: Random, topic: str) -> str:
    """Return the random suffix of a row: hashtags, a link, a credited @name or, mostly, nothing."""
    chance = rng.random()
    if chance < 0.09:
        tags = [hashtag(rng, topic) for _ in range(pick(rng, (1, 1, 1, 2, 3)))]
        return "".join(f" {tag}" for tag in dict.fromkeys(tags))
    if chance < 0.125:
        return f" {link(rng)}"
    if topic and chance < 0.145:
        return f" {pick(rng, ('cc ', 'via ', '', '/cc '))}{handle(rng)}"
    return ""
