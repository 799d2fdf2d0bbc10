"""The model is the tutorial's, plus dropout, tied embeddings, n-grams; its vocabulary, its weights, their average."""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.checkpoints.checkpoint import grown_tensors, load_checkpoint
from engine.config.run import ModelConfig, TrainingConfig
from engine.errors import VocabError
from engine.model.gru import NgramInput, TextGenerator, run_gru, weights_with_prefix
from engine.model.parameters import FlatParameters, WeightAverage
from engine.model.vocab import BOS, EMPTY_WINDOW, EOS, NUM_IDS, PAD, UNK, Vocab, appended, context_code
from tests.engine import helpers as h
from tests.engine.checkpoints.saved import WITH_TABLE, checkpoint_tensors, trained, write_checkpoint
from tests.strategies import hostile_text, tweet_lists

E, H = 5, 7


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("num_layers", "dropout"), [(1, 0.0), (3, 0.0), (3, 0.4)])
def test_a_gru_by_layer_equals_nn_gru_with_the_same_masks(num_layers: int, dropout: float, batch_first: bool) -> None:
    """`nn.GRU` draws its masks time-major, so with `batch_first` only results without dropout are equal."""
    rnn = torch.nn.GRU(E, H, num_layers, dropout=dropout, batch_first=batch_first)
    inputs, state = torch.randn(4, 9, E), torch.randn(num_layers, 4 if batch_first else 9, H)
    rnn.train(not batch_first)
    found = []
    for compute in (partial(run_gru, rnn, batch_first=batch_first), rnn):
        torch.manual_seed(5)
        output, last = compute(inputs, state)
        grads = torch.autograd.grad(output.square().sum() + last.sum(), list(rnn.parameters()))
        found.append([output, last, *grads])
    for by_layer, at_once in zip(*found, strict=True):
        assert torch.equal(by_layer, at_once)


def test_the_loss_of_a_new_model_is_near_the_logarithm_of_the_vocabulary_size() -> None:
    inp, target = torch.randint(0, 80, (2, 16, 50))
    logits, _ = TextGenerator(80, 32, 64)(inp)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    assert loss.item() == pytest.approx(math.log(80), abs=0.1)


def test_tied_embeddings_share_one_matrix_with_a_small_initial_scale() -> None:
    model = TextGenerator(200, 64, 64, tied_embeddings=True)
    assert model.proj.weight is model.embed.weight
    assert float(model.proj.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.05)
    assert model.num_parameters == TextGenerator(200, 64, 64).num_parameters - 200 * 64


# The n-gram input -----------------------------------------------------------------------------------------------------


CONTEXTS = sorted([h.code_of(PAD, BOS), h.code_of(5, 6), h.code_of(4, 5, 6), h.code_of(BOS, 4, 5, 6)])


def small_input() -> NgramInput:
    """Return an input of four contexts with 7 numbers each; row r has the numbers 7 r ... ."""
    ngrams = NgramInput(len(CONTEXTS), 7)
    ngrams.contexts.copy_(torch.tensor(CONTEXTS))
    with torch.no_grad():
        ngrams.weight.copy_(torch.arange(35.0).view(5, 7) / 35)
        ngrams.weight[0] = 0
    return ngrams


@given(st.sets(st.lists(st.integers(1, NUM_IDS - 1), min_size=2, max_size=4).map(tuple), min_size=2))
def test_contexts_of_any_lengths_have_different_codes(contexts: set[tuple[int, ...]]) -> None:
    ends = {(PAD, BOS, 4), (BOS, 4), (PAD, PAD, PAD, BOS), (PAD, BOS)}  # a tweet's first contexts end earlier
    assert len({h.code_of(*ids) for ids in contexts | ends}) == len(contexts | ends)


@pytest.mark.parametrize("of_one", [np.array, torch.tensor])
def test_an_id_beyond_the_limit_counts_as_unknown_in_a_context(of_one: type[Tensor]) -> None:
    window = of_one([EMPTY_WINDOW])
    for token_id in (4, NUM_IDS, NUM_IDS - 1):
        window = appended(window, of_one([token_id]))
    assert int(context_code(window, 3)[0]) == h.code_of(4, UNK, NUM_IDS - 1)


def test_a_place_has_the_rows_of_its_last_characters_and_padding_has_none() -> None:
    row = {code: 1 + CONTEXTS.index(code) for code in CONTEXTS}
    rows = small_input().rows_of(torch.tensor([[BOS, 4, 5, 6, 7], [BOS, 5, 6, EOS, PAD]]))
    assert rows[0].tolist() == [
        [row[h.code_of(PAD, BOS)], 0, 0, row[h.code_of(5, 6)], 0],
        [row[h.code_of(PAD, BOS)], 0, row[h.code_of(5, 6)], 0, 0],
    ]
    assert rows[1].tolist() == [[0, 0, 0, row[h.code_of(4, 5, 6)], 0], [0] * 5]
    assert rows[2].tolist() == [[0, 0, 0, row[h.code_of(BOS, 4, 5, 6)], 0], [0] * 5]
    assert not small_input().rows_of(torch.tensor([[5, 6, PAD, PAD]]))[:, 0, 2:].any()


def test_a_text_that_comes_in_two_parts_has_the_rows_of_one() -> None:
    """That they are added to the candidate of the first layer is proved by the stepper, which does only that."""
    model, inp = TextGenerator(9, 4, 7, ngram_contexts=len(CONTEXTS)), torch.tensor([[BOS, 4, 5, 6, 7, 5, 6]])
    model.ngram_input = small_input()
    first, hidden = model(inp[:, :3])
    second, _ = model(inp[:, 3:], hidden, before=inp[:, :3])
    h.assert_close_tensors(torch.cat([first, second], dim=1), model(inp)[0], atol=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_new_input_changes_nothing_draws_no_random_number_and_its_parameters_count(num_layers: int) -> None:
    inp, config = torch.tensor([[BOS, 4, 5]]), ModelConfig(embedding_size=4, hidden_size=8, num_layers=num_layers)
    torch.manual_seed(1)
    plain = TextGenerator.from_config(9, config)
    after = torch.rand(())
    torch.manual_seed(1)
    config = replace(config, ngram_order=3, ngram_contexts=4)
    with_table = TextGenerator.from_config(9, config)
    assert torch.rand(()) == after
    for found, expected in zip(with_table(inp), plain(inp), strict=True):
        h.assert_close_tensors(found, expected)
    assert config.num_parameters(9) == with_table.num_parameters == plain.num_parameters + 5 * 8
    assert TextGenerator.from_config(9, replace(config, ngram_contexts=0)).ngram_input is None  # without contexts


# The vocabulary -------------------------------------------------------------------------------------------------------


@given(tweets=tweet_lists(), text=hostile_text())
def test_decode_undoes_encode_and_an_unknown_character_is_unk(tweets: list[str], text: str) -> None:
    vocab = h.vocab_of(tweets)
    assert [vocab.decode([BOS, *vocab.encode(tweet), UNK, EOS, PAD]) for tweet in tweets] == tweets
    assert [vocab.encode_strict(tweet) for tweet in tweets] == [vocab.encode(tweet) for tweet in tweets]
    token_ids = vocab.encode(text)
    assert [token_id == UNK for token_id in token_ids] == [char not in set("".join(tweets)) for char in text]
    assert vocab.encode_array(text).tolist() == token_ids


@given(tweets=tweet_lists(), others=tweet_lists(), min_count=st.integers(1, 5))
def test_a_vocabulary_has_the_most_frequent_characters_first_and_extended_by_another_all_of_both_after_its_own(
    tweets: list[str], others: list[str], min_count: int
) -> None:
    counts = Counter("".join(tweets))
    vocab, again, other = h.vocab_of(tweets, min_count), h.vocab_of(reversed(tweets), min_count), h.vocab_of(others)
    assert set(vocab.chars) == {char for char, count in counts.items() if count >= min_count}
    ordered = [counts[char] for char in vocab.chars]
    assert ordered == sorted(ordered, reverse=True)
    assert (vocab, hash(vocab)) == (again, hash(again))
    extended = vocab.extended_by(other)
    assert vocab.is_start_of(extended)
    assert set(extended.chars) == set(vocab.chars) | set(other.chars)
    assert extended.is_start_of(vocab) == (len(extended) == len(vocab))
    assert extended.extended_by(other) is extended


def test_anything_but_single_distinct_characters_is_refused_and_so_are_unknown_ones_by_name() -> None:
    for chars in (["a", "a"], ["ab"], [""], ["<EOS>"]):
        with pytest.raises(VocabError):
            Vocab(chars)
    with pytest.raises(VocabError) as caught:
        Vocab("ab").encode_strict("abß→")
    assert "'ß' (U+00DF)" in caught.value.message
    assert "'→' (U+2192)" in caught.value.message
    assert caught.value.hint


# Growth ---------------------------------------------------------------------------------------------------------------


TIED = ModelConfig(embedding_size=8, hidden_size=8, num_layers=2, tied_embeddings=True)
OLD = len(h.encoded()[1])
NEW = OLD + 3
BY_VOCAB = ("embed.weight", "proj.weight", "proj.bias")
AVERAGING = TrainingConfig(average_lag=0.1, max_steps=12)


@pytest.mark.parametrize("config", [TIED, WITH_TABLE], ids=["tied", "with a table"])
def test_old_rows_and_other_tensors_stay_and_new_rows_are_a_new_models_without_moments(config: ModelConfig) -> None:
    def has_vocab(name: str) -> bool:
        return name.endswith(BY_VOCAB) and not name.startswith("optimizer.step.")

    before, state = checkpoint_tensors(config, AVERAGING), torch.get_rng_state()
    after = grown_tensors(before, NEW, config, seed=7)

    assert torch.equal(torch.get_rng_state(), state)
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(after[name][:OLD] if has_vocab(name) else after[name], tensor)
        assert after[name].shape == (NEW, *tensor.shape[1:]) if has_vocab(name) else after[name] is tensor
    torch.manual_seed(7)
    new = TextGenerator.from_config(NEW, config).state_dict()
    for name in BY_VOCAB:
        assert torch.equal(after[f"model.{name}"][OLD:], new[name][OLD:])
        assert torch.equal(after[f"average.{name}"][OLD:], new[name][OLD:])
    moments = [tensor for name, tensor in after.items() if ".exp_avg" in name and has_vocab(name)]
    assert len(moments) == 2 * (2 if config.tied_embeddings else 3)
    assert all(not moment[OLD:].any() for moment in moments)


# Flat weights ---------------------------------------------------------------------------------------------------------


def new_model() -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(23, 5, 7, 2)


def test_the_block_of_a_gru_that_cudnn_has_laid_out_comes_first_and_stays_as_it_is() -> None:
    model, expected, end = new_model(), new_model().state_dict(), 0
    weights = sorted(model.rnn.parameters(), key=lambda weight: -weight.dim())  # matrices first, biases last
    block = torch.zeros(sum(weight.numel() for weight in weights) + 3)  # and a gap
    for weight in weights:
        weight.data = block[end : end + weight.numel()].view_as(weight).copy_(weight.detach())
        end += weight.numel()
    offsets = [int(weight.storage_offset()) for weight in model.rnn.parameters()]
    size = next(model.rnn.parameters()).untyped_storage().nbytes() // 4
    flat = FlatParameters(model)
    assert [int(weight.storage_offset()) for weight in model.rnn.parameters()] == offsets
    assert min(int(each.storage_offset()) for each in (model.embed.weight, *model.proj.parameters())) >= size
    h.assert_same_tensors(model.state_dict(), expected)
    for copied in (copy.deepcopy(model), copy.deepcopy(model).to(torch.bfloat16)):
        buffer = flat.bind_copy(copied)
        assert [int(weight.storage_offset()) for weight in copied.rnn.parameters()] == offsets
        assert torch.equal(buffer, flat.weights.to(buffer.dtype))
        assert buffer.data_ptr() == copied.proj.weight.untyped_storage().data_ptr() != flat.weights.data_ptr()


def test_the_norm_is_exact_to_rounding_and_independent_of_the_number_of_threads() -> None:
    flat = FlatParameters(TextGenerator(100, 300, 300, 2))
    flat.dense_grads.normal_(generator=torch.Generator().manual_seed(1))
    norms = set()
    for num_threads in (1, 2, 3):
        torch.set_num_threads(num_threads)
        norms.add(flat.grad_norm().item())
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(flat.dense_grads.double().norm().item(), rel=3e-7)


@given(st.data())
def test_the_checksum_changes_with_any_bit_with_the_order_and_with_the_sign_of_zero(data: st.DataObject) -> None:
    flat = FlatParameters(new_model())
    before = flat.checksum()
    assert before == FlatParameters(new_model()).checksum()
    bits, indices = flat.weights.view(torch.int32), st.integers(0, len(flat.weights) - 1)
    index, other = data.draw(indices), data.draw(indices)
    bits[index] ^= 1 << data.draw(st.integers(0, 30))
    assert flat.checksum() != before
    flat = FlatParameters(new_model())
    flat.weights[[index, other]] = flat.weights[[other, index]]
    assert (flat.checksum() != before) is bool(flat.weights[index] != flat.weights[other])
    flat.weights.zero_()
    of_zeros = flat.checksum()
    flat.weights.neg_()
    assert flat.checksum() != of_zeros


# The average ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0.02, 0.1, 0.4])
def test_each_step_is_weighted_by_a_power_of_its_number(lag: float) -> None:
    model = TextGenerator(5, 2, 3)
    average = WeightAverage(model, lag)
    steps = np.arange(1, 201)
    for step in steps:
        with torch.no_grad():
            model.proj.bias.fill_(float(step))
        average.update(int(step))
    exponent = 1 / lag - 1  # of the cumulative weights: gamma + 1
    weights = (steps / 200) ** exponent - ((steps - 1) / 200) ** exponent
    assert float(average.model.proj.bias.detach()[0]) == pytest.approx(float(weights @ steps), rel=1e-4)
    assert 200 - float(average.model.proj.bias.detach()[0]) == pytest.approx(200 * lag, abs=1.5)


def test_a_table_is_averaged_every_8_steps_as_if_it_changed_then() -> None:
    model = TextGenerator(5, 2, 3, ngram_contexts=1)
    assert model.ngram_input is not None
    average, expected = WeightAverage(model, 0.1), 0.0
    table = average.model.get_parameter("ngram_input.weight").detach()
    for step in range(1, 41):
        with torch.no_grad():
            if step <= 8 or step % 8 == 1:  # of the next 8 steps
                model.ngram_input.weight[1] = step
        average.update(step)
        share = 1 - (1 - 1 / step) ** 9  # of the weights after this step, with a lag of 0.1
        expected += share * (float(model.ngram_input.weight[1, 0].detach()) - expected)
        if step <= 8 or step % 8 == 0:
            assert float(table[1, 0]) == pytest.approx(expected, rel=1e-5)
    assert not table[0].any()


def test_tied_embeddings_are_still_tied_when_loaded_from_a_checkpoint(tmp_path: Path) -> None:
    tensors, resumed = checkpoint_tensors(TIED, AVERAGING), trained(TIED, AVERAGING, num_steps=0)
    checkpoint = load_checkpoint(
        write_checkpoint(tmp_path / "one.safetensors", tensors, training=AVERAGING, model=TIED)
    )
    resumed.load_state(checkpoint.tensors, 2)
    h.assert_same_tensors(resumed.state() | {"generator.cpu": tensors["generator.cpu"]}, tensors)
    for model in (checkpoint.to_model(h.CPU.device), resumed.eval_model):
        assert model.embed.weight is model.proj.weight


def test_averaging_does_not_affect_training_and_one_that_is_missing_from_a_state_starts_from_its_weights() -> None:
    with_average, without = (trained(training=training, num_steps=9) for training in (AVERAGING, TrainingConfig()))
    assert with_average.drain_report() == without.drain_report()
    assert without.eval_model is without.model
    assert not torch.equal(with_average.eval_model.proj.weight, with_average.model.proj.weight)
    with_average.load_state(h.copy_of_state(without), 9)
    h.assert_same_tensors(with_average.eval_model.state_dict(), weights_with_prefix(h.copy_of_state(without), "model."))
