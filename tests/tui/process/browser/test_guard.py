"""Only the page of the server itself, opened at the address with the token, reaches a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tui.process.browser.guard import Request, headers_for, refusal

TOKEN = "J2rzvYvVVkbJgbYhvNqXGw"  # noqa: S105 - of no server
PAGE = Request(host="127.0.0.1:8000", token=TOKEN)
SOCKET = Request(host="127.0.0.1:8000", origin="http://127.0.0.1:8000", token=TOKEN, is_websocket=True)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.0.0.1", "localhost:9000", "localhost"])
def test_page_socket_and_files_of_this_machine_are_served_at_the_port_that_ssh_has_chosen(host: str) -> None:
    for request in (PAGE, replace(SOCKET, origin=f"http://{host}"), Request(host=host)):
        assert refusal(replace(request, host=host), TOKEN) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:8000", "127.0.0.1.evil.example:8000", "localhost.evil.example"),
        *("127.0.0.1:8000.evil.example", "evil.example#127.0.0.1", "127.0.0.1@evil.example", "127.0.0.1:8000 x"),
        *("127.0.0.2", "0.0.0.0:8000", "[::1]:8000", "127.0.0.1:", "127.0.0.1:٨٠٠٠", "127.0.0.1\n"),
    ],
)
def test_a_domain_that_resolves_to_this_machine_is_refused_and_its_page_may_connect_to_nothing(host: str) -> None:
    for request in (PAGE, SOCKET, Request(host=host)):
        assert "127.0.0.1 and localhost only" in refusal(replace(request, host=host), TOKEN)
    assert "connect-src 'none'" in headers_for(host)["Content-Security-Policy"]


@pytest.mark.parametrize(
    "origin",
    [
        *(None, "null", "", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:8001"),
        *("http://localhost:8000", "https://127.0.0.1:8000", "http://127.0.0.1:8000.evil.example"),
    ],
)
def test_a_page_of_any_other_origin_opens_no_terminal_even_with_the_token(origin: str | None) -> None:
    assert "Only the page of this server" in refusal(replace(SOCKET, origin=origin), TOKEN)


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.swapcase(), "ü", "\udcff"])
def test_without_the_token_another_user_of_the_machine_gets_neither_page_nor_terminal(token: str) -> None:
    for request in (PAGE, SOCKET):
        assert "The token is missing or wrong" in refusal(replace(request, token=token), TOKEN)
