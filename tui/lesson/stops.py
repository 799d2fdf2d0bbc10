"""The eight stops of the lesson: the ideas of CSC321 Tutorial 11 in our own words, one thing to do at each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stop:
    """One stop. Its number is its place in `STOPS`, counted from 1."""

    title: str
    part: str
    """The parts of the tutorial that it is about."""
    text: str
    """Paragraphs, with an empty line between them."""
    task: str
    """The one thing to do."""
    learned: str
    """Shown once it is done: what was seen."""
    action: str = ""
    """What enter does, for the key bar."""
    train_to: int = 0
    """The step up to which this stop trains the model of the lesson, once it does; 0: it does not."""


STOPS: tuple[Stop, ...] = (
    Stop(
        title="Characters",
        part="(a)",
        text=(
            "A network computes with numbers, so each character has one: its id, the place in the vocabulary of all "
            "characters in the training tweets. An id stands for a one-hot row: V zeros, but a 1 in the column of "
            "the id.\n\n"
            "Four ids are no characters. <BOS> is the first input: without it nothing could predict the first "
            "character. <EOS> is the last target: by it the model learns where a tweet ends. <UNK> "
            "replaces a character outside the vocabulary; <PAD> fills up the shorter tweets of a batch."
        ),
        task="Type a tweet with a character in it that no training tweet has, such as $.",
        learned="Every unknown character has the same id, <UNK>: to the model they are all one.",
        action="type",
    ),
    Stop(
        title="The model",
        part="(b)",
        text=(
            "Three parts. The embedding is a table with E numbers for each id: one-hot times matrix, without the "
            "zeros. The GRU reads one embedding after the other and carries a hidden state of H numbers along, its "
            "summary of the tweet so far. The projection makes V scores of each state, the logits; softmax turns "
            "them into the probabilities of the next character.\n\n"
            "B tweets of T characters go through together, so each array has the shape (B, T, something)."
        ),
        task="Press enter four times: send a batch through the model, part by part.",
        learned="Ids in, one distribution over V characters out, at each of the B x T places.",
        action="next part",
    ),
    Stop(
        title="Teacher forcing",
        part="one step at a time, then at once",
        text=(
            "While it trains, the model reads the true tweet: whatever it predicted, the next input is the true "
            "character. That is teacher forcing. Each prediction costs -log2 of the probability that it gave the true "
            "next character, in bits (with ln, as in PyTorch, in nats), and the loss is the mean. As all inputs are "
            "known before, one call reads the whole tweet, with the same result as one character at a time.\n\n"
            "When it writes, there is no truth: it reads its own draws. One odd draw, and it reads what no training "
            "tweet contained, with nothing to bring it back (g shows it). The tutorial's single-step loop has a "
            "slip: it takes tweet[1] as the target in every turn, so it reads the same second character again and "
            "again; tweet[i] is meant."
        ),
        task=(
            "tab to the view, step with → through a dozen characters, then end. Then home, and g: from the cursor "
            "on, the model reads its own draws beside the tweet; n draws again."
        ),
        learned="Trained on the truth, it writes from its own draws: that difference is called exposure bias.",
        train_to=300,
    ),
    Stop(
        title="Overfit one tweet",
        part="(c)",
        text=(
            "A first test of any model: can it learn a single tweet by heart? If not, something is broken. Each step "
            "trains on row 200 of the data, so the loss falls towards 0: each next character becomes certain.\n\n"
            "Gates decide what the state keeps. The update gate z mixes old and new in each unit: state = z x old + "
            "(1 - z) x candidate, so z near 1 keeps and z near 0 overwrites. The reset gate r sets how much of the "
            "old state the candidate n is computed from. Untrained, all gates are half open, near 0.5; trained, they "
            "open and close at certain characters."
        ),
        task=(
            "Press enter, wait until the loss is below 0.07 bits and the tweet is written by heart. Then v: the gates "
            "as they were before training."
        ),
        learned="It has this tweet by heart, and nothing else: overfitting shows that learning works, no more.",
        action="overfit",
    ),
    Stop(
        title="Sampling and temperature",
        part="(d), (g)",
        text=(
            "To write, the model draws the next character from its probabilities, reads the draw as the next input, "
            "and so on until it draws <EOS>. The temperature divides the logits before softmax. Below 1 the likely "
            "characters gain: safe, repetitive. 1 leaves the probabilities as they are. Above 1 the bars flatten: "
            "more variety, more errors; at 5 it is almost a die with V sides.\n\n"
            "At 0, greedy, it always takes the likeliest: the same tweet each time, often caught in a loop."
        ),
        task="Press enter: the same seed at 0 to 5. Then - and + move the bars' temperature: go down to 0.1, up to 5.",
        learned="Temperature changes no weight: it only sharpens or flattens the distribution that is drawn from.",
        action="sample",
        train_to=1200,
    ),
    Stop(
        title="Batches",
        part="(e)",
        text=(
            "A step computes the loss of B tweets at once. The shorter ones are filled up with <PAD> to the length "
            "of the longest. Padding is computed for nothing, and must not count: its targets are masked out of the "
            "loss. So tweets are sorted by length into batches, and little is padded.\n\n"
            "With one tweet per step, each step follows the accidents of that tweet: the loss jumps. With 32, they "
            "average out, and large matrices are computed much faster per character."
        ),
        task=(
            "Press enter to train with 1 tweet per step, then again with 32; compare speed and noise. Then v: a batch "
            "that is not sorted, and its padding."
        ),
        learned="Sorting by length saves computing, not loss; a batch averages out noise and uses the machine better.",
        action="batch size",
        train_to=300,
    ),
    Stop(
        title="Training",
        part="(f)",
        text=(
            "Before training, all V characters are about equally likely, each 1/V: the loss is log2 V bits, or ln V "
            "nats, as PyTorch prints it. The frequency of each character alone gives the unigram loss; the "
            "character before it as well, the bigram loss; more characters before it, that of longer n-grams. The "
            "model passes them one by one as it learns to use more of the tweet so far.\n\n"
            "Validation tweets are never trained on. While both losses fall, it learns what tweets have in common; "
            "once only the train loss falls, it learns its tweets by heart, and more training makes it no better."
        ),
        task="Press enter: start again from random weights, and watch until it has passed the bigram on validation.",
        learned="From log2 V down, past models that see 0 and 1 characters: it uses the tweet so far.",
        action="start again",
        train_to=5000,
    ),
    Stop(
        title="What it learned",
        part="beyond the tutorial",
        text=(
            "No word and no rule was put in. Reach: which earlier characters matter to one prediction? Each is "
            "hidden in turn; the bits that this costs are its reach. Units: which of the H numbers of the state "
            "tracks something we have a word for, such as being inside an @name? A small model has few such units, "
            "and the correlation says how clean they are. Map: characters that are used alike get embeddings close "
            "to each other."
        ),
        task=(
            "tab to the view; 3 reach, 4 units, 5 map. In units, ↑ ↓ select one. ] holds it at +1: see the tweets "
            "change, most at the value that it rarely has by itself; 0 frees it, and [ holds it at -1."
        ),
        learned="All of this came from predicting the next character, over and over.",
        train_to=1500,
    ),
)
