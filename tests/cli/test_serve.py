"""`serve` before it serves: a run that is active, a free port, and the package of the page."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tests.tui.remote.host_and_client import hosted


def test_without_an_active_run_it_names_the_command_that_starts_one(cli: Cli) -> None:
    assert_two_line_error(cli("serve"), "No run is active.", "tweetgen-tui train --detach")


def test_a_run_that_has_ended_is_refused_with_the_command_that_continues_it(cli: Cli, trained: Path) -> None:
    ended = cli("serve", "first")
    assert_two_line_error(ended, "The run first is not active.", "tweetgen-tui train --detach --resume first")


def test_an_unknown_run_is_refused(cli: Cli) -> None:
    assert_two_line_error(cli("serve", "missing"), "missing")


def test_a_port_in_use_is_named_together_with_the_option_that_avoids_it(cli: Cli) -> None:
    with hosted() as run, socket.create_server(("127.0.0.1", 0)) as other:
        run.folder.config_path.write_text("{}", encoding="utf-8")
        port = str(other.getsockname()[1])
        assert_two_line_error(
            cli("serve", "--port", port), f"Port {port} of 127.0.0.1", "in use", "--port 0 picks a free one"
        )


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_a_usage_error(cli: Cli, port: str) -> None:
    ended = cli("serve", "--port", port)
    assert ended.code == 2
    assert "--port" in ended.err


def test_without_the_package_of_the_page_it_names_the_command_that_installs_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    monkeypatch.delitem(sys.modules, "tui.process.browser.server", raising=False)
    assert_two_line_error(cli("serve"), "textual-serve, which is not installed", "pip install textual-serve")
