"""Who is at the other end of a socket: the kernel says, not they."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tui.remote.peers import is_own

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        yield one, other


def test_a_process_of_the_same_user_is_ones_own(pair: Pair) -> None:
    assert is_own(pair[0])


def test_one_of_another_user_is_not(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert not is_own(pair[0])


def test_what_is_no_unix_socket_is_nobodys_own() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as closed:
        closed.close()
        assert not is_own(closed)
