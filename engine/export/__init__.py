"""Trained models for other programs: a web page, a folder as model hubs read it, an ONNX graph; runs for trackers.

Never trains.
"""

from typing import Literal

WeightFormat = Literal["float16", "int8"]
"""Precision of the weights in a web page."""
