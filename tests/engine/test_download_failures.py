"""Downloads that do not get there: two lines, at once or after a few attempts, and nothing under the final name."""

from __future__ import annotations

import errno
import os
import shutil
import ssl
from pathlib import Path

import httpx
import pytest

from engine.download import fetch, kept_bytes
from engine.download_part import Part
from engine.errors import DownloadError, StorageError
from engine.transfer_errors import asking_errors
from tests import lying_server as server
from tests.engine.downloads import CONTENT, LIMITS, SIZE, Told, fail, get, names_in, wanted
from tests.lying_server import reach_only_this_machine, running


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_only_this_machine(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "file.zip"


# Giving up ------------------------------------------------------------------------------------------------------------


def test_a_server_that_always_drops_ends_after_some_attempts_and_the_part_stays(path: Path) -> None:
    with running(server.drop_after(CONTENT, 1000)) as lying:
        fail(lying, path, "connection to 127.0.0.1 broke", kept=3000)
    assert len(lying.requests) == LIMITS.attempts


def test_a_server_that_starts_over_and_drops_each_time_ends_too(path: Path) -> None:
    def act(handler: server.Handler) -> None:
        handler.head(200, Content_Length=str(SIZE))
        handler.wfile.write(CONTENT[:2000])
        handler.hang_up()

    with running(act) as lying:
        fail(lying, path, "broke", kept=2000)
    assert len(lying.requests) == LIMITS.attempts


def test_a_server_that_sends_nothing_ends_as_stalled(path: Path) -> None:
    with running(server.Handler.wait_for_the_end) as lying:
        fail(lying, path, r"stalled: nothing came for 0\.3 s")
    assert len(lying.requests) == LIMITS.attempts


def test_a_server_that_trickles_ends_as_stalled(path: Path) -> None:
    with running(server.trickle(CONTENT)) as lying, pytest.raises(DownloadError, match="next to nothing"):
        fetch(wanted(lying.url, path), Told(), LIMITS)
    assert not path.exists()


def test_a_server_that_ends_too_early_without_a_length_ends_too(path: Path) -> None:
    with running(server.until_closed(CONTENT[:1000])) as lying:
        fail(lying, path, "ended its answer too early", kept=1000)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_in_trouble_is_asked_again(path: Path, status: int) -> None:
    with running(server.answer(status), server.serve(CONTENT)) as lying:
        get(lying, path)
    with running(server.answer(status)) as lying:
        path.unlink()
        fail(lying, path, f"HTTP {status}")
    assert len(lying.requests) == LIMITS.attempts


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "There is no file at"),
        (410, "There is no file at"),
        (401, "is refused"),
        (403, "is refused"),
        (407, "is refused"),
        (400, "HTTP 400 Bad Request"),
        (418, "HTTP 418"),
        (416, "HTTP 416"),
        (204, "HTTP 204"),
        (304, "HTTP 304"),
        (300, "HTTP 300"),
        (599, "HTTP 599"),
    ],
)
def test_a_status_without_a_file_is_named(path: Path, status: int, words: str) -> None:
    with running(server.answer(status)) as lying:
        fail(lying, path, words)
    assert len(lying.requests) == (LIMITS.attempts if status >= 500 else 1)


def test_a_refused_connection_is_told_at_once(path: Path) -> None:
    with running(server.answer(200)) as lying:
        pass
    told = Told()
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 refuses the connection") as caught:
        fetch(wanted(lying.url, path), told, LIMITS)
    assert "online" in caught.value.hint
    assert told.notes == []


def test_a_name_that_is_not_found_is_told_at_once(path: Path) -> None:
    told = Told()
    with pytest.raises(DownloadError, match=r"address of files\.example can't be found") as caught:
        fetch(wanted("http://files.example/file.zip", path), told, LIMITS)
    assert "online" in caught.value.hint
    assert told.notes == []
    assert names_in(path.parent) == {".file.zip.lock"}


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example"])
def test_a_name_that_no_resolver_can_take_is_told_too(path: Path, host: str) -> None:
    with pytest.raises(DownloadError, match="can't be found"):
        fetch(wanted(f"http://{host}/", path), Told(), LIMITS)


def test_a_server_without_tls_under_an_address_with_tls_is_told_at_once(path: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        told = Told()
        with pytest.raises(DownloadError, match="No secure connection to") as caught:
            fetch(wanted(lying.url.replace("http:", "https:"), path), told, LIMITS)
    assert "certificates" in caught.value.hint
    assert told.notes == []


def test_a_bad_certificate_is_told_in_plain_words() -> None:
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:1006)")
    with pytest.raises(DownloadError) as caught, asking_errors("files.example", LIMITS):
        raise httpx.ConnectError(str(cause)) from cause
    assert caught.value.message == "No secure connection to files.example: certificate has expired."


@pytest.mark.parametrize(
    ("name", "value"), [("HTTP_PROXY", "foo://nowhere"), ("HTTPS_PROXY", "ftp://x"), ("SSL_CERT_FILE", "/missing")]
)
def test_unusable_settings_of_the_machine_are_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DownloadError, match="network settings") as caught:
        fetch(wanted("http://127.0.0.1:9/", path), Told(), LIMITS)
    assert name in caught.value.hint


# This machine ---------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_is_told_and_the_part_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Part.append

    def full(self: Part, chunk: bytes) -> None:
        if self.size >= 65536:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(self, "_file", _FullDisk())
                append(self, chunk)
        append(self, chunk)

    monkeypatch.setattr(Part, "append", full)
    with running(server.serve(CONTENT)) as lying, pytest.raises(StorageError, match="No space left") as caught:
        fetch(wanted(lying.url, path), Told(), LIMITS)
    assert "Free some space" in caught.value.hint
    assert not path.exists()
    assert kept_bytes(path) >= 65536


class _FullDisk:
    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_too_little_space_is_told_before_anything_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(path.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=SIZE - 1))
    with running(server.serve(CONTENT)) as lying, pytest.raises(StorageError, match=r"0\.3 MB are free"):
        fetch(wanted(lying.url, path), Told(), LIMITS)
    assert lying.requests == []


@pytest.mark.parametrize("in_the_way", ["data", "data/file.zip.part/x", "data/.file.zip.lock/x", "data/file.zip/x"])
def test_what_is_in_the_way_is_a_storage_error(path: Path, in_the_way: str) -> None:
    obstacle = path.parent.parent / in_the_way
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("")
    with running(server.serve(CONTENT)) as lying, pytest.raises(StorageError, match="can't be written"):
        fetch(wanted(lying.url, path), Told(), LIMITS)


def test_a_second_program_at_the_same_time_is_kept_out(path: Path) -> None:
    refused: list[DownloadError] = []

    class Impatient(Told):
        def progress(self, num_bytes: int) -> None:
            super().progress(num_bytes)
            with pytest.raises(DownloadError, match="Another program is fetching") as caught:
                fetch(wanted(lying.url, path), Told(), LIMITS)
            refused.append(caught.value)

    with running(server.serve(CONTENT)) as lying:
        first = Impatient()
        fetch(wanted(lying.url, path), first, LIMITS)
    assert len(refused) == len(first.sizes) > 0
    assert len(lying.requests) == 1
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("at", [0, 65536])
def test_an_interrupt_keeps_the_part_and_lets_go_of_the_lock(path: Path, at: int) -> None:
    class Interrupting(Told):
        def progress(self, num_bytes: int) -> None:
            if num_bytes >= at:
                raise KeyboardInterrupt

    with running(server.serve(CONTENT)) as lying:
        with pytest.raises(KeyboardInterrupt):
            fetch(wanted(lying.url, path), Interrupting(), LIMITS)
        assert not path.exists()
        kept = kept_bytes(path)
        assert at <= kept < SIZE
        get(lying, path)
    assert lying.ranges == [None, f"bytes={kept}-" if kept else None]


def test_the_name_is_given_only_to_what_has_reached_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, rename = os.fsync, os.replace

    def noted_sync(descriptor: int) -> None:
        order.append("sync")
        sync(descriptor)

    def noted_rename(old: Path, new: Path) -> None:
        order.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_rename)
    with running(server.serve(CONTENT, tag="")) as lying:
        get(lying, path)
    assert order == ["sync", "rename"]
