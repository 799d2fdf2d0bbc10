"""Every error is two sanitized lines and an exit code."""

from __future__ import annotations

from hypothesis import given

from engine import errors
from engine.errors import InternalError, RankLostError, TweetgenError, WeightsDifferError, exit_code_for
from engine.text import harmless
from tests.strategies import hostile_text

CODES: dict[type, int] = {InternalError: 3, RankLostError: 75, WeightsDifferError: 75}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TweetgenError)]


@given(message=hostile_text(), hint=hostile_text())
def test_both_lines_are_harmless(message: str, hint: str) -> None:
    error = TweetgenError(message, hint)
    assert error.message == harmless(error.message) == str(error)
    assert error.hint == harmless(error.hint)


def test_a_message_is_bounded_and_the_hint_is_optional() -> None:
    error = TweetgenError("x" * 1_000_000, "y" * 1_000_000)
    assert len(error.message) <= 4000
    assert len(error.hint) <= 4000
    assert TweetgenError("wrong").hint == ""


def test_every_class_has_its_own_title_and_the_exit_code_of_the_modules_docstring() -> None:
    assert len({kind.title for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.exit_code == exit_code_for(kind.title) == CODES.get(kind, 1)
        [line] = [line for line in (errors.__doc__ or "").splitlines() if f"{kind.__name__} " in line]
        assert line.split(kind.__name__)[1].split()[0] == str(kind.exit_code)
