"""Measure the pages of checkpoints: `python -m tests.page_figures NAME...`, with TWEETGEN_HOME as of the runs.

For both precisions of the weights: the size, the bits per character that rounding costs on the validation tweets, how
many tweets are those of the program, and the characters per second that the page's JavaScript reads, in Node and in
Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import get_args

import torch
from playwright.sync_api import sync_playwright

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.loading import load_corpus
from engine.export.web_page import WeightFormat
from engine.export.web_page.page import page_data, web_page
from engine.sampling.sampler import sample_tweets
from engine.training.evaluation import evaluate
from tests.browser import browser_path
from tests.engine.export.web_page.scripts import as_on_the_page, run_scripts, settings_of

_SECONDS = 3
_NUM_TWEETS = 500
_LOOP = """(seconds) => {
  const model = new Model(decodedTensors(JSON.parse(document.getElementById("data").textContent).tensors));
  const state = model.newState();
  const until = performance.now() + 1000 * seconds;
  let count = 0;
  for (; performance.now() < until; count++) model.step(state, 4 + (count % 26));
  return count / seconds;
}"""


def chars_per_second_in_chromium(page: str) -> float:
    """Return the speed of the page's model in a browser."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_text(page, "utf-8")
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        opened = browser.new_page(reduced_motion="reduce")  # so that it writes one tweet and then rests
        opened.goto(file.as_uri())
        opened.wait_for_selector("#tweet[aria-busy=false]")
        speed = float(opened.evaluate(_LOOP, _SECONDS))
        browser.close()
    return speed


def num_equal_tweets(checkpoint: Checkpoint, data: str) -> int:
    """Return how many of the first seeds give the program's tweet in the page, at the checkpoint's own settings."""
    model, sampling = checkpoint.to_model(torch.device("cpu")), checkpoint.info.sampling
    with torch.inference_mode():
        tweets = sample_tweets(model, checkpoint.vocab, sampling, range(_NUM_TWEETS), may_compile=False)
    prompt_ids, settings = checkpoint.vocab.encode(sampling.prime), settings_of(sampling)
    jobs = [
        {"kind": "tweet", "sampling": settings, "prompt_ids": prompt_ids, "seed": str(tweet.seed)} for tweet in tweets
    ]
    written = run_scripts(jobs, data)
    texts = (checkpoint.vocab.decode(char["id"] for char in each["chars"]) for each in written)
    return sum(tweet.text == text for tweet, text in zip(tweets, texts, strict=True))


def measure(name: str) -> None:
    """Print the figures of a checkpoint."""
    checkpoint = load_checkpoint(resolve_checkpoint(name))
    config = checkpoint.info.model
    tweets = EncodedTweets.from_flat(load_corpus(checkpoint.info.corpus).validation, checkpoint.vocab)
    model = checkpoint.to_model(torch.device("cpu"))
    own_bits = evaluate(model, tweets).bits_per_char
    for weights in get_args(WeightFormat):
        page = web_page(checkpoint, weights, None)
        bits = evaluate(as_on_the_page(model, config, weights), tweets).bits_per_char
        job = {"kind": "chars_per_second", "seconds": _SECONDS}
        data = page_data(checkpoint, weights, None)
        [in_node] = run_scripts([job], data)
        in_chromium = chars_per_second_in_chromium(page)
        equal = num_equal_tweets(checkpoint, data)
        sys.stdout.write(
            f"{name} {weights}: {len(page) / 1e6:.2f} MB, {own_bits:.4f} bits per character, {bits - own_bits:+.6f} by "
            f"rounding, {equal} of {_NUM_TWEETS} tweets are the program's, {in_node:,.0f} characters/s in Node, "
            f"{in_chromium:,.0f} in Chromium\n"
        )


if __name__ == "__main__":
    for checkpoint_name in sys.argv[1:]:
        measure(checkpoint_name)
