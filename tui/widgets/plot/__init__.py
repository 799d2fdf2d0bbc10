"""The loss plot: scales, cells, panes and the pointer. Never changes the series that it draws."""
