"""`python -m tests.signals` accepts only the exit codes that a signal may cause, and reports all others."""

from __future__ import annotations

import signal

import pytest

from tests.cli.program import ending_signals
from tests.signals import INTERPRETER_ERRORS, MOMENTS, exit_code_problems

TRACEBACK = "Traceback (most recent call last):\nKeyboardInterrupt"


@pytest.mark.parametrize("error", INTERPRETER_ERRORS)
def test_an_interrupted_start_of_the_interpreter_is_accepted_for_sigint_at_the_start_only(error: str) -> None:
    accepted = [
        (number, moment)
        for number in ending_signals()
        for moment in MOMENTS
        if not exit_code_problems(number, moment, 1, f"{error}\n{TRACEBACK}")
    ]
    assert accepted == [(signal.SIGINT, "start")]


def test_exit_code_1_without_the_interpreters_own_error_is_a_problem() -> None:
    [problem] = exit_code_problems(signal.SIGINT, "start", 1, TRACEBACK)
    assert "exit code 1, not one of [-2, 130]" in problem
    assert "KeyboardInterrupt" in problem


def test_the_interpreters_error_excuses_no_other_exit_code() -> None:
    assert exit_code_problems(signal.SIGINT, "start", 3, INTERPRETER_ERRORS[0])


@pytest.mark.parametrize("number", ending_signals())
def test_a_signal_kills_only_at_the_start_and_is_too_late_only_after_q(number: signal.Signals) -> None:
    accepted = {
        moment: {code for code in (0, 128 + number, -number) if not exit_code_problems(number, moment, code, "")}
        for moment in MOMENTS
    }
    assert accepted == {"start": {128 + number, -number}, "screen": {128 + number}, "q": {128 + number, 0}}
