"""Characters are drawn from the model's distribution as the settings change it; tweets depend on their seed alone.

Completions agree with the sampler, scores with the evaluation, steppers with the module; answers are harmless text.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.compute import stepper as stepper_module
from engine.compute.cpu import single_row
from engine.compute.cpu.single_row import SingleRowStepper
from engine.compute.cuda_graphs import WARM_UP_VISITS
from engine.compute.stepper import CharGraph, CharStepper, HeldUnit, initial_state
from engine.config.run import TrainingConfig
from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceWeights
from engine.model.vocab import BOS, EOS, NUM_IDS, PAD, UNK, Vocab
from engine.sampling.logits import NEVER_SAMPLED, Floats, Ids, draw, next_char_weights
from engine.sampling.queries import COMPLETION_CHARS, NUM_TOP_CHARS, complete, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler
from engine.training.evaluation import evaluate
from engine.training.trainer import Trainer
from tests.engine.compute.cpu.random_batches import HIDDEN_SIZES, Shape, set_contexts, shapes, some_contexts
from tests.engine.compute.gpu.device_steps import FakeRecorder, Operations, use_char_graphs
from tests.engine.helpers import CPU, encoded_with, small_tweets, vocab_of
from tests.strategies import sampling_configs

LOGITS = st.lists(st.floats(-40, 40, width=32), min_size=5, max_size=24)
"""For the four special symbols and at least one character."""


def row(values: list[float]) -> Floats:
    """Return logits (1, V), float32."""
    return np.array([values], dtype=np.float32)


def probabilities(values: list[float], temperature: float = 1.0, **settings: float) -> Floats:
    """Return the distribution (V,) of one row."""
    sampling = SamplingConfig(temperature=temperature, **settings)  # type: ignore[arg-type] # numbers by name
    [weights] = next_char_weights(row(values), sampling, np.array([[temperature]], dtype=np.float32))
    result: Floats = weights / weights.sum()
    return result


def softmax(values: list[float], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return the softmax (V,) over all ids that may be sampled, computed independently."""
    scaled = np.array(values) / temperature
    weights = np.exp(scaled - scaled.max())
    weights[list(NEVER_SAMPLED)] = 0.0
    chances: npt.NDArray[np.float64] = weights / weights.sum()
    return chances


FILTERS = {"top_k": st.integers(1, 30), "top_p": st.floats(0.001, 0.999), "min_p": st.floats(0.001, 0.999)}


@given(values=LOGITS, temperature=st.floats(0.3, 5), settings=st.fixed_dictionaries({}, optional=FILTERS))
def test_probabilities_are_zero_for_special_symbols_without_a_filter_the_softmax_and_at_0_greedy(
    values: list[float], temperature: float, settings: dict[str, float]
) -> None:
    [allowed] = row(values)
    allowed[list(NEVER_SAMPLED)] = -math.inf
    for is_last in (False, True):
        result = probabilities(values, temperature, temperature_last=is_last, **settings)
        assert float(result.sum()) == pytest.approx(1.0, abs=1e-5)
        assert (result >= 0).all()
        assert result[[PAD, BOS, UNK]].tolist() == [0.0, 0.0, 0.0]
        plain = probabilities(values, temperature, temperature_last=is_last)
        assert np.allclose(plain, softmax(values, temperature), atol=1e-5)
        greedy = probabilities(values, 0.0, temperature_last=is_last, **settings)
        assert greedy.tolist() == np.eye(len(values))[allowed.argmax()].tolist()


@given(values=LOGITS, settings=st.fixed_dictionaries(FILTERS), temperature=st.floats(1, 5))
def test_a_filter_keeps_the_most_likely_and_their_proportions(
    values: list[float], settings: dict[str, float], temperature: float
) -> None:
    """Top-k keeps k, top-p the smallest set of total probability p, min-p what is likely enough relative to the top."""
    before = probabilities(values).astype(np.float64)
    kept = {}
    for name, value in settings.items():
        after = probabilities(values, **{name: value})
        kept[name] = after > 0
        chances = before[kept[name]]
        assert (before[~kept[name]] <= chances.min()).all()
        assert np.allclose(after[kept[name]], chances / chances.sum(), atol=1e-5)
    possible, num_kept = before[before > 0].tolist(), int(kept["top_k"].sum())
    top_k, is_tied = min(settings["top_k"], len(possible)), len(set(possible)) < len(possible)
    assert num_kept >= top_k if is_tied else num_kept == top_k
    chances, share = before[kept["top_p"]], before / before.max()
    assert chances.sum() - chances.min() - 1e-5 < settings["top_p"] <= chances.sum() + 1e-5
    assert kept["min_p"][share > settings["min_p"] + 1e-5].all()
    assert not kept["min_p"][share < settings["min_p"] - 1e-5].any()
    last = probabilities(values, temperature, min_p=settings["min_p"], temperature_last=True)
    assert ((last > 0) == kept["min_p"]).all()
    at_temperature = softmax(values, temperature) * kept["min_p"]
    assert np.allclose(last, at_temperature / at_temperature.sum(), atol=1e-5)


def test_top_k_comes_before_top_p_and_top_p_before_min_p() -> None:
    chances = [0.4, 0.3, 0.2, 0.1]
    values = [0.0, 0.0, -math.inf, 0.0, *map(math.log, chances)]
    # top-k leaves 4/7 and 3/7, of which the first alone is more than half
    assert np.count_nonzero(probabilities(values, top_k=2, top_p=0.5)) == 1
    assert np.count_nonzero(probabilities(values, top_p=0.5)) == 2
    # min-p is relative to the most likely, after top-p
    assert np.count_nonzero(probabilities(values, top_p=0.75, min_p=0.7)) == 2
    # and to a high temperature, unless that comes last
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6)) == 4
    assert np.count_nonzero(probabilities(values, 4.0, min_p=0.6, temperature_last=True)) == 2


def test_an_id_is_drawn_where_the_cumulative_probability_passes_the_uniform_number() -> None:
    uniforms = np.array([0.0, 0.2499, 0.25, 0.5, 0.7499, 0.75, 1.0 - 2.0**-53])  # up to the largest
    for factor in (1.0, 3.0):
        weights = factor * row([0.0, 0.25, 0.0, 0.5, 0.25]).repeat(7, axis=0)
        assert draw(weights, uniforms).tolist() == [1, 1, 3, 3, 3, 4, 4]


VOCAB = vocab_of(small_tweets())


def random_model(eos_bias: float = -1.0) -> TextGenerator:
    """Return a model with weights large enough for a distribution far from uniform, and seldom an end."""
    torch.manual_seed(5)
    model = TextGenerator(len(VOCAB), 8, 18, num_layers=2, dropout=0.3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.proj.bias[EOS] += eos_bias
    return model


MODEL = random_model()


def sample(sampling: SamplingConfig, seed: int = 0, model: TextGenerator = MODEL) -> SampledTweet:
    [tweet] = TweetSampler(model, VOCAB, sampling, [seed]).results()
    return tweet


def test_the_text_of_a_tweet_does_not_depend_on_the_others_in_its_batch() -> None:
    together = TweetSampler(MODEL, VOCAB, SamplingConfig(max_length=40), range(12)).results()
    assert len({len(tweet.text) for tweet in together}) > 3
    assert [tweet.seed for tweet in together] == list(range(12))
    for tweet in together:
        alone = sample(SamplingConfig(max_length=40), tweet.seed)
        assert (alone.text, alone.reached_eos) == (tweet.text, tweet.reached_eos)
        assert alone.bits_per_char == pytest.approx(tweet.bits_per_char, rel=1e-4)


def test_a_tweet_that_is_cut_at_its_maximal_length_keeps_a_blank_at_its_end() -> None:
    tweets = TweetSampler(MODEL, VOCAB, SamplingConfig(max_length=9, prime="the"), range(200)).results()
    cut = [tweet.text for tweet in tweets if not tweet.reached_eos]
    assert {len(text) for text in cut} == {9}
    assert any(text.endswith(" ") for text in cut)


def logits_of(token_ids: list[list[int]], model: TextGenerator = MODEL) -> Tensor:
    """Return the module's own logits (B, T, V), without dropout."""
    was_training = model.training
    with torch.no_grad():
        result: Tensor = model.eval()(torch.tensor(token_ids))[0]
    model.train(was_training)
    return result


@given(
    sampling=sampling_configs(primes=("", "the ")) | st.just(SamplingConfig(temperature=0.0, max_length=30)),
    seed=st.integers(0, 2**63 - 1),
)
def test_bits_per_char_is_of_a_forward_pass_of_which_greedy_is_the_argmax(sampling: SamplingConfig, seed: int) -> None:
    tweet = sample(sampling, seed)
    targets = [*VOCAB.encode(tweet.text), *([EOS] if tweet.reached_eos else [])]
    logits = logits_of([[BOS, *targets]])[0, :-1]
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(targets)).item()
    assert tweet.bits_per_char == pytest.approx(nats / math.log(2), rel=1e-3, abs=1e-5)
    if sampling.temperature == 0:
        logits[:, list(NEVER_SAMPLED)] = -torch.inf
        num_given = len(sampling.prime)
        assert logits.argmax(dim=-1).tolist()[num_given:] == targets[num_given:]


def test_sampling_settings_changed_during_a_tweet_apply_to_the_next_character() -> None:
    wild = SamplingConfig(temperature=5.0, max_length=30)
    seed = next(seed for seed in range(100) if len(sample(wild, seed).text) == 30)
    expected = sample(wild, seed).text[:8]
    sampler = TweetSampler(MODEL, VOCAB, wild, [seed])
    for _ in range(8):
        sampler.advance()
    sampler.sampling = replace(wild, temperature=0.0)
    [tweet] = sampler.results()
    greedy_after = sample(SamplingConfig(temperature=0.0, max_length=30, prime=expected))
    assert tweet.text == greedy_after.text
    assert tweet.text != sample(wild, seed).text
    assert tweet.temperature == 0.0


def test_the_rungs_of_a_ladder_have_their_own_temperatures_and_one_seed() -> None:
    sampling = SamplingConfig(max_length=25)
    seeds = [9] * len(LADDER_TEMPERATURES)
    rungs = TweetSampler(MODEL, VOCAB, sampling, seeds, LADDER_TEMPERATURES).results()
    assert [rung.temperature for rung in rungs] == list(LADDER_TEMPERATURES)
    for rung in rungs:
        assert rung.text == sample(replace(sampling, temperature=rung.temperature), seed=9).text


def test_a_tweet_is_sampled_with_the_weights_at_its_start() -> None:
    model, sampling = random_model(), SamplingConfig(max_length=40)
    sampler = TweetSampler(model, VOCAB, sampling, [0])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
    assert sampler.results() == [sample(sampling)] != [sample(sampling, model=model)]


@given(
    text=st.text(sorted(VOCAB.chars), max_size=30),
    sampling=st.builds(SamplingConfig, temperature=st.sampled_from([0.0, 0.5, 0.8, 2.0]), top_k=st.integers(0, 5)),
    seed=st.integers(0, 1000),
    num_typed=st.integers(0, COMPLETION_CHARS),
)
def test_a_completion_is_the_tweet_sampled_with_that_prime_and_a_text_that_follows_it_is_completed_by_the_rest(
    text: str, sampling: SamplingConfig, seed: int, num_typed: int
) -> None:
    prompted = replace(sampling, prime=text, max_length=len(text) + COMPLETION_CHARS)
    completion = complete(MODEL, VOCAB, sampling, text, seed)
    [tweet] = TweetSampler(MODEL, VOCAB, prompted, [seed]).results()
    assert (text + completion.text, completion.reached_eos) == (tweet.text, tweet.reached_eos)
    rest = complete(MODEL, VOCAB, sampling, text + completion.text[:num_typed], seed)
    assert rest.text.startswith(completion.text[num_typed:])


def test_the_most_likely_next_characters_are_those_of_the_forward_pass() -> None:
    probabilities = logits_of([[BOS, *VOCAB.encode("the c")]])[0, -1].softmax(dim=-1)
    order = [index for index in probabilities.argsort(descending=True).tolist() if index == EOS or index >= 4]
    expected = {"" if i == EOS else VOCAB.itos[i]: float(probabilities[i]) for i in order[:NUM_TOP_CHARS]}
    chances = complete(MODEL, VOCAB, SamplingConfig(), "the c", 0).next_chars
    assert [chance.char for chance in chances] == list(expected)
    assert [chance.probability for chance in chances] == pytest.approx(list(expected.values()), abs=1e-4)


def test_the_scores_add_up_to_the_loss_of_an_evaluation() -> None:
    for text in ("the cat hugs tea", "", "@mia_k ☃ loves 雪 jam", "☃"):
        chars = score_chars(MODEL, VOCAB, text)
        nats = evaluate(MODEL, encoded_with(VOCAB, [text])).total_nats
        assert [char.char for char in chars] == [*text, ""]
        assert sum(char.bits for char in chars) == pytest.approx(nats / math.log(2), rel=1e-4, abs=1e-2)


def test_unknown_characters_are_distinct_in_order_and_harmless() -> None:
    assert unknown_chars(VOCAB, "the cat") == ()
    assert unknown_chars(VOCAB, "q☃ the ☃ 雪q") == ("q", "☃", "雪")
    assert unknown_chars(Vocab("ab"), "a b") == (" ",)
    assert unknown_chars(Vocab(("\x1b", "\u202e", "\n", "\u2028", "a")), "a\x1ba\u202e") == ("\ufffd",)


def test_a_non_finite_model_raises() -> None:
    model = random_model(math.nan)
    for temperature in (0.0, 1.0):
        with pytest.raises(DivergedError, match="not finite"):
            sample(SamplingConfig(temperature=temperature), model=model)
    with pytest.raises(DivergedError):
        complete(model, VOCAB, SamplingConfig(), "the ", 0)
    with pytest.raises(DivergedError):
        score_chars(model, VOCAB, "the cat")


# The stepper: the module's log-probabilities, one character at a time -------------------------------------------------


TEXTS = Shape(lengths=[20] * 4, vocab_size=11, embedding_size=5, hidden_size=8, num_layers=2, seed=7, has_table=True)


def model_of(shape: Shape = TEXTS, **changes: Any) -> TextGenerator:
    """Return a model with dropout, in training mode, whose weights are large enough that gates open and close."""
    return replace(shape, **changes).model(dropout=0.5).float()


def ids_of(shape: Shape = TEXTS) -> Ids:
    """Return the texts (B, T) of a shape with equal lengths; the table has every other context of them."""
    return shape.batch().inputs[:, :-1]


def log_probs_of(model: TextGenerator, token_ids: list[list[int]]) -> Floats:
    """Return the module's own log-probabilities (B, V) after whole sequences (B, T)."""
    result: Floats = logits_of(token_ids, model)[:, -1].log_softmax(dim=-1).numpy()
    return result


@given(shape=shapes(), data=st.data())
def test_log_probabilities_of_selected_rows_equal_those_of_the_module(shape: Shape, data: st.DataObject) -> None:
    shape = replace(shape, lengths=[max(shape.lengths)] * len(shape.lengths))
    model, token_ids = model_of(shape), ids_of(shape)
    num_rows, num_chars = token_ids.shape
    rows = data.draw(st.lists(st.integers(0, num_rows - 1), min_size=1, max_size=4))
    stepper = CharStepper(model)
    stepper.select(np.zeros(num_rows, dtype=np.int64))
    for count in range(1, num_chars + 1):
        if count == num_chars // 2 + 1:
            stepper.select(np.array(rows))
            token_ids = token_ids[rows]
        log_probs = stepper.step(token_ids[:, count - 1])
        assert np.allclose(log_probs, log_probs_of(model, token_ids[:, :count].tolist()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_rows", [1, 2])
def test_a_character_without_an_id_in_contexts_counts_there_as_unknown(num_rows: int) -> None:
    token_ids = np.array([[4, UNK, 5, 6], [UNK, 7, 7, UNK]])
    contexts = some_contexts(token_ids)
    model = TextGenerator(NUM_IDS + 9, 3, 8, ngram_contexts=len(contexts))
    torch.nn.init.normal_(model.get_parameter("ngram_input.weight"))
    set_contexts(model, contexts)
    rare = np.where(token_ids == UNK, NUM_IDS + 8, token_ids)[:num_rows]
    assert model.ngram_input is not None
    assert model.ngram_input.rows_of(torch.from_numpy(rare)).any()
    stepper = CharStepper(model)
    stepper.select(np.zeros(num_rows, dtype=np.int64))
    for count in range(1, 5):
        log_probs = stepper.step(rare[:, count - 1])
        assert np.allclose(log_probs, log_probs_of(model, rare[:, :count].tolist()), atol=1e-4)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> FakeRecorder:
    """Let single rows be computed as on a GPU; return what records them."""
    recorder = FakeRecorder()
    use_char_graphs(monkeypatch, recorder)
    return recorder


def test_tweets_of_two_models_in_turns_are_those_of_plain_steps_with_one_recording(recorder: FakeRecorder) -> None:
    models = [model_of(), model_of()]
    with torch.no_grad():
        models[1].proj.weight.neg_()
    models += models
    recorded, plain = ([CharStepper(each, may_compile=by_graph) for each in models] for by_graph in (True, False))
    models[0].proj.weight.data.zero_()  # a tweet has the weights at its start
    for token_ids in ids_of()[:4].T:
        for token_id, one, other in zip(token_ids, recorded, plain, strict=True):
            assert np.array_equal(one.step(token_id[None]), other.step(token_id[None]))
    for one, other in zip(recorded, plain, strict=True):
        for each in (one, other):
            each.select(np.array([0, 0]))
        assert np.array_equal(one.step(np.array([4, 5])), other.step(np.array([4, 5])))
    assert recorder.log.count("record") == 1


def test_a_row_of_a_graph_has_no_buffers_of_its_own(recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = stepper_module._BatchStepper.__init__

    def count_rows(self: object, weights: InferenceWeights, state: list[torch.Tensor], held: HeldUnit | None) -> None:
        made.append(len(state[0]))
        make(self, weights, state, held)  # type: ignore[arg-type] # the class is private

    model = model_of()
    CharStepper(model)  # makes the graph
    monkeypatch.setattr(stepper_module._BatchStepper, "__init__", count_rows)
    stepper = CharStepper(model)
    stepper.step(np.array([4]))
    stepper.select(np.array([0]))
    stepper.step(np.array([5]))
    assert made == []
    stepper.select(np.array([0, 0]))
    stepper.step(np.array([6, 7]))
    assert made == [2]
    assert "warm-up" in recorder.log


def test_a_graph_is_freed_for_a_model_of_other_sizes_and_with_a_trainers_memory_while_its_tweet_continues(
    recorder: FakeRecorder,
) -> None:
    for hidden_size in (8, 8, 18):
        model = model_of(hidden_size=hidden_size)
        trainer = Trainer(model, TrainingConfig(), CPU)
        tweet, plain = (CharStepper(model, may_compile=by_graph) for by_graph in (True, False))
        for position, token_id in enumerate(ids_of()[:1].T):
            if hidden_size == 18 and position == 10:
                trainer.free_memory()
                assert stepper_module._GRAPHS == {}
                of_each = ["warm-up"] * WARM_UP_VISITS + ["record"]
                num_replayed = 2 * ids_of().shape[1] - WARM_UP_VISITS, 10 - WARM_UP_VISITS
                assert recorder.log == [
                    call for count in num_replayed for call in (*of_each, *["replay"] * count, "discard")
                ]
            assert np.array_equal(tweet.step(token_id), plain.step(token_id))


def test_a_step_of_a_single_row_allocates_no_memory() -> None:
    stepper = CharGraph(model_of(), FakeRecorder())
    token_ids = torch.tensor([4])
    stepper._compute_and_copy(token_ids)
    with Operations() as recorded:  # the results of one that allocates no memory alias its arguments
        stepper._compute_and_copy(token_ids)
    assert len(recorded.schemas) > 10
    assert [schema.name for schema in recorded.schemas if not any(each.alias_info for each in schema.returns)] == []


@pytest.mark.parametrize("hidden_size", HIDDEN_SIZES)
def test_large_weights_give_the_same_on_one_thread_and_two(monkeypatch: pytest.MonkeyPatch, hidden_size: int) -> None:
    monkeypatch.setattr(single_row, "_THREADED_BYTES", 4 * 3 * 18 * 18)
    model = model_of(hidden_size=hidden_size)
    steppers = []
    for num_threads in (1, 2):
        torch.set_num_threads(num_threads)
        *states, windows = initial_state(InferenceWeights(model))
        steppers.append(SingleRowStepper(InferenceWeights(model), states, windows))
    is_threaded = [[layer.threaded_weight_hh is not None for layer in stepper._layers] for stepper in steppers]
    assert is_threaded == [[False] * 2, [hidden_size == 18] * 2]
    for token_id in (4, 5, 6):
        one, two = (stepper.step(np.array([token_id])) for stepper in steppers)
        assert np.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("num_rows", [1, 2])
def test_a_non_finite_weight_makes_every_log_probability_nan(num_rows: int) -> None:
    for spoiled in (float("nan"), float("inf")):
        model = model_of(num_layers=1)
        with torch.no_grad():
            model.proj.bias[6] = spoiled
        stepper = CharStepper(model)
        stepper.select(np.zeros(num_rows, dtype=np.int64))
        assert np.isnan(stepper.step(np.full(num_rows, 5))).all()
