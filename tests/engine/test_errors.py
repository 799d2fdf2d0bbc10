"""Errors: two harmless lines each, and the exit code that they end the program with."""

from __future__ import annotations

import pytest
from hypothesis import given

from engine import errors
from engine.errors import InternalError, TweetgenError, exit_code_for
from engine.text import harmless
from tests.strategies import hostile_text

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TweetgenError)]


@given(message=hostile_text(), hint=hostile_text())
def test_both_lines_are_harmless(message: str, hint: str) -> None:
    error = TweetgenError(message, hint)
    assert error.message == harmless(error.message) == str(error)
    assert error.hint == harmless(error.hint)


def test_a_message_is_bounded() -> None:
    error = TweetgenError("x" * 1_000_000, "y" * 1_000_000)
    assert len(error.message) <= 4000
    assert len(error.hint) <= 4000


def test_a_hint_may_be_left_out() -> None:
    assert TweetgenError("wrong").hint == ""


def test_every_kind_has_a_title_of_its_own() -> None:
    titles = [kind.title for kind in KINDS]
    assert len(KINDS) == 12
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_with_the_users_things_exits_with_1_and_our_own_mistake_with_3(kind: type[TweetgenError]) -> None:
    assert kind.exit_code == (3 if kind is InternalError else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_exit_code_can_be_told_from_the_title_alone(kind: type[TweetgenError]) -> None:
    assert exit_code_for(kind.title) == kind.exit_code


@pytest.mark.parametrize("kind", KINDS)
def test_the_modules_tree_names_every_kind_with_its_exit_code(kind: type[TweetgenError]) -> None:
    [line] = [line for line in (errors.__doc__ or "").splitlines() if f"{kind.__name__} " in line]
    assert line.split(kind.__name__)[1].split()[0] == str(kind.exit_code)
