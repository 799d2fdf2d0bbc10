"""The order of commands: a `Stop` overtakes questions, `SetSampling` everything, and nothing of the setup is lost."""

from __future__ import annotations

import queue

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.session.command_queue import MAX_CHANGES_BEFORE_STOP, CommandQueue


def queue_of(*commands: c.Command) -> tuple[CommandQueue, queue.SimpleQueue[c.Command]]:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    for command in commands:
        inbox.put(command)
    return CommandQueue(inbox), inbox


def received(commands: CommandQueue) -> list[c.Command]:
    """Receive all commands and return them in the order of their execution."""
    executed: list[c.Command] = []
    commands.receive(executed.append)
    return [*executed, *(commands.pop() for _ in range(len(commands)))]


def test_a_stop_comes_before_questions_and_after_the_first_changes() -> None:
    save, question = c.SaveLatest(), c.SampleNow()
    commands, _ = queue_of(question, *[save] * (MAX_CHANGES_BEFORE_STOP + 1), question, c.Stop())

    assert received(commands) == [*[save] * MAX_CHANGES_BEFORE_STOP, c.Stop(), question, save, question]


def test_sampling_settings_and_questions_about_the_weights_are_executed_at_once_and_interrupt_nothing() -> None:
    at_once: list[c.Command] = [c.SetSampling(sampling=SamplingConfig(temperature=0.5)), c.TraceText(text="hi")]
    commands, inbox = queue_of(c.Pause(), *at_once)

    assert received(commands) == [*at_once, c.Pause()]
    inbox.put(c.ScoreUnits())
    commands.receive(lambda _: None)
    assert len(commands) == 0


def test_commands_of_the_setup_come_first_and_a_stop_ends_it() -> None:
    commands, inbox = queue_of(c.Pause())
    assert commands.early_stop() is None
    inbox.put(c.Resume())
    assert received(commands) == [c.Pause(), c.Resume()]

    inbox.put(c.Stop(reason="enough"))
    assert commands.early_stop() == c.Stop(reason="enough")
