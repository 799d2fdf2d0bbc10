"""Servers that lie, and what is no server: nothing but the right file is ever kept, and nothing is read without end.

The fuzz test tries 60 answers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.download import fetch
from engine.errors import DownloadError
from tests import lying_server as server
from tests.engine.downloads import CONTENT, LIMITS, MD5, OTHER, SIZE, Told, fail, get, leave_part, wanted
from tests.lying_server import reach_only_this_machine, running


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_only_this_machine(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "file.zip"


def test_another_file_of_the_same_length_leaves_nothing_behind(path: Path) -> None:
    with running(server.serve(OTHER)) as lying:
        error = fail(lying, path, f"its MD5 is [0-9a-f]{{32}}, not {MD5}")
    assert "Nothing was kept" in error.hint


def test_another_file_after_a_part_leaves_nothing_behind_either(path: Path) -> None:
    leave_part(path, CONTENT[:5000])
    with running(server.serve(OTHER)) as lying:
        fail(lying, path, "its MD5 is")
    assert lying.ranges == ["bytes=5000-", None]


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1, 0, 10**15])
def test_another_length_is_refused_before_anything_is_read(path: Path, length: int) -> None:
    with running(server.answer(200, CONTENT, Content_Length=str(length))) as lying:
        fail(lying, path, f"{length} bytes to come instead of {SIZE}")
    assert len(lying.requests) == 1


def test_more_than_was_announced_is_not_read(path: Path) -> None:
    with running(server.answer(200, CONTENT + b"more" * 1000, Content_Length=str(SIZE))) as lying:
        get(lying, path)


def test_less_than_was_announced_ends_like_a_drop(path: Path) -> None:
    with running(server.answer(200, CONTENT[:-1], Content_Length=str(SIZE)), server.serve(CONTENT)) as lying:
        get(lying, path)
    assert lying.ranges == [None, f"bytes={SIZE - 1}-"]


def test_an_answer_without_end_is_left_as_soon_as_it_is_too_long(path: Path) -> None:
    with running(server.endless(b"x" * 10_000)) as lying:
        fail(lying, path, "sends more than the file has")
    assert len(lying.requests) == 1


def test_a_page_instead_of_the_file_is_called_so(path: Path) -> None:
    with running(server.answer(200, b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")) as lying:
        error = fail(lying, path, "answers with a web page")
    assert "login page" in error.hint


def test_a_page_without_end_is_not_read(path: Path) -> None:
    with running(server.endless(b"<p>", Content_Type="text/html")) as lying:
        fail(lying, path, "answers with a web page")


def test_the_file_under_a_wrong_type_is_taken(path: Path) -> None:
    with running(server.answer(200, CONTENT, Content_Type="text/html")) as lying:
        get(lying, path)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "GZIP"])
def test_a_compressed_answer_is_refused_not_unpacked(path: Path, encoding: str) -> None:
    with running(server.answer(200, CONTENT, Content_Encoding=encoding)) as lying:
        fail(lying, path, rf"in another form \({encoding.lower()}\)")


def test_redirects_in_a_circle_end(path: Path) -> None:
    with running(server.redirect("/file.zip")) as lying:
        fail(lying, path, "from one address to the next")
    assert len(lying.requests) == LIMITS.max_redirects + 1


def test_the_body_of_a_redirect_is_never_read(path: Path) -> None:
    def act(handler: server.Handler) -> None:
        handler.head(302, Location="/there", Connection="close")
        handler.wfile.write(b"x")
        handler.wait_for_the_end()

    with running(act, server.serve(CONTENT)) as lying:
        get(lying, path)


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/file.zip", "file:///etc/hostname", "http://127.0.0.1:99999/", "http://["]
)
def test_a_redirect_out_of_the_web_is_refused(path: Path, location: str) -> None:
    with running(server.redirect(location)) as lying:
        fail(lying, path, "not of the web")


@pytest.mark.parametrize("location", ["http://[::", "data:,x", "//"])
def test_a_redirect_to_nowhere_is_an_error(path: Path, location: str) -> None:
    with running(server.redirect(location)) as lying:
        fail(lying, path, "127")


def test_the_host_that_a_redirect_leads_to_is_the_one_that_is_named(path: Path) -> None:
    with running(server.redirect("http://unknown.example/")) as lying:
        fail(lying, path, r"address of unknown\.example can't be found")


@pytest.mark.parametrize("answer", [b"", b"\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100])
def test_what_is_no_http_is_an_error(path: Path, answer: bytes) -> None:
    with running(server.raw(answer)) as lying:
        fail(lying, path, "connection to 127.0.0.1 broke")


def test_headers_without_end_are_an_error(path: Path) -> None:
    def act(handler: server.Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.lying.is_over.is_set():
            handler.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    with running(act) as lying:
        fail(lying, path, "broke")


_HEADER = st.sampled_from(
    [
        b"Content-Length: 10",
        b"Content-Length: -1",
        b"Content-Length: x",
        b"Content-Length: " + str(SIZE).encode(),
        b"Transfer-Encoding: chunked",
        b"Content-Range: bytes 0-9/10",
        b"Content-Encoding: gzip",
        b"Location: /x",
        b"Location: \xff",
        b"ETag: \xff\xfe",
        b"Set-Cookie: a=b; Domain=\xff",
        b"Content-Type: text/html",
        b": empty",
    ]
)
_ANSWER = st.tuples(
    st.sampled_from([b"200 OK", b"206 Partial", b"302 Found", b"416 No", b"101 Switch", b"999 x", b"0 x", b"2000"]),
    st.lists(_HEADER, max_size=4),
    st.one_of(st.binary(max_size=50), st.just(b"a\r\n0123456789\r\n0\r\n\r\n"), st.just(b"ffffffffffffffff\r\nx")),
).map(lambda parts: b"HTTP/1.1 " + b"\r\n".join([parts[0], *parts[1]]) + b"\r\n\r\n" + parts[2])


@given(answer=_ANSWER)
def test_whatever_is_answered_ends_in_an_error_of_two_lines(
    tmp_path_factory: pytest.TempPathFactory, answer: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "file.zip"
    with running(server.raw(answer)) as lying, pytest.raises(DownloadError) as caught:
        fetch(wanted(lying.url, path), Told(), replace(LIMITS, attempts=1))
    assert caught.value.hint
    assert not path.exists()
