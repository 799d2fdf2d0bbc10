"""Assembly of a row from sentences: addressee, topic, length, hashtags and links.

A row is either a reply (an @name, then sentences addressed to "you") or an announcement (statements on one topic,
optionally between an opener and a goodbye). Sentences are appended until the row's random target length is reached;
then a random `Style` respells them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from assets.grammar.grammar import FOLDER, Grammar, pick, read_rules, read_words
from assets.grammar.names import handle, hashtag, link
from assets.grammar.spelling import FORMS, Style, draw_style, end_mark, face, fix_articles, recase, respell

MAX_CHARS: Final = 140
REPLY_SHARE: Final = 0.46
ONCE: Final = frozenset({"withsome", "atplace", "past", "future", "plannedday", "tail", "until"})
"""Rules that expand to nothing from their second use in a sentence on, which would repeat or contradict the first."""
SOFT_MARKS: Final = {"opener": 0.3, "turn": 1.0}
"""By rule, the probability of a comma, dash, colon or ellipsis after a sentence that introduces the next one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tweet and its derivation."""

    text: str
    base: str
    """The sentences before respelling, punctuation and decoration."""
    frames: tuple[str, ...]
    """The sentence templates, as written in `topics.txt` and `talk.txt`."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One expanded sentence and the template behind it."""

    text: str
    frame: str
    soft_mark: float


class Composer:
    """Generates rows from the grammar, without random state of its own."""

    def __init__(self) -> None:
        """Read the vocabulary, the phrases and the sentence templates. Raises `GrammarError`."""
        rules = read_words((FOLDER / "words.txt").read_text(encoding="utf-8"))
        for name in ("phrases", "topics", "talk"):
            rules |= read_rules((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))
        self._grammar: Final = Grammar(rules, {"buddy": handle, "link": link}, FORMS, ONCE)
        # each as often as it has templates, so that templates are equally likely
        self._topics: Final = [name for name in rules if name.startswith("topic.") for _ in rules[name]]
        self._replies: Final = [name for name in rules if name.startswith("reply.") for _ in rules[name]]

    def row(self, rng: Random) -> Row:
        """Generate one row, which may be longer than `MAX_CHARS`."""
        goal_chars = 18 + int(rng.random() * 62 + rng.random() * 40)
        style = draw_style(rng)
        if rng.random() < REPLY_SHARE:
            topic, to = "", f"{handle(rng)} {handle(rng)} " if rng.random() < 0.03 else f"{handle(rng)} "
            plan = self._reply(rng)
        else:
            topic, to = pick(rng, self._topics), ""
            plan = self._announcement(rng, topic)
        sentences = _fill(plan, goal_chars - len(to))
        text = _write(sentences, style, rng)
        text = recase(f"{to}{text}", style) + _decoration(rng, topic.removeprefix("topic."))
        base = " ".join(sentence.text for sentence in sentences)
        return Row(text, base, tuple(sentence.frame for sentence in sentences))

    def _sentence(self, rule: str, rng: Random) -> Sentence:
        template = pick(rng, self._grammar.rules[rule])
        text = fix_articles(self._grammar.sentence(template, rng))
        return Sentence(text, template.text, SOFT_MARKS.get(rule, 0.0))

    def _announcement(self, rng: Random, topic: str) -> Iterator[Sentence]:
        """Yield an optional opener, statements and comments, and a goodbye as the last sentence."""
        if rng.random() < 0.24:
            yield self._sentence("opener", rng)
        yield self._sentence(topic, rng)
        while (chance := rng.random()) < 0.85:
            yield self._sentence(topic if chance < 0.4 else "comment", rng)
        yield self._sentence("closer", rng)

    def _reply(self, rng: Random) -> Iterator[Sentence]:
        """Yield sentences to the addressee; a change of subject and a statement on it are the last two."""
        first = pick(rng, self._replies)
        yield self._sentence(first, rng)
        while (chance := rng.random()) < 0.85:
            yield self._sentence(first if chance < 0.25 else "more", rng)
        yield self._sentence("turn", rng)
        yield self._sentence(pick(rng, self._topics), rng)


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
