"""Questions about a text during a run: answered at once, training or paused, without an effect on training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.model.gru import weights_with_prefix
from engine.model.vocab import UNKNOWN_CHAR_BITS, Vocab
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import TextCompleted, TweetRead
from engine.sampling.queries import COMPLETION_CHARS, score_chars
from engine.storage.folders import named_checkpoint_path
from tests.engine.helpers import (
    losses,
    names,
    of_type,
    only,
    run_session,
    small_tweets,
    tiny_config,
)


def test_a_completion_has_the_request_number_and_the_step_of_its_command(corpus: Path) -> None:
    script = {3: [c.CompleteText(text="the c", request=7)], 9: [c.CompleteText(text="the c", request=8)]}

    emitted = run_session(tiny_config(corpus, learning_rate=0.1), script)

    first, second = of_type(emitted, TextCompleted)
    assert (first.step, first.request, second.step, second.request) == (3, 7, 9, 8)
    assert first.next_chars != second.next_chars  # the weights have changed
    assert len(first.completion) == COMPLETION_CHARS or first.reached_eos
    assert first.bits_per_char is not None


def test_for_unknown_characters_the_answer_lists_them_and_has_no_completion(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.CompleteText(text="the ☃ \x1b", request=4)]})

    answer = only(emitted, TextCompleted)
    assert (answer.request, answer.unknown_chars, answer.completion) == (4, ("☃", "\ufffd"), ())
    assert (answer.next_chars, answer.bits_per_char) == ((), None)


def test_a_tweet_is_read_with_the_averaged_weights_of_the_checkpoint(corpus: Path) -> None:
    text = small_tweets()[0]
    config = tiny_config(corpus, average_lag=0.3, learning_rate=0.1)

    emitted = run_session(config, {9: [c.ReadTweet(text=text), c.SaveCheckpoint(name="nine")]})

    read = only(emitted, TweetRead)
    checkpoint = load_checkpoint(named_checkpoint_path("nine"))
    model = checkpoint.to_model(torch.device("cpu"))
    vocab = Vocab(checkpoint.info.vocab)
    chars = score_chars(model, vocab, text)
    assert [char.bits for char in read.chars] == pytest.approx([char.bits for char in chars], abs=2e-3)
    assert read.bits_per_char == pytest.approx(sum(char.bits for char in chars) / len(chars), abs=2e-3)
    model.load_state_dict(weights_with_prefix(checkpoint.tensors, "model."))
    assert abs(read.chars[0].bits - score_chars(model, vocab, text)[0].bits) > 0.01


def test_a_copy_is_reported_with_its_nearest_training_tweet(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.ReadTweet(text=small_tweets()[5] + "☃")]})

    read = only(emitted, TweetRead)
    assert read.copied_share == 1.0
    assert read.nearest in small_tweets()
    assert read.nearest_share > 0.5
    assert read.chars[-2].char == "☃"
    assert read.chars[-2].bits > UNKNOWN_CHAR_BITS


def test_questions_change_neither_losses_nor_due_tweets(corpus: Path) -> None:
    questions: list[Command] = [c.CompleteText(text="the "), c.ReadTweet(text="the cat"), c.SampleNow(prime="the ")]
    settings = {"dropout": 0.3, "sample_every": 5}

    plain = run_session(tiny_config(corpus, run_name="plain", **settings))
    asked = run_session(tiny_config(corpus, run_name="asked", **settings), {2: questions, 7: questions})

    assert losses(asked) == losses(plain)
    theirs = [(tweet.step, tweet.text) for tweet in of_type(asked, e.TweetSampled) if not tweet.prime]
    assert theirs == [(tweet.step, tweet.text) for tweet in of_type(plain, e.TweetSampled)]


def test_a_question_in_an_evaluation_is_answered_before_its_end(corpus: Path) -> None:
    """The steps are emitted right before that evaluation, so the command arrives during it."""
    config = tiny_config(corpus, eval_every=9, max_steps=6)

    emitted = run_session(config, {6: [c.CompleteText(text="the ")]}, report_seconds=1e9)

    first = names(emitted).index("StepsFinished")
    assert names(emitted)[first : first + 3] == ["StepsFinished", "TextCompleted", "EvalFinished"]


def test_a_requested_tweet_begins_with_its_prime_and_reports_it(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.SampleNow(prime="the cat")]})

    tweet = only(emitted, e.TweetSampled)
    assert tweet.prime == "the cat"
    assert tweet.text.startswith("the cat")
    assert len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
    assert tweet.bits_per_char == pytest.approx(sum(tweet.char_bits) / len(tweet.char_bits), abs=0.01)


def test_a_tweet_with_the_draw_of_a_completion_begins_with_it_and_another_draw_gives_another(corpus: Path) -> None:
    asked: list[Command] = [c.CompleteText(text="the ", draw=draw) for draw in (0, 1, 1)]
    emitted = run_session(tiny_config(corpus), {3: [*asked, c.SampleNow(prime="the ", draw=1)]})

    first, second, again = ("".join(answer.completion) for answer in of_type(emitted, TextCompleted))
    assert first != second == again
    tweet = only(emitted, e.TweetSampled)
    assert len(tweet.text) == 20, "cut at its maximum length, before the completion"
    assert f"the {second}".startswith(tweet.text)


def test_a_negative_draw_is_refused(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.CompleteText(text="the ", draw=-1), c.SampleNow(draw=-1)]})

    assert [refusal.detail for refusal in of_type(emitted, e.CommandRefused)] == ["A draw must be at least 0."] * 2


def test_an_answer_has_every_blank_of_its_text(corpus: Path) -> None:
    text = " the  cat "
    emitted = run_session(tiny_config(corpus), {3: [c.ReadTweet(text=text), c.TraceText(text=text)]})

    assert only(emitted, TweetRead).text == only(emitted, e.TextTraced).text == text
