"""The loss plot. Never changes the series that it draws.

The widget `loss_plot` has a `viewport`, which chooses the steps, and a `picture`, which draws them: the `painter` draws
each `pane` into the same `cell_grid`, its `reference_lines` and `mark_rows`. `scales` and `loss_axis` are the axes;
`heading` is the text above the plot, `legend` explains what is drawn, `glyphs` and `colours` are tables.
"""
