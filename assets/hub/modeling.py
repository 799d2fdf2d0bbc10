"""This folder's model in plain PyTorch: model, vocab = load("."); print(generate(model, vocab, "good ", top_k=20))."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file


class TextGenerator(torch.nn.Module):
    def __init__(self, config, settings, weights):
        super().__init__()
        self.settings, first, size, count = settings, "rnn.weight_ih_l0", config["hidden_size"], config["vocab_size"]
        self.rows, self.contexts = weights.pop("ngram_input.weight", None), weights.pop("ngram_input.contexts", None)
        if self.rows is not None:  # their sum is added to the first layer's candidate: inputs with weights 0, 0 and 1
            weights[first] = torch.cat([weights[first], torch.eye(3 * size, size).roll(2 * size, 0)], dim=1)
        self.embed, self.proj = torch.nn.Embedding(count, config["embedding_size"]), torch.nn.Linear(size, count)
        self.rnn = torch.nn.GRU(weights[first].shape[1], size, config["num_hidden_layers"], batch_first=True)
        self.load_state_dict({"proj.weight": weights["embed.weight"], **weights})  # tied unless it has its own

    def forward(self, ids, hidden=None):  # (B, T) to (B, T, V), the logits; given the state, only of the last place
        x = self.embed(ids)
        if self.rows is not None:  # one per frequent context: the last 2, 3 or 4 ids, in the highest of 4 x 16 bits
            past = torch.nn.functional.pad(ids.where(ids < 65536, 3), (3, 0))  # (B, 3 + T), three times <PAD> first
            codes = torch.stack([sum(past.roll(k, 1) << 16 * (4 - n + k) for k in range(n)) for n in (2, 3, 4)])
            at = torch.searchsorted(self.contexts, codes).clamp(max=len(self.contexts) - 1)
            x = torch.cat([x, self.rows[((at + 1) * (self.contexts[at] == codes))[..., 3:]].sum(0)], dim=-1)
        output, hidden = self.rnn(x if hidden is None else x[:, -1:], hidden)
        return self.proj(output), hidden


def load(folder):
    names = ("config.json", "generation_config.json", "vocab.json")
    config, settings, vocab = (json.loads(Path(folder, name).read_text(encoding="utf-8")) for name in names)
    return TextGenerator(config, settings, load_file(Path(folder, "model.safetensors"))), vocab


@torch.inference_mode()
def generate(model, vocab, prompt="", **changes):  # `changes` replace entries of generation_config.json
    if unknown := sorted(set(prompt) - set(vocab)):
        raise ValueError(f"vocab.json lacks {unknown}: leave these characters out of the prompt")
    s, chars, hidden, end = {**model.settings, **changes}, sorted(vocab, key=vocab.get), None, vocab["<EOS>"]
    ids, t, last = [s["bos_token_id"], *map(vocab.get, prompt)], s["temperature"] or 1, s["temperature_last"]
    while len(ids) < s["max_length"] and ids[-1] != end:
        logits, hidden = model(torch.tensor([ids if hidden is None else ids[-4:]]), hidden)
        logits = logits[0, -1].double().index_fill(0, torch.tensor(s["suppress_tokens"]), -torch.inf)
        p, order = torch.softmax(logits / (1 if last else t), dim=0).topk(min(s["top_k"] or len(chars), len(chars)))
        p = p[(p.cumsum(0) - p < s["top_p"] * p.sum()) & (p >= s["min_p"] * p[0])] ** (1 / t if last else 1)
        ids.append(int(order[torch.multinomial(p, 1) if s["do_sample"] and s["temperature"] else 0]))
    return "".join(chars[i] for i in ids[1:] if i != end)
