"""The loss plot. Never changes the series that it draws.

The widget `plot` has a `viewport`, which chooses the steps, and a `picture`, which draws them into `cells`, pane by
`pane`: curves over lines across, and `labels` beside them. `axes` chooses the limits and ticks of both axes.
"""
