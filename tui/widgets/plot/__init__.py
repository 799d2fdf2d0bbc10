"""The loss plot. Never changes the series that it draws.

The widget `loss_plot` has a `viewport`, which chooses the steps, and a `picture`, which draws them: the `painter` draws
each `pane` into the same `cell_grid`. `scales` are the axes, `legend` the text, `glyphs` the characters.
"""
