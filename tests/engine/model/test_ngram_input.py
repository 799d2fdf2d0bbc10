from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import ModelConfig
from engine.model.gru import TextGenerator
from engine.model.ngram_bias import NgramBias
from engine.model.ngram_codes import ids_of_codes, pair_code, triple_code
from engine.model.vocab import BOS, EOS, PAD

LARGEST_ID = (1 << 21) - 1
IDS = st.integers(0, LARGEST_ID)


def small_bias() -> NgramBias:
    """Return a bias of four contexts over 9 characters, with weights that differ: row r has the numbers 9 r ... ."""
    bias = NgramBias(4, 9)
    bias.contexts.copy_(torch.tensor(sorted([pair_code(PAD, BOS), pair_code(5, 6), triple_code(4, 5, 6), 0])))
    with torch.no_grad():
        bias.weight.copy_(torch.arange(45.0).view(5, 9))
        bias.weight[0] = 0
    return bias


@given(st.lists(st.tuples(IDS, IDS, IDS), min_size=1))
def test_every_context_has_a_code_of_its_own_and_all_of_two_characters_come_first(
    triples: list[tuple[int, int, int]],
) -> None:
    pairs = sorted({ids[1:] for ids in triples})
    codes = [pair_code(*pair) for pair in pairs] + [triple_code(*ids) for ids in sorted(set(triples))]
    assert codes == sorted(set(codes))
    assert codes[0] >= -(2**63)
    assert codes[-1] < 2**63
    decoded = ids_of_codes(np.array(codes)).tolist()
    assert decoded == [[-1, *pair] for pair in pairs] + [list(ids) for ids in sorted(set(triples))]


def test_a_place_has_the_rows_of_its_last_two_and_three_characters_and_padding_precedes_a_tweet() -> None:
    bias = small_bias()
    rows = bias.rows_of(torch.tensor([[BOS, 4, 5, 6, 7], [BOS, 5, 6, EOS, PAD]]))
    assert rows[0].tolist() == [[1, 0, 0, 2, 0], [1, 0, 2, 0, 0]]
    assert rows[1].tolist() == [[0, 0, 0, 4, 0], [0, 0, 0, 0, 0]]


def test_the_logits_of_both_rows_are_added_to_those_of_the_network() -> None:
    torch.manual_seed(0)
    model = TextGenerator(9, 4, 5, ngram_contexts=4)
    inp = torch.tensor([[BOS, 4, 5, 6, 7]])
    without, _ = model(inp)
    bias = small_bias()
    model.ngram_bias = bias
    logits, _ = model(inp)
    expected = without.clone()
    expected[0, 0] += bias.weight[1]
    expected[0, 3] += bias.weight[2] + bias.weight[4]
    assert torch.equal(logits, expected)


def test_a_text_in_two_parts_has_the_logits_of_the_whole() -> None:
    model = TextGenerator(9, 4, 5, ngram_contexts=4)
    model.ngram_bias = small_bias()
    inp = torch.tensor([[BOS, 4, 5, 6, 7]])
    whole, _ = model(inp)
    first, hidden = model(inp[:, :3])
    second, _ = model(inp[:, 3:], hidden, before=inp[:, 1:3])
    assert torch.allclose(torch.cat([first, second], dim=1), whole)


def test_the_row_of_unknown_contexts_gets_no_gradient() -> None:
    bias = small_bias()
    bias(torch.tensor([[BOS, 7, 7, 5, 6]])).sum().backward()
    assert bias.weight.grad is not None
    assert bias.weight.grad[:, 0].tolist() == [0, 1, 1, 0, 0]


def test_a_new_bias_changes_nothing_and_draws_no_random_number() -> None:
    inp = torch.tensor([[BOS, 4, 5]])
    torch.manual_seed(1)
    plain = TextGenerator.from_config(9, ModelConfig(embedding_size=4, hidden_size=5))
    after = torch.rand(())
    torch.manual_seed(1)
    biased = TextGenerator.from_config(9, ModelConfig(embedding_size=4, hidden_size=5, ngram_order=3, ngram_contexts=4))
    assert torch.rand(()) == after
    assert torch.equal(plain(inp)[0], biased(inp)[0])


def test_the_order_alone_makes_no_table() -> None:
    assert TextGenerator.from_config(9, ModelConfig(ngram_order=3)).ngram_bias is None


def test_the_number_of_parameters_includes_the_table() -> None:
    config = ModelConfig(ngram_order=3, ngram_contexts=4)
    assert config.num_parameters(9) == TextGenerator.from_config(9, config).num_parameters
    assert config.num_parameters(9) - ModelConfig().num_parameters(9) == 5 * 9
