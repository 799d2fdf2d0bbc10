"""All parts of the program that read files, lines or text from outside."""

from __future__ import annotations

import atexit
import contextlib
import json
import threading
import unicodedata
from functools import partial
from pathlib import Path
from socket import SHUT_WR
from typing import Any, get_args

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy
from safetensors.torch import load

from engine.checkpoints.checkpoint import _digest, load_checkpoint
from engine.checkpoints.format import read_info
from engine.config.corpus import CorpusConfig, FileFormat
from engine.corpus import corpus as corpora
from engine.corpus.corpus import Corpus, load_corpus
from engine.errors import CheckpointError
from engine.export.hub import GENERATION, MODEL, VOCAB, WEIGHTS, read_folder
from engine.protocol import codec, events
from engine.protocol.codec import DecodeError, kinds_of
from engine.protocol.commands import Command
from engine.storage.journal import SkippedLines, read_journal
from engine.text import clean, sanitize, sanitize_char, sanitize_line, with_single_blanks
from tests import fakes, hostile, strategies
from tests.engine.checkpoints.damage import header_size, with_info_text, with_metadata, with_raw_header
from tests.engine.checkpoints.saved import write_checkpoint
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of, zstd_of
from tests.engine.corpus.reading import cases, encoded
from tests.engine.export.models import EMOJI, SHAPES, write_random_folder
from tests.engine.helpers import small_tweets
from tests.fuzz.running import Target, refusal, require_plain
from tests.tui.process.host_and_client import HELLO, RUN, Hosted, RawClient, hosted
from tests.tui.widgets.plot.test_picture import text_of
from tui.app.pins import PinsFile
from tui.process.protocol import Hello, to_line
from tui.run.ending import eta_of
from tui.run.fold import fold
from tui.run.summary import summary_lines
from tui.run.view import RunView
from tui.settings.preferences import ENTRIES, read_preferences, save_changes
from tui.text.cells import plain
from tui.text.checkpoints import comparison, description
from tui.widgets.plot.axes import Limits
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import Viewport
from tui.widgets.status.facts import facts, two_lines
from tui.widgets.status.side_panel import groups_of

_MAX_EVENTS = 200
_MODEL_FILES = {b"m": MODEL, b"g": GENERATION, b"v": VOCAB, b"w": WEIGHTS}
_FORMATS = get_args(FileFormat)
_ENDINGS = ["txt", "csv", "tsv", "json", "jsonl", "js", "zip", "tar", "gz", "zst", "parquet", "car", "html", "bin"]
_TWEETS = "\n".join(f"tweet number {number} of a made-up morning" for number in range(30)).encode()


def cache(folder: Path) -> Target:
    """Return the entries of the corpus cache: a damaged one must be a miss."""
    key = "0" * 64
    path = folder / "small.txt"
    path.write_text("\n".join(small_tweets()))
    corpora.store_corpus(key, load_corpus(CorpusConfig(files=(str(path),))))
    entry = corpora._entry(key)

    def check(data: bytes) -> str:
        """Load an entry and use all of it."""
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_bytes(data)
        corpus = corpora.cached_corpus(key, "fuzz")
        if corpus is None:
            return "none"
        tweets = [*corpus.train, *corpus.validation]
        corpus.novelty.classify(tweets[0] if tweets else "")
        return f"{len(tweets)}"

    return Target(name="cache", seeds=(entry.read_bytes(),), check=check)


def checkpoints(folder: Path) -> Target:
    """Return the files of checkpoints: as raw bytes, and with one part changed and all checksums correct.

    The first byte of an input says which: the rest is the file, or the info, the head or the tensors of a good one.
    """
    path = write_checkpoint(folder / "fuzz.safetensors")
    whole = path.read_bytes()
    size = header_size(whole)
    info = json.loads(whole[8:size])["__metadata__"]["tweetgen"].encode()
    good = load_checkpoint(path).info  # whatever is done only once is done now

    def content(data: bytes) -> bytes:
        """Return the file that an input encodes."""
        match data[:1]:
            case b"i":
                return with_info_text(whole, data[1:].decode("utf-8", "surrogateescape"))
            case b"h":
                return with_raw_header(data[1:], whole[size:])
            case b"t":
                changed = whole[:size] + (data[1:] + whole[size:])[: len(whole) - size]
                return with_metadata(changed, tweetgen_sha256=_digest(load(changed)))
            case _:
                return data[1:]

    def check(data: bytes) -> str:
        """Read the header of a file, then load it; format its metadata."""
        path.write_bytes(content(data))
        outcomes = []
        with contextlib.suppress(CheckpointError):
            read, _ = read_info(path)
            for name, value in description(read):
                require_plain(name, value)
            comparison(read, good, "bits")
            outcomes.append("header")
        refused = refusal(lambda: load_checkpoint(path))
        assert not refused or path.name in refused
        return " ".join([*outcomes, refused])

    return Target(
        name="checkpoints",
        seeds=(b"f" + whole, b"i" + info, b"h" + whole[8:size], b"t" + whole[size:]),
        tokens=(b"__metadata__", b"F32", b"F64", b"U8", b'"data_offsets":[0,4]', b'"shape":[]'),
        check=check,
    )


def journals(folder: Path) -> Target:
    """Return journals and pins, read as by a resumed run, a replay and the browser, and drawn as by the screen."""
    path = folder / "events.jsonl"

    def check(data: bytes) -> str:
        """Read a journal and draw its run."""
        path.write_bytes(data)
        skipped = SkippedLines()
        events_read = [event for _, event in zip(range(_MAX_EVENTS), read_journal(path, skipped), strict=False)]
        view = RunView()
        for event in events_read:
            view = fold(view, [event])
        for drawn in (view, fold(RunView(), events_read)):
            require_plain(_drawn(drawn).replace("\n", ""))
        require_plain(skipped.warning)
        refused = refusal(PinsFile(path).read)
        return f"{' '.join(sorted({type(event).__name__ for event in events_read}))} {skipped.warning} {refused}"

    return Target(name="journals", seeds=_journals(), check=check)


def _journals() -> tuple[bytes, ...]:
    """Return journals of several kinds of runs."""
    started, tweet = fakes.run_started(), fakes.tweet_sampled
    now: dict[str, Any] = {"step": 60, "elapsed_seconds": 5.0}
    steps = [fakes.steps_finished(first, [4.0 - first / 50, 3.9]) for first in range(1, 60, 2)]
    thinned = (fakes.steps_thinned(1, 64), tweet("old", 32), fakes.steps_thinned(65, 70))
    answers = (tweet("a b c"), fakes.text_completed("so"), fakes.tweet_read("so"))
    loaded = fakes.checkpoint_loaded(20, "a", bits_per_char=2.0)
    changed = (
        events.SettingsChanged(**now, settings={"batch_size": 8, "avoid": ("rain",)}, epochs=1.5),
        events.SettingsChanged(**now, settings={"learning_rate": 1}, epochs=1.5),
    )
    runs: list[tuple[events.Event, ...]] = [
        (started, *steps, fakes.eval_finished(60, 2.5), tweet("hello", 60), fakes.run_finished(60, "stopped")),
        (started, *steps[:5], loaded, *steps[5:8], *answers, fakes.run_started(resumed_from="x/latest")),
        (started, *thinned, loaded, steps[10], fakes.paused(60)),
        (started, *changed, events.FinishPlanned(**now, last_step=90), *steps[20:24]),
        (tweet("pinned", 3), tweet("also pinned", 9)),
    ]
    lines = [b"".join(codec.encode(event).encode() + b"\n" for event in run) for run in runs]
    return (*lines, lines[2] + b'{"event":"Unknown","step":3}\n')


def _drawn(view: RunView) -> str:
    """Return the text of the panels."""
    picture = Picture()
    viewport = Viewport(Limits(view.train_losses.first_step, view.train_losses.last_step))
    picture.draw(view, viewport, PlotOptions(), 60, 12)
    rows = text_of(picture.with_labels(viewport, is_focused=False))
    groups = groups_of(facts(view, "bits"), view.progress, 40)
    lines = plain([*(line for group in groups for line in group.lines), *two_lines(view, 80)])
    return "\n".join([*rows, lines, *summary_lines(view), str(eta_of(view))])


def model_folders(folder: Path) -> Target:
    """Return model folders as hubs have them: the first byte of an input says which file the rest replaces."""
    model = folder / "model"
    write_random_folder(model, SHAPES["all"], EMOJI)
    whole = {name: (model / name).read_bytes() for name in _MODEL_FILES.values()}
    read_folder(model)  # whatever is done only once is done now

    def check(data: bytes) -> str:
        """Replace one file of a good folder, and read the folder."""
        name = _MODEL_FILES.get(data[:1], MODEL)
        (model / name).write_bytes(data[1:])
        refused = refusal(lambda: read_folder(model))
        (model / name).write_bytes(whole[name])
        assert not refused or model.name in refused
        return refused

    tokens = (b'"hidden_size":8192', b'"num_hidden_layers":16', b'"training":{', b"F32", b"I64", b'"<UNK>":3', b"1e999")
    seeds = tuple(letter + whole[name] for letter, name in _MODEL_FILES.items())
    return Target(name="model_folders", seeds=seeds, tokens=tokens, check=check)


def readers(folder: Path) -> Target:
    """Return files of tweets in every format, compressed or not, with every --format.

    The first byte of an input selects the format, the second the suffix; the rest is the file.
    """
    own = folder / "readers"
    own.mkdir()

    def check(data: bytes) -> str:
        """Load a file as a corpus."""
        file_format, ending = data[:2].ljust(2, b"\0")
        path = own / f"fuzz.{_ENDINGS[ending % len(_ENDINGS)]}"
        path.write_bytes(data[2:])
        config = CorpusConfig(files=(str(path),), format=_FORMATS[file_format % len(_FORMATS)])
        found: list[Corpus] = []
        refused = refusal(lambda: found.append(load_corpus(config)))
        for file in (path, *corpora._entry("any").parent.glob("*.safetensors")):
            file.unlink()
        tweets = [tweet for corpus in found for tweet in (*corpus.train, *corpus.validation)]
        require_plain(*tweets)
        return refused or f"{config.format} {path.suffix} {'n' * len(tweets).bit_length()}"

    magic = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"PAR1", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
    tokens = (*magic, b"&lt;", b"<br>")
    return Target(name="readers", seeds=_tweet_files(), tokens=tokens, check=check, max_seconds=4.0)


def _tweet_files() -> tuple[bytes, ...]:
    """Return the first file of each recorded case, and tweets enough for a corpus, packed in every way."""
    found = [
        _tweet_file(str(case.options[0].get("format", "auto")), name.rpartition(".")[2], encoded(content))
        for each in ("csv", "labels", "json", "jsonl", "x", "x_old", "mastodon", "bluesky", "text", "not_refused")
        for case in cases(each)
        for name, content in list(case.files.items())[:1]
    ]
    files = {"a.txt": _TWEETS, "a.jsonl": b'{"text": "a nice day"}\n'}
    packed = {"zip": zip_of(files), "tar": tar_of(files), "gz": gzip_of(_TWEETS), "zst": zstd_of(_TWEETS)}
    found += [_tweet_file("auto", ending, content) for ending, content in packed.items()]
    texts = (_TWEETS, b"\n%\n".join(_TWEETS.splitlines()), _TWEETS.replace(b"number", rb"it\u2019s"))
    found += [_tweet_file("text", "txt", text) for text in texts]
    for text, encoding in (("今天天气真好，{}", "gbk"), ("доброе утро, {}", "koi8-r")):
        found.append(_tweet_file("csv", "bin", "".join(text.format(f"{n}\n") for n in range(30)).encode(encoding)))
    return tuple(found)


def _tweet_file(file_format: str, ending: str, content: bytes) -> bytes:
    ending = ending if ending in _ENDINGS else "bin"
    return bytes([_FORMATS.index(file_format), _ENDINGS.index(ending)]) + content


def settings(folder: Path) -> Target:
    """Return `config.toml`: read, reported on, and changed, or left exactly as it is."""
    path = folder / "config.toml"

    def check(data: bytes) -> str:
        """Read the file and save changes to it."""
        path.write_bytes(data)
        preferences, problems = read_preferences(path)
        require_plain(*problems)
        assert all(len(problem) <= 400 for problem in problems)
        refused = refusal(lambda: save_changes(path, {"theme": "dracula", "mouse": True, "eval_every": None}))
        if refused:
            assert path.read_bytes() == data
            return f"kept {' '.join(problems)} {refused}"
        again, _ = read_preferences(path)
        assert (again.theme, again.mouse, again.eval_every) == ("dracula", True, None)
        chosen = [entry.name for entry in ENTRIES if getattr(preferences, entry.name) != getattr(again, entry.name)]
        assert {*chosen} <= {"theme", "mouse", "eval_every"}
        return f"saved {' '.join(problems)}"

    seeds = (
        b'theme = "rose-pine"\n\n[screen]\nmouse = false  # in tmux\nglyphs = "ascii"\n',
        b"[notices]\ntitle = true\nbell = false\n[intervals]\neval_every = 200\nautosave_seconds = 30.5\n",
        b'[keys]\npause = "f5"\nquit = ["ctrl+x", "x"]\n"save" = "s"\n[other]\nnew = 1979-05-27T07:32:00Z\n',
        b'[screen]\nmouse = {a.b = 1}\n[[keys]]\nx = [1, 2, {y = "z"}]\n[a.b."c d"]\n"e" = """\nlines\n"""\n',
    )
    tokens = (*b"[ ] [[ ]] = { } . # \"\"\" '''".split(), b" = ", b"\n[keys]\n", b"inf", b"a.b.c = 1\n")
    return Target(name="settings", seeds=seeds, tokens=tokens, check=check, max_seconds=2.0)


# Lines and text -------------------------------------------------------------------------------------------------------

_MESSAGES = {"Greeting", "Snapshot", "TweetChunk", "SnapshotEnd", "Refusal"}
_HIDDEN = "surrogatepass"


def messages(_: Path) -> Target:
    """Return events and commands as JSON, from a journal or the socket."""
    return Target(name="messages", seeds=_examples(), check=_check_message, max_seconds=0.5)


def _examples() -> tuple[bytes, ...]:
    """Return a few events and commands of every kind."""
    kinds = (strategies.events_of(kind) for kind in kinds_of(events.Event))
    lines = [codec.encode(event) for kind in kinds for event in _some(kind, 4)]
    lines += [codec.encode(command) for command in _some(strategies.any_commands(), 60)]
    return tuple(dict.fromkeys(line.encode() for line in lines))


def _some(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """Return up to that many examples."""
    found: list[Any] = []

    @hypothesis.settings(
        max_examples=count, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(strategy)
    def add(example: Any) -> None:
        found.append(example)

    add()
    return found


def _check_message(data: bytes) -> str:
    """Decode a line as an event and as a command; both must round-trip and be harmless."""
    outcomes = []
    for read in (events.from_json, partial(codec.decode_tagged, base=Command)):
        try:
            message = read(data)
        except DecodeError as error:
            outcomes.append(str(error))
            continue
        line = codec.encode(message)
        assert read(line) == message
        if isinstance(message, events.Event):
            require_plain(line)
        outcomes.append(type(message).__name__)
    return " ".join(outcomes)


def socket(_: Path) -> Target:
    """Return the socket of a run: a real host, the same for all inputs, must survive what clients send."""
    hosts: list[Hosted] = []

    def check(data: bytes) -> str:
        """Send the data alone and after a valid hello; then check that the host still serves a view."""
        if not hosts:  # starts a thread, so only when used
            open_host = contextlib.ExitStack()
            script = (fakes.run_started(run=RUN), fakes.steps_finished(1, [3.0, 2.5]), fakes.tweet_sampled("hello", 2))
            hosts.append(open_host.enter_context(hosted(*script)))
            atexit.register(open_host.close)
        [host] = hosts
        outcomes = []
        for sent in (data, HELLO + data):
            host.sent.clear()
            lines = [line for line in _answers(host, sent) if "event" not in line]  # the run's own arrive in between
            kinds = [line["message"] for line in lines]
            assert _MESSAGES.issuperset(kinds), kinds
            assert kinds[0] == "Greeting"
            reasons = [str(line["reason"]) for line in lines if line["message"] == "Refusal"]
            require_plain(*reasons)
            outcomes.append(f"{kinds[-1]} {reasons} {sorted({type(each).__name__ for each in host.sent})}")
        host.attached().close()
        assert host.host.problem == ""
        return " | ".join(outcomes)

    of_commands = tuple(line + b"\n" for line in _examples() if b'"command"' in line)
    hellos = (HELLO, to_line(Hello(is_read_only=True)), HELLO + HELLO)
    refused = (HELLO.rstrip(b"}\n") + b',"x":' + b"[" * 600 + b"]" * 600 + b"}\n", b"x" * 65_537)
    return Target(
        name="socket",
        seeds=(*hellos, *refused, *of_commands[:60], b"".join(of_commands[:20])),
        check=check,
        tokens=(b'{"command":', b'{"message":', b"\n", HELLO, b'"temperatures":['),
    )


def _answers(host: Hosted, data: bytes) -> list[dict[str, object]]:
    """Return what a host sends to a client that sends `data`, as far as the host reads it, and closes its side."""
    with RawClient(host.path) as client:
        writer = threading.Thread(target=_send, args=(client, data))
        writer.start()
        received = client.receive_all()
        writer.join()
    return received


def _send(client: RawClient, data: bytes) -> None:
    with contextlib.suppress(OSError):
        client.send(data)
        client.socket.shutdown(SHUT_WR)


def text(_: Path) -> Target:
    """Return arbitrary text, cleaned and sanitized."""
    seeds = tuple(text.encode("utf-8", _HIDDEN) for text in (*hostile.TEXTS.values(), "a nice day", "ẞ ☕ é"))
    tokens = tuple(token.encode("utf-8", _HIDDEN) for token in ("&amp;", "&#", "\u200d", "\ufe0f", "\u0316"))
    return Target(name="text", seeds=seeds, tokens=tokens, check=_check_text, max_seconds=0.5)


def _check_text(data: bytes) -> str:
    """Clean a text, and sanitize it with every function."""
    try:
        text = data.decode("utf-8", _HIDDEN)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if len(data) % 2:
        text = text.encode("utf-8", _HIDDEN).decode("utf-8", "replace")
    cleaned, shown, safe = clean(text), sanitize_line(text), sanitize(text)
    require_plain(cleaned, shown, safe, *map(sanitize_char, text[:200]))
    assert sanitize_line(shown) == shown
    assert sanitize(safe) == safe
    assert len(shown) <= 4000
    assert with_single_blanks(cleaned) == cleaned
    kinds = sorted({unicodedata.category(char) for char in cleaned})
    return f"{'s' * len(shown).bit_length()} {shown == text} {safe == text} {' '.join(kinds)}"
