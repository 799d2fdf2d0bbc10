"""Runs as lines for a snapshot: events and the last checkpoint, without what differs between machines.

That are losses and sampled texts; times are those of a clock that stands, unless a test lets it advance.

`plays/NAME.txt` has short runs by claim. A run is a line, with others for what is sent to it:

    # the claim
    run max_steps=6 pauses_at_end=true    a run of the tiny model, with settings and options of `run_session`
    3 Pause; change batch_size=4          after step 3 (0: at the start)
    Paused SaveCheckpoint name=four       at the first event of a type
    Paused Stop                           at the second
    StepsFinished 0.5 s                   the time that each event of a type takes
    5 (break_disk); 3 * SampleNow         a function of the test's module is called; a command is sent three times
    resume eval_every=10                  a resume of the last run; `resume new` is of the run called new
    branch others max_steps=8             a new run from a checkpoint of the first, on the tweets of a function
    unseen run                            a run that is not shown
    (others)                              a function that is called before the next run
    like max_steps=14                     all losses are those of a run with these settings that nothing disturbs
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.format import CheckpointInfo
from engine.config.run import Computation, RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.storage.folders import folder_of_run
from tests.engine import helpers as h
from tests.engine.helpers import TINY, Script, info_of, run_session
from tests.fakes import budget, change

SHOWN: dict[type, tuple[str, ...]] = {
    e.RunStarted: ("run", "resumed_from", "epochs", "is_warm_start"),
    e.TweetSampled: ("prime", "temperature", "num_drafts"),
    e.LadderSampled: ("prime", "seed"),
    e.TextCompleted: ("request", "unknown_chars"),
    e.EvalFinished: ("is_best", "is_early"),
    e.CheckpointSaved: ("name", "weights_step"),
    e.CheckpointLoaded: ("name", "bits_per_char"),
    e.ModelChanged: ("model",),
    insight.StepTaken: ("num_tweets", "learning_rate"),
    e.RunFinished: ("reason",),
}
"""The fields that are shown of events of these types; of others all but step and time."""
COMPUTED = ("num_threads", "precision", "tuning")
EMPTY = {"None", "False", "''", "()"}
"""Values of fields that are left out."""


FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\[[^]]*]|\S+)')
OPTIONS = ("pauses_at_end", "report_seconds", "writer")


Sent = c.Command | str
"""A command, or the name of a function."""
Functions = Mapping[str, Callable[..., Any]]
Note = Callable[[list[e.Event]], str]


@dataclass
class Part:
    """A run of a play with what is sent to it, or what `kind` says."""

    kind: str
    names: list[str]
    options: dict[str, Any]
    is_seen: bool
    at_steps: dict[int, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    at_events: dict[type, list[list[Sent]]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[type, float] = field(default_factory=dict)

    def run(self, corpus: Path, functions: Functions, **options: Any) -> list[e.Event]:
        """Run the session with these further options of `run_session`, and return its events."""
        settings = {**self.options}
        options |= {name: settings.pop(name) for name in OPTIONS if name in settings}
        preset = {"preset": settings.pop("preset")} if "preset" in settings else {}
        match self.kind:
            case "run":
                config = h.tiny_config(corpus, **settings)
            case "resume":
                config = h.resume_config(*self.names, **settings)
            case _:
                tweets = [functions[name](corpus) for name in self.names] or [None]
                config = h.branch_config(*tweets, **{"run_name": "new", **settings})

        def sent(all_sent: list[Sent]) -> list[c.Command | Callable[..., Any]]:
            return [functions[each] if isinstance(each, str) else each for each in all_sent]

        def on_event(event: e.Event) -> Iterator[c.Command]:
            for each in sent(next(lines[type(event)], [])):
                if isinstance(each, c.Command):
                    yield each
                else:
                    each()

        lines = defaultdict(lambda: iter([]), {kind: iter(each) for kind, each in self.at_events.items()})
        script = {step: sent(each) for step, each in self.at_steps.items()}
        return run_session(replace(config, **preset), script, on_event, seconds=self.seconds, **options)


@dataclass
class Play:
    """Runs one after the other."""

    parts: list[Part] = field(default_factory=list)

    def lines(self, corpus: Path, functions: Functions, note: Note = lambda _: "", **options: Any) -> str:
        """Return the lines of the runs, and of what `note` returns of each; `options` are those of `run_session`."""
        shown: list[str] = []
        losses: dict[int, float] = {}
        for part in self.parts:
            if part.kind == "like":
                assert losses == h.plain_losses(**part.options)
            elif part.kind in functions:
                functions[part.kind]()
            else:
                emitted = part.run(corpus, functions, **options)
                losses |= h.losses(emitted)
                noted = note(emitted)
                shown += ["\n".join(filter(None, [lines_of(emitted), noted]))] if part.is_seen else []
        return "\n\n".join(shown)


def recorded_plays(name: str) -> pytest.MarkDecorator:
    """Return the mark of a test of each `play` in the file of this name."""
    plays: dict[str, Play] = {}
    parts: list[Part] = []
    text = (Path(__file__).parent / "plays" / f"{name}.txt").read_text(encoding="utf-8")
    for line in filter(None, text.splitlines()):
        first, _, rest = line.partition(" ")
        if first == "#":
            assert rest not in plays, rest
            parts = plays.setdefault(rest, Play()).parts
        elif first in {"run", "resume", "branch", "like", "unseen"}:
            kind, *names = FIELD.sub("", line.removeprefix("unseen ")).split()
            parts.append(Part(kind, names, fields_in(rest), is_seen=first != "unseen"))
        elif first.startswith("("):
            parts.append(Part(first[1:-1], [], {}, is_seen=False))
        elif first.isdecimal():
            parts[-1].at_steps[int(first)] += sent_by(rest)
        elif rest.endswith(" s"):
            parts[-1].seconds[getattr(e, first)] = float(rest[:-2])
        else:
            parts[-1].at_events[vars(e).get(first) or vars(insight)[first]].append(sent_by(rest))
    return pytest.mark.parametrize("play", [pytest.param(play, id=claim) for claim, play in plays.items()])


def sent_by(line: str) -> list[Sent]:
    """Return the commands and functions of a line."""
    sent: list[Sent] = []
    for each in filter(None, line.split("; ")):
        count, _, once = each.rpartition(" * ")
        name, _, options = once.partition(" ")
        make = {"change": change, "budget": budget, **vars(insight), **vars(c)}.get(name)
        sent += [make(**fields_in(options)) if make else name[1:-1]] * int(count or 1)
    return sent


def fields_in(text: str) -> dict[str, Any]:
    """Return the fields of `a=1 b="x y" c=word`."""
    return {name: _value(value) for name, value in FIELD.findall(text)}


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


def record(config: RunConfig, script: Script | None = None, **options: Any) -> str:
    """Run a session and return its lines."""
    return lines_of(run_session(config, script, **options))


def lines_of(emitted: Iterable[e.Event]) -> str:
    """Return one line per event, one for all steps between two other events, and those of the checkpoint `latest`."""
    lines, run = list[str](), ""
    for are_steps, group in groupby(emitted, lambda event: isinstance(event, e.StepsFinished)):
        events: list[Any] = list(group)
        if are_steps:
            rates = [rate for rate, _ in groupby(f"{event.learning_rate:.2g}" for event in events)]
            shown = rates if len(rates) < 6 else [rates[0], "...", rates[-1]]
            first, last = events[0].first_step, events[-1].step
            numbers = f"steps {first} to {last}" if last > first else f"step {last}"
            lines.append(f"     {numbers}, learning rate {' '.join(shown)}")
        else:
            lines += map(line_of, events)
            run = next((event.run for event in events if isinstance(event, e.RunStarted)), run)
    if run and folder_of_run(run).checkpoint_path("latest").is_file():
        lines.append(summary(info_of(run)))
    return "\n".join(lines).replace(os.environ["TWEETGEN_HOME"], "HOME")


def line_of(event: e.Event) -> str:
    """Return step, time, type and fields that are not empty."""
    names = SHOWN.get(type(event), event.__struct_fields__[2:])
    if isinstance(event, e.RunStarted) and not _is_usual(event):
        names = (*names, *COMPUTED)
    values = {name: getattr(event, name) for name in names}
    shown = [f"{name}={_shown(name, value)}" for name, value in values.items() if repr(value) not in EMPTY]
    seconds = [f"{event.elapsed_seconds:.6g}s"] if event.elapsed_seconds else []
    return " ".join([f"{event.step:4}", *seconds, type(event).__name__, *shown])


def summary(info: CheckpointInfo) -> str:
    """Return what a resume from a checkpoint continues with, and the settings that are not those of `tiny_config`."""
    progress, computation = info.progress, info.computation
    names = ("train_loss", "bits_per_char", "best_bits_per_char")
    figures = ", ".join(name for name in names if getattr(progress, name) is not None)
    return "\n    ".join(
        (
            f"latest: step {info.step} in {info.elapsed_seconds:.6g} s, {progress.total_chars} characters",
            f"epoch {info.position.epoch}, batch {info.position.batch}, {len(info.vocab)} different characters",
            f"last tweet {progress.last_sample_step}, last evaluation {progress.last_eval_step}, "
            + (figures or "no figures"),
            f"{_shown('', info.training)} {_shown('', info.sampling)}",
            *([] if _is_usual(computation) else [", ".join(str(getattr(computation, name)) for name in COMPUTED)]),
        )
    )


def _is_usual(found: Computation | e.RunStarted) -> bool:
    """Return whether a run computes as `tiny_config` has it: on one thread in float32, and measures nothing."""
    return (found.num_threads, found.precision, found.tuning) == (1, "float32", "fixed")


def _shown(name: str, value: Any) -> str:
    """Return a value: of settings those that are neither default nor in `tiny_config`, of a figure that it is known."""
    if not is_dataclass(value):
        return "known" if name == "bits_per_char" else f"{value:.6g}" if isinstance(value, float) else repr(value)
    default = type(value)()  # type: ignore[misc] # no class, but an instance
    own = {each.name: getattr(value, each.name) for each in fields(value) if each.name != "preset_reason"}
    return repr({name: each for name, each in own.items() if each not in (getattr(default, name), TINY.get(name))})
