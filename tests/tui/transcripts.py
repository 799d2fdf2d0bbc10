"""Transcripts: what a run on the screen shows, sends and reports after each key, as text to record.

A dialog is written down when it opens, after that only its new lines; of the main screen only what changes, unless the
first step is nothing, and the plot is left out; of the X-ray its keys.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import structs
from rich.cells import cell_len
from textual.app import App
from textual.events import Key, Paste
from textual.widgets import OptionList

from engine.protocol.events import Event
from tests.tui.conftest import CHARACTERS, Running, cropped, drawn, toasts
from tui.app.main_screen import MainScreen
from tui.settings.keys import key_named

PANELS = (
    *("Header", "StatusLines", "SidePanel", "PanelRule", "TweetFeed"),
    *("AlertBar", "StepBar", "EndBar", "PromptLine", "KeyBar"),
)
T = TypeVar("T")
RANDOM_FIELDS = {"request", "seed"}
SCROLL_BAR = re.compile("[▁▂▃▄▅▆▇](?= ?│$)")
"""A part of one: Textual (8.2) draws some of them late."""


@dataclass(frozen=True)
class Typed:
    """Replaces the text of the line in the dialog on top."""

    text: str


@dataclass(frozen=True)
class AtOnce:
    """Has keys, 'typed' texts and "pasted" ones arrive in one go, as from one read of the terminal."""

    keys: str

    def post_to(self, app: App[Any]) -> None:
        for word in self.keys.split():
            text = word[1:-1]
            if word[0] == '"':
                app.post_message(Paste(text))
                continue
            for key in text if word[0] == "'" != word else [word]:
                name = key_named(key)
                app.post_message(Key(name, CHARACTERS.get(name)))


@dataclass(frozen=True)
class Click:
    """Clicks where a line of the screen, the first that has these words, has them."""

    words: str


@dataclass(frozen=True)
class Size:
    """Gives the terminal another size."""

    width: int
    height: int


@dataclass(frozen=True)
class Entry:
    """Moves to the entry of a list that has this name."""

    name: str


Step = str | Typed | AtOnce | Click | Size | Entry | Event | Callable[[Running], object]
"""Keys, keys in one go, a text for the line, a click, a size, an entry, an event of the session, or anything else."""


def plays(name: str, module: Mapping[str, Any]) -> dict[str, tuple[Step, ...]]:
    """Read `plays/NAME.txt` beside a test module, by claim: a line "# claim", then one step a line.

    A step is keys, `at once KEYS`, `typed "text"`, `click "words"`, `at "entry"`, `size 80 24`, `(nothing)`, or
    `(name)` of a step of the module, of a tuple of them, or of a function that returns a step for the argument behind
    its name.
    """
    found: dict[str, tuple[Step, ...]] = {}
    claim = ""
    path = Path(module["__file__"]).parent / "plays" / f"{name}.txt"
    for line in path.read_text(encoding="utf-8").splitlines():
        steps: Any
        match line.partition(" "):
            case ["#", _, claim]:
                assert claim not in found, claim
                found[claim], steps = (), ()
            case ["typed", _, text]:
                steps = (Typed(json.loads(text)),)
            case ["at", _, keys] if keys.startswith("once "):
                steps = (AtOnce(keys.removeprefix("once ")),)
            case ["at", _, entry]:
                steps = (Entry(json.loads(entry)),)
            case ["click", _, words] if words.startswith('"'):
                steps = (Click(json.loads(words)),)
            case ["size", _, size]:
                steps = (Size(*map(int, size.split())),)
            case ["(nothing)", *_]:
                steps = ("",)
            case _ if line.startswith("("):
                key, _, argument = line[1:-1].partition(" ")
                step = module[key](argument) if argument else module[key]
                steps = step if isinstance(step, tuple) else (step,)
            case _:
                steps = (line,)
        found[claim] += steps
    return found


def set_up(table: Mapping[str, T], claim: str, otherwise: T) -> T:
    """Return what a table has for a claim that begins with a key of it."""
    found = [value for words, value in table.items() if claim.startswith(words)]
    assert len(found) <= 1, claim
    return found[0] if found else otherwise


async def transcript(at: Running, *steps: Step, note: Callable[[Running], str] = lambda _: "") -> str:
    """Take each step, and return what followed from it; `note` returns what else to write down."""
    lines: list[str] = []
    shown: dict[tuple[str, str], list[str]] = {}
    screen: object = None
    if isinstance(at.app.screen, MainScreen) and steps[0]:
        screen = at.app.screen
        shown["MainScreen", ""] = _shown(at)
    last_note, num_sent, num_toasts = "", len(at.session.received), len(toasts(at.app))
    for step in steps:
        lines.append(f"» {await take(at, step)}".rstrip())
        kind = type(at.app.screen).__name__, getattr(at.app.screen, "heading", "")
        if at.app.screen is not screen:
            screen = at.app.screen
            lines.append(f"[{kind[0]}]")
        now = _shown(at)
        lines += new_lines(shown.get(kind, []), now)
        shown[kind] = now
        lines += [f"sent: {short(command)}" for command in at.session.received[num_sent:]]
        lines += [f"toast: {message}" for message in toasts(at.app)[num_toasts:]]
        num_sent, num_toasts = len(at.session.received), len(toasts(at.app))
        if (text := note(at)) != last_note:
            lines.append(f"noted: {text}")
            last_note = text
    return "\n".join(lines)


def new_lines(before: list[str], now: list[str]) -> Iterator[str]:
    """Yield the new and changed lines, and with a minus those that are gone without others in their place."""
    for _, start, end, first, last in SequenceMatcher(a=before, b=now, autojunk=False).get_opcodes():
        if before[start:end] != now[first:last]:
            yield from now[first:last]
            yield from (f"- {line}" for line in before[start + last - first : end])


async def take(at: Running, step: Step) -> str:
    """Take a step, and return its name."""
    match step:
        case str():
            await at.press(*step.split())
            return step
        case Typed(text):
            await at.type_into(text)
            return f"typed: {text if len(text) < 100 else f'{text[:20]}… ({len(text)} characters)'}"
        case AtOnce(keys):
            step.post_to(at.app)
            await at.settle()
            return f"at once: {keys}"
        case Click(words):
            lines = at.text.splitlines()
            row = next(number for number, line in enumerate(lines) if words in line)
            await at.pilot.click(offset=(cell_len(lines[row].partition(words)[0]), row))
            await at.settle()
            return f"a click on {words}"
        case Size(width, height):
            await at.resize(width, height)
            return f"{width} columns, {height} rows"
        case Entry(name):
            options = at.app.screen.query_one(OptionList)
            options.highlighted = options.get_option_index(name)
            await at.settle()
            return f"at {name}"
        case _ if callable(step):
            if inspect.isawaitable(done := step(at)):
                await done
            await at.settle()
            return step.__name__.replace("_", " ")
        case _:
            await at.emit(step)
            return f"event: {short(step)}"


def _shown(at: Running) -> list[str]:
    """Return the lines of the dialog on top, or of the panels of the main screen."""
    screen = at.app.screen
    selectors = PANELS if isinstance(screen, MainScreen) else ("#box",) if screen.query("#box") else ("KeyBar",)
    drawing = drawn(at.app, is_whole=False)
    regions = [screen.query(name).first().region for name in selectors if screen.query(name)]
    texts = [cropped(drawing, region) for region in regions]
    lines = (SCROLL_BAR.sub(" ", line) for text in texts for line in text.splitlines())
    return [line for line in lines if line.strip("│ ")]


def short(value: Any) -> str:
    """Return a value as Python writes it, without fields that have their default or are random."""
    if isinstance(value, tuple) and len(value) > 6:
        return f"({value[0]!r}, … {len(value)} values)"
    if not isinstance(value, msgspec.Struct) and not is_dataclass(value):
        return repr(value)
    shown = [
        f"{field.name}={short(getattr(value, field.name))}"
        for field in (structs.fields(value) if isinstance(value, msgspec.Struct) else fields(value))
        if field.name not in RANDOM_FIELDS and getattr(value, field.name) != _default(field)
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def _default(field: Any) -> Any:
    has_factory = field.default_factory not in (MISSING, msgspec.NODEFAULT)
    return field.default_factory() if has_factory else field.default
