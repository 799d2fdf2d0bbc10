"""The questions about a text in a run: answered at once, training or paused, and without a trace in what is learned."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import torch

from engine import commands as c
from engine import events as e
from engine.answers import TextCompleted, TweetRead
from engine.checkpoint import load_checkpoint, weights_in
from engine.commands import Command
from engine.config import SamplingConfig
from engine.corpus.alike.novelty import NoveltyIndex
from engine.evaluation import UNKNOWN_CHAR_BITS
from engine.folders import find_run
from engine.questions import COMPLETION_CHARS, read_chars
from engine.sampler import sample_tweets
from engine.vocab import Vocab
from engine.writer import MAX_READ_CHARS
from tests.engine.helpers import (
    AnsweringInbox,
    losses,
    names,
    of_type,
    only,
    run_session,
    small_tweets,
    tiny_config,
    write_corpus,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path)


def test_a_completion_answers_its_request_at_the_step_at_which_it_was_asked_for(corpus: Path) -> None:
    script = {3: [c.CompleteText(text="the c", request=7)], 9: [c.CompleteText(text="the c", request=8)]}

    told = run_session(tiny_config(corpus, learning_rate=0.1), script)

    first, second = of_type(told, TextCompleted)
    assert (first.step, first.request, second.step, second.request) == (3, 7, 9, 8)
    assert first.next_chars != second.next_chars  # it has learned meanwhile
    assert len(first.completion) == COMPLETION_CHARS or first.reached_eos
    assert first.bits_per_char is not None


def test_while_paused_the_same_text_has_the_same_completion(corpus: Path) -> None:
    asked = [c.CompleteText(text="the c", request=number) for number in range(3)]

    told = run_session(tiny_config(corpus), {3: [c.Pause(), *asked, c.Resume()]})

    completions = {answer.completion for answer in of_type(told, TextCompleted)}
    assert len(of_type(told, TextCompleted)) == 3
    assert len(completions) == 1


def test_a_text_that_goes_along_with_its_completion_is_completed_by_the_rest_of_it(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {3: [c.Pause(), c.CompleteText(text="the c"), c.Resume(), c.Stop()]})
    whole = "".join(only(told, TextCompleted).completion)

    further = c.CompleteText(text="the c" + whole[:2])
    told = run_session(tiny_config(corpus, run_name="again"), {3: [c.Pause(), further, c.Resume(), c.Stop()]})

    assert "".join(only(told, TextCompleted).completion).startswith(whole[2:])


def test_a_completion_is_drawn_as_the_run_draws_now(corpus: Path) -> None:
    greedy = c.SetSampling(sampling=SamplingConfig(temperature=0.0, max_length=20))

    told = run_session(tiny_config(corpus), {3: [greedy, c.CompleteText(text="the "), c.SaveLatest(), c.Stop()]})

    checkpoint = load_checkpoint(find_run("tiny").checkpoint_path("latest"))
    [tweet] = sample_tweets(
        checkpoint.to_model(torch.device("cpu")),
        Vocab(checkpoint.info.vocab),
        SamplingConfig(temperature=0.0, prime="the ", max_length=4 + COMPLETION_CHARS),
        [0],
    )
    assert "the " + "".join(only(told, TextCompleted).completion) == tweet.text


def test_unknown_characters_are_named_in_place_of_a_completion(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {3: [c.CompleteText(text="the ☃ \x1b", request=4)]})

    answer = only(told, TextCompleted)
    assert (answer.request, answer.unknown_chars, answer.completion) == (4, ("☃", "\ufffd"), ())
    assert (answer.next_chars, answer.bits_per_char) == ((), None)


def test_a_tweet_is_read_with_the_averaged_weights_that_the_checkpoint_keeps(corpus: Path) -> None:
    text = small_tweets()[0]
    config = tiny_config(corpus, average_lag=0.3, learning_rate=0.1)

    told = run_session(config, {9: [c.ReadTweet(text=text), c.SaveLatest(), c.Stop()]})

    read = only(told, TweetRead)
    checkpoint = load_checkpoint(find_run("tiny").checkpoint_path("latest"))
    model = checkpoint.to_model(torch.device("cpu"))
    vocab = Vocab(checkpoint.info.vocab)
    chars = read_chars(model, vocab, text)
    assert [char.bits for char in read.chars] == pytest.approx([char.bits for char in chars], abs=2e-3)
    assert read.bits_per_char == pytest.approx(sum(char.bits for char in chars) / len(chars), abs=2e-3)
    model.load_state_dict(weights_in(checkpoint.tensors, "model."))
    assert abs(read.chars[0].bits - read_chars(model, vocab, text)[0].bits) > 0.01


def test_a_copy_is_told_to_be_one_and_of_which_tweet(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {3: [c.ReadTweet(text=small_tweets()[5] + "☃")]})

    read = only(told, TweetRead)
    assert read.copied_share == 1.0
    assert read.nearest in small_tweets()
    assert read.nearest_share > 0.5
    assert read.chars[-2].char == "☃"
    assert read.chars[-2].bits > UNKNOWN_CHAR_BITS


@pytest.mark.parametrize(
    "wish",
    [
        c.ReadTweet(text="x" * (MAX_READ_CHARS + 1)),
        c.ReadTweet(text=""),
        c.CompleteText(text="x" * (MAX_READ_CHARS + 1)),
        c.SampleNow(prime="the cat" * 100),
        c.SampleNow(prime="☃"),
    ],
    ids=lambda wish: f"{type(wish).__name__}-{len(getattr(wish, 'text', None) or getattr(wish, 'prime', None) or '')}",
)
def test_a_text_that_is_too_long_or_unknown_is_refused_and_nothing_changes(
    corpus: Path, wish: c.ReadTweet | c.CompleteText | c.SampleNow
) -> None:
    plain = run_session(tiny_config(corpus, run_name="plain"))

    told = run_session(tiny_config(corpus), {3: [wish]})

    assert only(told, e.CommandRefused).command == type(wish).__name__
    assert losses(told) == losses(plain)
    assert names(told).count("TextCompleted") + names(told).count("TweetRead") + names(told).count("TweetSampled") == 0


def test_questions_change_nothing_in_what_is_learned_and_written(corpus: Path) -> None:
    questions: list[Command] = [c.CompleteText(text="the "), c.ReadTweet(text="the cat"), c.SampleNow(prime="the ")]
    settings = {"dropout": 0.3, "sample_every": 5}

    plain = run_session(tiny_config(corpus, run_name="plain", **settings))
    asked = run_session(tiny_config(corpus, run_name="asked", **settings), {2: questions, 7: questions})

    assert losses(asked) == losses(plain)
    theirs = [(tweet.step, tweet.text) for tweet in of_type(asked, e.TweetSampled) if not tweet.prime]
    assert theirs == [(tweet.step, tweet.text) for tweet in of_type(plain, e.TweetSampled)]


def test_a_question_in_an_evaluation_is_answered_before_its_end(corpus: Path) -> None:
    answers = [None] * 4 + [c.CompleteText(text="the ")]

    told = run_session(tiny_config(corpus, eval_every=1, max_steps=2), inbox=AnsweringInbox(answers))

    assert "TextCompleted" in names(told)


def test_a_tweet_is_looked_up_once_in_the_training_tweets(corpus: Path) -> None:
    with mock.patch.object(NoveltyIndex, "copied_share", autospec=True, return_value=0.6) as look_up:
        told = run_session(tiny_config(corpus), {3: [c.SampleNow()]})

    tweet = only(told, e.TweetSampled)
    assert look_up.call_count == 1
    assert (tweet.copied_share, tweet.novelty) == (0.6, "near-copy")


def test_a_tweet_that_goes_on_from_a_text_begins_with_it_and_says_so(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {3: [c.SampleNow(prime="the cat")]})

    tweet = only(told, e.TweetSampled)
    assert tweet.prime == "the cat"
    assert tweet.text.startswith("the cat")
    assert len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
    assert tweet.bits_per_char == pytest.approx(sum(tweet.char_bits) / len(tweet.char_bits), abs=0.01)


def test_a_prime_that_fills_the_whole_tweet_but_for_a_character_can_be_gone_on_from(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {3: [c.SampleNow(prime="t" * 19), c.SampleNow(prime="t" * 20)]})

    assert only(told, e.TweetSampled).text.startswith("t" * 19)
    assert only(told, e.CommandRefused).command == "SampleNow"
