"""Why a key can't act now: one answer for the key bar, which dims it, and for the refusal when it is pressed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from engine.text import quoted
from tui.run import replay
from tui.run.view import RunPhase
from tui.settings.key_table import Key, Need


@dataclass(frozen=True, kw_only=True)
class KeyState:
    """What decides whether keys can act. The defaults let all of them act."""

    phase: RunPhase = "training"
    run: str = ""
    """The name of the run; empty before its start."""
    is_at_end: bool = False
    """The run is paused because its budget is used up."""
    is_ending: bool = False
    """The session was asked to end."""
    is_replay: bool = False
    refusal: str = ""
    """Why this screen must not change the run."""
    interruption: str = ""
    """Why the connection to the run is interrupted; empty while commands reach it."""
    has_alert: bool = True
    has_tweet: bool = True
    """A tweet is selected, or there is a newest one."""
    has_prime: bool = True
    has_change: bool = True
    """A setting was changed, which can be undone."""
    has_steps: bool = True
    is_in_browser: bool = False

    @property
    def ending(self) -> str:
        """Why nothing is begun any more; empty unless the session was asked to end."""
        return "The run is ending." if self.is_ending else ""

    @property
    def silence(self) -> str:
        """Why no session answers."""
        match self.phase:
            case "starting":
                return "The run is still starting."
            case "failed":
                return "The run has failed; q quits, o opens other tweets."
            case "finished" if self.run:
                what = "The replay is over" if self.is_replay else "The run has ended"
                resume = f"tweetgen-tui --resume {quoted(self.run)} continues the run"
                return f"{what}; {resume}, o opens other tweets, q quits."
            case "finished":
                return "The run has ended; q quits, o opens other tweets."
            case "training" | "paused":
                return self.interruption

    @property
    def replay(self) -> str:
        """Why nothing can be changed in a replay."""
        return replay.REASON if self.is_replay else ""


def unavailable(key: Key, state: KeyState) -> str:
    """Return why `key` can't act in this state, as a sentence; empty if it can."""
    return next(filter(None, (lacking(need, state) for need in key.needs)), "")


def lacking(need: Need, state: KeyState) -> str:  # noqa: C901, PLR0912 - one case per need
    """Return why a need isn't met, as a sentence; empty if it is."""
    match need:
        case "steering":
            return state.refusal or state.interruption
        case "switching":
            return state.ending or state.refusal
        case "pausing":
            return state.ending or state.refusal or state.silence
        case "commands":
            return state.ending or state.refusal or state.silence or state.replay
        case "answers":
            return state.ending or state.silence or state.replay
        case "steps to come":
            return "No step is left to take: space continues the run." if state.is_at_end else ""
        case "a run to leave":
            is_over = state.is_replay or state.phase in {"finished", "failed"}
            return "No run is left to continue without a screen; q quits." if is_over else ""
        case "an alert":
            return "" if state.has_alert else "No alert to answer."
        case "a tweet":
            return "" if state.has_tweet else "There is no tweet yet: g samples one."
        case "a prime":
            return "" if state.has_prime else "No prime is set."
        case "a change":
            return "" if state.has_change else "Nothing to undo."
        case "steps":
            return "" if state.has_steps else "There is no step to plot yet."
        case "files":
            return state.refusal if state.is_in_browser else ""
        case "a terminal":
            return "It needs a terminal: tweetgen-tui lesson." if state.is_in_browser else ""
    assert_never(need)
