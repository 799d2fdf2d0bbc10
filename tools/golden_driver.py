"""Runs `tweetgen-tui` in the checkout that is on the path, with commands at exact steps: the driver of `golden.py`.

    python golden_driver.py SCRIPT train --seed 1 ...

SCRIPT is a JSON list of `[trigger, actions]`, done one after the other. A trigger is the number of a step, or the name
of an event and what some of its fields are ("CheckpointSaved name=mid weights_step=18"). The actions are done between
two steps:

* `["command", NAME, FIELDS]` sends a command.
* `["kill"]` ends the process by SIGKILL, `["poison"]` makes the weights diverge.
* `["no memory", 3, 4]` lets these calls of the backward pass run out of memory, counted from 1.

Each event becomes a line of JSON on stdout. The run's clock advances whenever it is read, so each step is reported
alone, at once, on a machine of any speed.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import queue
import signal
import sys
import weakref
from collections.abc import Callable
from typing import Any

import msgspec
import torch

from engine.compute.cpu.step import GruStep
from engine.model.gru import TextGenerator
from engine.protocol import codec
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session import session

TICK_SECONDS = 0.03
"""A run reads its clock some twenty times in a step and reports every 0.1 seconds, so each step is reported alone. What
is due two seconds after a change, such as a save of `latest`, is not due within a step."""
Script = list[tuple[str, list[list[Any]]]]
"""A script: triggers and their actions."""
MODELS: weakref.WeakSet[TextGenerator] = weakref.WeakSet()
"""All models of this process."""


def is_at(trigger: str, fields: dict[str, Any]) -> bool:
    """Return whether an event is the one that a trigger means."""
    name, *wanted = ["StepsFinished", f"step={trigger}"] if trigger.isdecimal() else trigger.split()
    return {f"event={name}", *wanted} <= {f"{field}={value}" for field, value in fields.items()}


class ScriptedEmit:
    """Passes events on, prints them, and does what the script wants at them. Called on the session's thread."""

    def __init__(self, script: Script, emit: Callable[[Event], None], inbox: queue.SimpleQueue[Command]) -> None:
        self._left = script
        self._emit = emit
        self._inbox = inbox

    def __call__(self, event: Event) -> None:
        """Handle an event. Raises `ValueError` on steps that are not reported alone."""
        self._emit(event)
        name = type(event).__name__
        fields = {"event": name, **msgspec.to_builtins(event)}
        print(codec.encode(fields), flush=True)
        if name == "StepsFinished" and fields["first_step"] != event.step:
            raise ValueError(f"the steps up to {event.step} are reported together")
        if self._left and is_at(self._left[0][0], fields):
            for action in self._left.pop(0)[1]:
                self._do(action)

    def _do(self, action: list[Any]) -> None:
        match action:
            case ["command", name, fields]:
                self._inbox.put(codec.decode_tagged(msgspec.json.encode({"command": name, **fields}), base=Command))
            case ["no memory", *calls]:
                let_memory_run_out(calls)
            case ["poison"]:
                poison()
            case ["kill"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                raise ValueError(f"unknown action {action}")


class DrivenSession(session.TrainingSession):
    """A session with a script, and with a clock that advances whenever it is read."""

    script: Script

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of every session
        ticks = itertools.count()
        super().__init__(*arguments, **{**options, "clock": lambda: next(ticks) * TICK_SECONDS})

    def run(self, emit: Callable[[Event], None], inbox: queue.SimpleQueue[Command]) -> None:
        """Run to the end, as every session does."""
        super().run(ScriptedEmit(self.script, emit, inbox), inbox)


def record_models() -> None:
    """Add every model that is created from now on to `MODELS`."""
    sound = TextGenerator.__init__

    def init(model: TextGenerator, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of every model
        sound(model, *arguments, **options)
        MODELS.add(model)

    TextGenerator.__init__ = init  # type: ignore[method-assign, assignment]  # models are made far from here


def poison() -> None:
    """Set a bias of all models to NaN: no step from now on has a finite loss."""
    with torch.no_grad():
        for model in MODELS:
            model.proj.bias.fill_(math.nan)


def let_memory_run_out(calls: list[int]) -> None:
    """Let these calls of the CPU's backward pass fail."""
    sound, numbers = GruStep._backward, itertools.count(1)  # noqa: SLF001 - there is no public place within a step

    def backward(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of every step
        if next(numbers) in calls:
            raise MemoryError
        return sound(*arguments, **options)

    GruStep._backward = backward  # type: ignore[method-assign]  # noqa: SLF001 - see above


if __name__ == "__main__":
    DrivenSession.script = [(str(trigger), actions) for trigger, actions in json.loads(sys.argv[1])]
    session.TrainingSession = DrivenSession  # type: ignore[misc]  # before the program imports it
    record_models()
    sys.argv[:2] = ["tweetgen-tui"]

    from tui.__main__ import main

    main()
