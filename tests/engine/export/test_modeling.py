"""`modeling.py` computes and writes what the program does, and needs nothing of it."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from engine.config.sampling import SamplingConfig
from engine.export.hub import CODE
from engine.model.vocab import BOS, SPECIALS, Vocab
from engine.sampling.logits import next_char_weights
from engine.sampling.sampler import sample_tweets
from tests.engine.export.models import BEYOND_16_BITS, EMOJI, MANY, SHAPES, random_ids, write_random_folder

MODELS = {
    **{name: (config, EMOJI) for name, config in SHAPES.items()},
    "4,000 characters": (SHAPES["all"], MANY),
    "66,000 characters": (SHAPES["n-grams"], BEYOND_16_BITS),
}
PROGRAM = ("engine", "tui", "assets")


def modeling_of(folder: Path) -> ModuleType:
    """Import the folder's code."""
    spec = importlib.util.spec_from_file_location("modeling_of_a_test", folder / CODE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", MODELS)
def test_where_the_program_can_not_be_imported_logits_are_equal_to_1e_5_and_greedy_texts_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config, chars = MODELS[name]
    sampling = SamplingConfig(temperature=0, max_length=30)
    own_model = write_random_folder(tmp_path / "model", config, chars, sampling=replace(sampling, temperature=1))
    ids = random_ids(len(SPECIALS) + len(chars))[:, :12]
    with torch.inference_mode():
        expected, _ = own_model(ids)
        [tweet] = sample_tweets(own_model, Vocab(chars), sampling, [0], may_compile=False)
    assert expected.std() > 0.5

    with monkeypatch.context() as without_program, torch.no_grad():
        for module_name in {*PROGRAM, *sys.modules}:
            if module_name.partition(".")[0] in PROGRAM:
                without_program.setitem(sys.modules, module_name, None)  # its import fails
        module = modeling_of(tmp_path / "model")
        model, vocab = module.load(tmp_path / "model")
        logits, _ = model(ids)
        state, places = None, []
        for end in range(1, ids.shape[1] + 1):
            place, state = model(ids[:, :end], state)
            places.append(place)
        text = module.generate(model, vocab, do_sample=False)

    for found in (logits, torch.cat(places, dim=1)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert text == tweet.text


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.8},
        {"top_k": 3},
        {"top_k": 1_000_000, "temperature": 1.5},
        {"top_p": 0.6},
        {"min_p": 0.2, "temperature": 2.0},
        {"top_k": 6, "top_p": 0.9, "min_p": 0.05, "temperature": 3.0, "temperature_last": True},
    ],
)
def test_it_draws_from_the_programs_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    sampling = SamplingConfig(**changes, max_length=1)
    model = write_random_folder(tmp_path / "model", SHAPES["all"], EMOJI, sampling=sampling)
    module = modeling_of(tmp_path / "model")
    drawn_from: list[torch.Tensor] = []

    def first(weights: torch.Tensor, _: int) -> torch.Tensor:
        drawn_from.append(weights / weights.sum())
        return torch.tensor([0])

    monkeypatch.setattr(torch, "multinomial", first)
    module.generate(*module.load(tmp_path / "model"))

    logits = model(torch.tensor([[BOS]]))[0][0, -1:].detach().numpy()
    weights = next_char_weights(logits, sampling, np.full((1, 1), sampling.temperature, dtype=np.float32))
    expected = np.sort(weights[weights > 0] / weights.sum())[::-1]
    [found] = drawn_from
    np.testing.assert_allclose(found[found > 0].numpy(), expected, atol=1e-6)


def test_a_text_starts_with_its_prompt_ends_in_time_has_no_special_symbol_and_at_temperature_0_is_greedy(
    tmp_path: Path,
) -> None:
    sampling = SamplingConfig(max_length=25)
    write_random_folder(tmp_path / "model", SHAPES["one layer"], EMOJI, sampling=sampling)
    module = modeling_of(tmp_path / "model")
    model, vocab = module.load(tmp_path / "model")
    texts = [module.generate(model, vocab, "ab 😀") for _ in range(50)]
    assert all(text.startswith("ab 😀") and set(text) <= set(EMOJI) for text in texts)
    assert max(map(len, texts)) <= 25
    assert len(set(texts)) > 10
    assert max(len(module.generate(model, vocab, max_length=8)) for _ in range(50)) <= 7  # <BOS> is a token
    with pytest.raises(KeyError, match="ñ"):
        module.generate(model, vocab, "ñ")
    assert module.generate(model, vocab, temperature=0) == module.generate(model, vocab, do_sample=False)


def test_it_has_at_most_40_lines_of_code_and_imports_torch_safetensors_and_the_standard_library_only(
    tmp_path: Path,
) -> None:
    write_random_folder(tmp_path / "model", SHAPES["one layer"], EMOJI)
    text = (tmp_path / "model" / CODE).read_text(encoding="utf-8")
    docstring, *lines = [line for line in text.splitlines() if line.strip()]
    assert docstring.startswith('"""')
    assert docstring.endswith('"""')
    assert len(lines) <= 40
    imports = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imports == {"json", "pathlib", "torch", "safetensors"}
    assert json.loads((tmp_path / "model" / "vocab.json").read_text(encoding="utf-8"))["<BOS>"] == BOS
