"""A trained model as one HTML file that samples tweets in any browser, offline; its parts are in `assets/web_page/`."""

from typing import Literal

WeightFormat = Literal["float16", "int8"]
