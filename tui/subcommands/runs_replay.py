"""`tweetgen-tui runs replay`: a run played again in the screen, from its journal."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.config import RunConfig
from engine.folders import find_run
from tui.guardian import guarded
from tui.subcommands.screen import require_terminal, sharing, show

_MAX = "max"


def _to_speed(text: str) -> float:
    """Return the factor that an option says; raises typer's error."""
    if text == _MAX:
        return float("inf")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"{text!r} is no number above 0, and not {_MAX}.")
    return speed


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's name, or last for the latest.")],
    *,
    speed: Annotated[
        float,
        typer.Option(parser=_to_speed, metavar="N", help=f"How many times faster than it was; {_MAX}: all it can."),
    ] = 10.0,
) -> None:
    """Play a run again in the screen, as it trained; space pauses, q leaves. Nothing of the run is changed."""
    require_terminal("Without one: tweetgen-tui runs list, and the run's events.jsonl.")
    guard = guarded()
    folder = find_run(run)

    from tui.bridge import EngineBridge, Nobody
    from tui.preference_keeper import PreferenceKeeper
    from tui.preferences import preferences_path
    from tui.replay import OpenReplay, require_journal
    from tui.run_view import RunView

    require_journal(folder)
    config = RunConfig()
    opening = OpenReplay(config, folder, speed)
    share = sharing(guard, config)
    bridge = EngineBridge(config, opening, share=lambda each: Nobody() if each.config is config else share(each))
    opening.num_untaken = lambda: bridge.num_untaken
    show(config, bridge, RunView(is_replay=True), PreferenceKeeper(preferences_path()), guard)
