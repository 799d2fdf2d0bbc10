"""The views of the X-ray as lines of styled text, for the screen, the terminal and pictures. Pure.

T is the number of characters of the text. The model reads T + 1 inputs: `<BOS>`, then the characters; after each it
predicts the next one, and `<EOS>` after the last. **The cursor is the index of an input**, 0 to T: 0 is `<BOS>`, k is
the character `text[k - 1]`, which the model has just read, and its prediction there is of `text[k]`, the target k. So
the cursor is also the index of that target, and `MeasureReach.position`. The strip shows T + 2 symbols: the inputs and
the end, which no cursor reaches.

Each view is a module with the same functions; `event` is the answer that it draws:

* `render(event, cursor, width, height, glyphs) -> Picture`: at most `height` lines of at most `width` cells, the
  most important ones if there is not room for all;
* `shades(event, cursor) -> Shades`: a value for each symbol, for `TextStrip.picture`;
* `sentence(event, cursor, glyphs) -> str`: what is seen at the cursor, without a full stop;
* `HELP`: five lines that explain it, from `view_help(view)`.

`step_view` and `gates_view` draw `TextTraced`, `reach_view` draws `ReachMeasured`, `units_view` several answers;
`map_view` draws `EmbeddingsMapped` with a character in place of the cursor, `batch_view` `BatchShown` without a text.
"""
