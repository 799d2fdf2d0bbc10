"""Write `assets/happy.csv`, a synthetic corpus of happy tweets.

The seeded grammar beside this file, written for this project, generates every row: no row is a real person's tweet
and no line was copied. The statistics follow tweets of 2009: up to 140 characters, half of the rows with an @name,
slang, stretched words, typos, emoticons. The same seed gives the same file, byte for byte; fewer rows give a prefix.

    python -m assets.grammar.make
    python -m assets.grammar.make --rows 1600000 --output large.csv
"""

import argparse
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from assets.grammar.compose import MAX_CHARS, Composer, Row

DEFAULT_ROWS: Final = 30_000
DEFAULT_SEED: Final = 2416
"""Chosen for row 200, the tweet that the tutorial overfits."""
DEFAULT_OUTPUT: Final = Path(__file__).resolve().parents[1] / "happy.csv"
MIN_KEY_CHARS: Final = 3
NAME_OR_LINK: Final = re.compile(r"@\w+|https?://\S+")
UNWANTED: Final = re.compile(
    r"\b(a[ns]al|ass|arse|bitch|boobs?|cock|cum|cunt\w*|dick|fuck\w*|nazi|piss|poo[fn]|porn|rape|"
    r"sexy?|shit\w*|slut|tits?|twat|wank|whore)\b",
    re.IGNORECASE,
)
"""Words that a random typo must not produce."""


def dedup_key(text: str) -> str:
    """Return the key under which rows are duplicates: letters and digits, casefolded, without @names and links."""
    return "".join(filter(str.isalnum, NAME_OR_LINK.sub("", text.casefold())))


def generate(seed: int) -> Iterator[Row]:
    """Yield distinct rows, endlessly."""
    rng = Random(seed)
    composer = Composer()
    seen: set[str] = set()
    while True:
        row = composer.row(rng)
        key = dedup_key(row.text)
        too_long = len(row.text) > MAX_CHARS
        if len(key) < MIN_KEY_CHARS or key in seen or too_long or UNWANTED.search(row.text):
            continue
        seen.add(key)
        yield row


def write_csv(rows: Iterable[Row], output: Path) -> None:
    """Write one column without a header, in UTF-8 with line feeds."""
    with output.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((row.text,) for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write a synthetic corpus of happy tweets.")
    parser.add_argument("--rows", type=int, default=DEFAULT_ROWS, help="number of tweets")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the random generator")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="CSV file to write")
    options = parser.parse_args(arguments)
    write_csv(islice(generate(options.seed), options.rows), options.output)
    print(f"{options.rows} tweets written to {options.output}")


if __name__ == "__main__":
    main()
