"""The page's JavaScript, in Node, draws the program's own tweets: same uniform numbers, log-probabilities and text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export.web_page import WeightFormat
from engine.export.web_page.page import page_data
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import NEVER_SAMPLED
from engine.sampling.sampler import uniforms_of
from engine.sampling.stepper import CharStepper
from tests.engine.export.models import (
    as_on_the_page,
    checkpoint_of,
    clear_tweets,
    random_ids,
    random_model,
    run_scripts,
)
from tests.engine.helpers import code_of

LETTERS = Vocab("etaoinshr dlcumw.,!@#")
EMOJI = Vocab("e🌻❤\ufe0f👩\u200d🚀ابتש漢字́ <&\"'\\")
SEEDS = [*range(16), 2**31, 2**32 + 5, 10**30]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model and the way in which it is sampled."""

    model: ModelConfig
    sampling: SamplingConfig
    vocab: Vocab = LETTERS
    weights: WeightFormat = "float16"

    def random_model(self) -> TextGenerator:
        model = random_model(len(self.vocab), self.model)
        model.proj.bias.data[EOS] -= 1.0  # for longer tweets
        return model

    def page_data(self, model: TextGenerator) -> str:
        """Return the page data of this model."""
        checkpoint = checkpoint_of(model, self.model, self.vocab.chars, sampling=self.sampling)
        return page_data(checkpoint, self.weights, None)


ONE = ModelConfig(embedding_size=8, hidden_size=16)
NGRAMS = replace(ONE, ngram_order=4, ngram_contexts=600)
SHORT = SamplingConfig(max_length=50)
CASES = {
    "one layer": Case(model=ONE, sampling=SHORT),
    "four layers": Case(model=replace(ONE, num_layers=4), sampling=SHORT),
    "int8": Case(model=replace(ONE, num_layers=2), sampling=SHORT, weights="int8"),
    "tied": Case(model=replace(ONE, embedding_size=16, tied_embeddings=True), sampling=SHORT),
    "n-gram input": Case(model=replace(NGRAMS, num_layers=2), sampling=SHORT),
    "n-gram input, int8": Case(model=NGRAMS, sampling=SHORT, weights="int8"),
    "emoji": Case(model=ONE, sampling=SHORT, vocab=EMOJI),
    "prompt": Case(model=ONE, sampling=replace(SHORT, prime="the 🌻"), vocab=Vocab("the 🌻abc")),
    "low temperature": Case(model=ONE, sampling=replace(SHORT, temperature=0.2)),
    "greedy": Case(model=ONE, sampling=replace(SHORT, temperature=0.0)),
    "top-k": Case(model=ONE, sampling=replace(SHORT, top_k=5)),
    "top-p": Case(model=ONE, sampling=replace(SHORT, top_p=0.7, temperature=1.5)),
    "min-p": Case(model=ONE, sampling=replace(SHORT, min_p=0.1, temperature=2.0)),
    "all filters": Case(model=ONE, sampling=replace(SHORT, top_k=9, top_p=0.9, min_p=0.05, temperature=0.5)),
    "temperature last": Case(
        model=ONE, sampling=replace(SHORT, top_k=9, top_p=0.9, min_p=0.05, temperature=3.0, temperature_last=True)
    ),
}


def test_the_page_writes_the_tweets_of_the_program_from_the_same_seeds() -> None:
    tweets, pages = [], []
    for name, case in CASES.items():
        model = case.random_model()
        expected = clear_tweets(as_on_the_page(model, case.model, case.weights), case.vocab, case.sampling, SEEDS)
        assert len(expected) > len(SEEDS) / 2, name
        prompt_ids = case.vocab.encode(case.sampling.prime)
        jobs = [{"kind": "tweet", "prompt_ids": prompt_ids, "seed": str(seed)} for seed in expected]
        tweets.append(expected.values())
        pages.append((case.page_data(model), jobs))
    for (name, case), expected_tweets, results in zip(CASES.items(), tweets, run_scripts(pages), strict=True):
        for tweet, found in zip(expected_tweets, results, strict=True):
            ids = [char["id"] for char in found["chars"]]
            assert case.vocab.decode(ids) == tweet.text, name
            assert (ids[-1] == EOS) == tweet.reached_eos, name
            assert found["bits_per_char"] == pytest.approx(tweet.bits_per_char, rel=1e-4), name
            assert [char["bits"] for char in found["chars"]] == pytest.approx(tweet.char_bits, abs=0.006), name


def test_the_log_probabilities_agree_with_the_program_to_1e_5_over_140_characters() -> None:
    cases = [CASES["n-gram input"], CASES["int8"]]
    ids = random_ids(len(LETTERS))[0, :140].tolist()
    models = [case.random_model() for case in cases]
    job = {"kind": "log_probs", "ids": ids}
    results = run_scripts([(case.page_data(model), [job]) for case, model in zip(cases, models, strict=True)])
    for case, model, [found] in zip(cases, models, results, strict=True):
        stepper = CharStepper(as_on_the_page(model, case.model, case.weights), may_compile=False)
        expected = [stepper.step(np.array([token_id]))[0] for token_id in ids]
        assert np.abs(np.array(found) - np.array(expected)).max() < 1e-5


def test_contexts_of_a_vocabulary_of_more_than_65536_characters_have_their_rows() -> None:
    vocab = Vocab(chr(0x20000 + number) for number in range(66_000))
    case = Case(
        model=ModelConfig(embedding_size=1, hidden_size=2, ngram_order=4, ngram_contexts=3), sampling=SHORT, vocab=vocab
    )
    known, unknown = 40_000, 65_900  # the first one's codes are negative
    codes = sorted([code_of(known, 5), code_of(known, 5, known), code_of(5, unknown)])
    assert codes[0] < 0
    model = case.random_model()
    assert model.ngram_input is not None
    model.ngram_input.contexts.copy_(torch.tensor(codes))
    ids = [BOS, known, 5, known, 5, unknown]
    assert model.ngram_input.rows_of(torch.tensor([ids]))[:, 0].count_nonzero() == 4
    [[found]] = run_scripts([(case.page_data(model), [{"kind": "log_probs", "ids": ids}])])
    with torch.no_grad():
        expected = as_on_the_page(model, case.model, "float16")(torch.tensor([ids]))[0][0].log_softmax(dim=-1)
    assert np.abs(np.array(found) - expected.numpy()).max() < 1e-5


def test_the_uniform_numbers_are_those_of_numpy_bit_for_bit() -> None:
    seeds = [*range(200), 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 2**128 + 1, 2**160, 10**60]
    jobs = [{"kind": "uniforms", "seed": str(seed), "count": 20} for seed in seeds]
    assert run_scripts([("null", jobs)]) == [[uniforms_of(seed, 20).tolist() for seed in seeds]]


def test_what_the_page_says_of_a_draw_is_the_place_where_the_uniform_number_fell() -> None:
    case = CASES["all filters"]
    job = {"kind": "tweet", "prompt_ids": [], "seed": "3"}
    [[tweet]] = run_scripts([(case.page_data(case.random_model()), [job])])
    for char in tweet["chars"]:
        [chosen] = [each for each in char["candidates"] if each["id"] == char["id"]]
        assert chosen["start"] - 1e-9 <= char["uniform"] <= chosen["start"] + chosen["drawn"] + 1e-9
        assert char["bits"] == pytest.approx(-np.log2(chosen["own"]))
        assert not {each["id"] for each in char["candidates"]} & set(NEVER_SAMPLED)
        own = [each["own"] for each in char["candidates"]]
        assert own == sorted(own, reverse=True)
