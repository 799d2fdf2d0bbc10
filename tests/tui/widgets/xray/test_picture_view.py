"""A picture on the screen: its characters, its shades, and which cells an update repaints."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.geometry import Region
from textual.theme import Theme

from tests.tui.test_theme import contrast
from tui.settings.theme import OWN_THEMES, TWEETGEN_THEME
from tui.widgets.xray.picture_view import NUM_SHADES, PictureView
from tui.xray.spans import Picture, Span

PICTURE: Picture = ((Span("state "), Span("▒▒", shade=0.5), Span("░", shade=-0.2)), (Span("[/b] 雪", "muted"),))


class PictureApp(App[None]):
    """Shows one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.view = PictureView(PICTURE)

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.register_theme(TWEETGEN_THEME)
        self.theme = TWEETGEN_THEME.name


def line(view: PictureView, y: int) -> str:
    return "".join(segment.text for segment in view.render_line(y))


async def test_a_picture_is_plain_text_with_a_background_for_each_shade_and_an_update_repaints_changed_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = PictureApp()
    async with app.run_test(size=(20, 5)):
        assert [line(app.view, y).rstrip() for y in range(3)] == ["state ▒▒░", "[/b] 雪", ""]
        assert app.view.size.height == 2
        backgrounds = [segment.style and segment.style.bgcolor for segment in app.view.render_line(0)]
        assert len(set(backgrounds[:3])) == 3, "none, one hue, the other hue"
        repainted: list[Any] = []
        monkeypatch.setattr(app.view, "refresh", lambda *regions, **_: repainted.append(regions))
        app.view.show_picture(PICTURE)
        app.view.show_picture(((*PICTURE[0][:2], Span("▓", shade=-0.7)), PICTURE[1]))
        assert repainted == [(Region(8, 0, 1, 1),)]
        app.view.show_picture((PICTURE[0], (Span("[/b] 雨", "muted"),)))
        assert repainted[1:] == [(Region(8, 0, 1, 1), Region(0, 1, 20, 1))], "a line with a wide character as a whole"
        app.view.show_picture(PICTURE[:1])
        assert repainted[2:] == [()], "another height needs another layout"


@pytest.mark.parametrize("theme", OWN_THEMES, ids=lambda theme: theme.name)
async def test_text_on_every_shade_is_readable_and_keeps_its_attributes(theme: Theme) -> None:
    app = PictureApp()
    async with app.run_test(size=(40, 5)):
        app.register_theme(theme)
        app.theme = theme.name
        for kind in ("text", "title", "value", "good", "muted"):
            shades = (step / NUM_SHADES for step in range(-NUM_SHADES, NUM_SHADES + 1))
            app.view.show_picture((tuple(Span("a", kind, shade) for shade in shades),))
            styles = [segment.style for segment in app.view.render_line(0) if segment.text == "a" and segment.style]
            assert len({style.bgcolor for style in styles}) == 2 * NUM_SHADES + 1
            assert len({style.bold for style in styles}) == 1
            for style in styles:
                assert style.color is not None
                assert style.bgcolor is not None
                assert contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)) >= 4.5
