"""A folder as model hubs read it: weights, settings, vocabulary, model card and code. Written, and read back.

Nothing in it names a file, a machine or a user, nor quotes a tweet.
"""

from typing import Final

WEIGHTS: Final = "model.safetensors"
"""The weights alone, under the names of `TextGenerator.state_dict`; of tied ones only `embed.weight`."""
MODEL: Final = "config.json"
"""`ModelSettings`."""
GENERATION: Final = "generation_config.json"
"""`GenerationSettings`."""
VOCAB: Final = "vocab.json"
"""Token id by symbol, in the order of the ids."""
CARD: Final = "README.md"
"""The model card (`engine.export.hub.card`)."""
CODE: Final = "modeling.py"
"""`assets/hub/modeling.py`, which loads the others and needs nothing of this program."""
TIED: Final = "proj.weight"
"""The tensor that a model with tied embeddings leaves out."""
