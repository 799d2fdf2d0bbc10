"""`serve` before it serves: a run that is active, a free port, and the package of the page."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tests.tui.remote.host_and_client import hosted


def test_a_run_that_has_ended_is_refused_with_the_command_that_continues_it(cli: Cli, trained: Path) -> None:
    ended = cli("serve", "first")
    assert_two_line_error(ended, "The run first is not active.", "tweetgen-tui train --detach --resume first")


def test_a_port_in_use_is_named_together_with_the_option_that_avoids_it(cli: Cli) -> None:
    with hosted() as run, socket.create_server(("127.0.0.1", 0)) as other:
        run.folder.config_path.write_text("{}", encoding="utf-8")
        ended = cli("serve", "--port", str(other.getsockname()[1]))
        assert_two_line_error(ended, " of 127.0.0.1", "in use", "--port 0 picks a free one")


def test_without_the_package_of_the_page_it_names_the_command_that_installs_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    monkeypatch.delitem(sys.modules, "tui.process.browser.server", raising=False)
    assert_two_line_error(cli("serve"), "textual-serve, which is not installed", "pip install textual-serve")
