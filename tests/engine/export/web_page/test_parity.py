"""The page's JavaScript, in Node, draws the program's own tweets: same uniform numbers, log-probabilities and text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export.web_page import WeightFormat
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import EMPTY_WINDOW, ORDERS, appended, context_code
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import NEVER_SAMPLED
from engine.sampling.sampler import uniforms_of
from engine.sampling.stepper import CharStepper
from tests.engine.export.web_page.scripts import (
    as_on_the_page,
    clear_tweet,
    data_of,
    model_of,
    run_scripts,
    settings_of,
)

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


ONE = ModelConfig(embedding_size=8, hidden_size=16)
SHORT = SamplingConfig(max_length=50)
CASES = {
    "one layer": Case(model=ONE, sampling=SHORT),
    "four layers": Case(model=replace(ONE, num_layers=4), sampling=SHORT),
    "int8": Case(model=replace(ONE, num_layers=2), sampling=SHORT, weights="int8"),
    "tied": Case(model=replace(ONE, embedding_size=16, tied_embeddings=True), sampling=SHORT),
    "n-gram input": Case(model=replace(ONE, num_layers=2, ngram_order=4, ngram_contexts=600), sampling=SHORT),
    "n-gram input, int8": Case(model=replace(ONE, ngram_order=4, ngram_contexts=600), sampling=SHORT, weights="int8"),
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


def contexts_of(vocab: Vocab, count: int) -> torch.Tensor:
    """Return the codes of `count` contexts, some with `<BOS>`, in ascending order."""
    generator = np.random.default_rng(3)
    codes: set[int] = set()
    while len(codes) < count:
        window = np.int64(EMPTY_WINDOW)
        for token_id in (BOS, *generator.integers(4, len(vocab), 3).tolist())[generator.integers(4) :]:
            window = appended(window, np.int64(token_id))
        codes.add(int(context_code(window, ORDERS[generator.integers(len(ORDERS))])))
    return torch.tensor(sorted(codes))


def model_of_case(case: Case) -> TextGenerator:
    config = case.model
    return model_of(
        case.vocab, config, contexts_of(case.vocab, config.ngram_contexts) if config.ngram_contexts else None
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_page_writes_the_tweets_of_the_program_from_the_same_seeds(case: Case) -> None:
    model = model_of_case(case)
    own = as_on_the_page(model, case.model, case.weights)
    expected = {seed: tweet for seed in SEEDS if (tweet := clear_tweet(own, case.vocab, case.sampling, seed))}
    assert len(expected) > len(SEEDS) / 2
    prompt_ids = case.vocab.encode(case.sampling.prime)
    settings = settings_of(case.sampling)
    jobs = [{"kind": "tweet", "sampling": settings, "prompt_ids": prompt_ids, "seed": str(seed)} for seed in expected]
    written = run_scripts(jobs, data_of(model, case.vocab, case.model, case.weights))
    for tweet, found in zip(expected.values(), written, strict=True):
        ids = [char["id"] for char in found["chars"]]
        assert case.vocab.decode(ids) == tweet.text
        assert (ids[-1] == EOS) == tweet.reached_eos
        assert found["bits_per_char"] == pytest.approx(tweet.bits_per_char, rel=1e-4)
        assert [char["bits"] for char in found["chars"]] == pytest.approx(tweet.char_bits, abs=0.006)


@pytest.mark.parametrize("case", [CASES["n-gram input"], CASES["int8"]], ids=["n-gram input", "int8"])
def test_the_log_probabilities_agree_with_the_program_to_1e_5_over_140_characters(case: Case) -> None:
    config = replace(case.model, hidden_size=16)
    case = replace(case, model=config)
    model = model_of_case(case)
    ids = [BOS, *np.random.default_rng(1).integers(4, len(case.vocab), 139).tolist()]
    [found] = run_scripts([{"kind": "log_probs", "ids": ids}], data_of(model, case.vocab, config, case.weights))
    stepper = CharStepper(as_on_the_page(model, config, case.weights), may_compile=False)
    expected = [stepper.step(np.array([token_id]))[0] for token_id in ids]
    assert np.abs(np.array(found) - np.array(expected)).max() < 1e-5


def test_contexts_of_a_vocabulary_of_more_than_65536_characters_have_their_rows() -> None:
    vocab = Vocab(chr(0x20000 + number) for number in range(66_000))
    config = ModelConfig(embedding_size=1, hidden_size=2, ngram_order=4, ngram_contexts=3)
    known, unknown = 40_000, 65_900  # the first one's codes are negative
    windows = [
        appended(np.int64(known), np.int64(5)),
        appended(appended(np.int64(known), np.int64(5)), np.int64(known)),
        appended(np.int64(5), np.int64(unknown)),
    ]
    codes = sorted(int(context_code(window, order)) for window, order in zip(windows, (2, 3, 2), strict=True))
    assert codes[0] < 0
    model = model_of(vocab, config, torch.tensor(codes))
    assert model.ngram_input is not None
    ids = [BOS, known, 5, known, 5, unknown]
    assert model.ngram_input.rows_of(torch.tensor([ids]))[:, 0].count_nonzero() == 4
    [found] = run_scripts([{"kind": "log_probs", "ids": ids}], data_of(model, vocab, config))
    with torch.no_grad():
        expected = as_on_the_page(model, config, "float16")(torch.tensor([ids]))[0][0].log_softmax(dim=-1)
    assert np.abs(np.array(found) - expected.numpy()).max() < 1e-5


def test_the_uniform_numbers_are_those_of_numpy_bit_for_bit() -> None:
    seeds = [*range(200), 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 2**128 + 1, 2**160, 10**60]
    jobs = [{"kind": "uniforms", "seed": str(seed), "count": 20} for seed in seeds]
    assert run_scripts(jobs) == [uniforms_of(seed, 20).tolist() for seed in seeds]


def test_what_the_page_says_of_a_draw_is_the_place_where_the_uniform_number_fell() -> None:
    case = CASES["all filters"]
    model = model_of_case(case)
    job = {"kind": "tweet", "sampling": settings_of(case.sampling), "prompt_ids": [], "seed": "3"}
    [tweet] = run_scripts([job], data_of(model, case.vocab, case.model))
    for char in tweet["chars"]:
        [chosen] = [each for each in char["candidates"] if each["id"] == char["id"]]
        assert chosen["start"] - 1e-9 <= char["uniform"] <= chosen["start"] + chosen["drawn"] + 1e-9
        assert char["bits"] == pytest.approx(-np.log2(chosen["own"]))
        assert not {each["id"] for each in char["candidates"]} & set(NEVER_SAMPLED)
        own = [each["own"] for each in char["candidates"]]
        assert own == sorted(own, reverse=True)
