"""The loss plot: scales, panes, drawing into cells, keys and mouse. Never changes the series that it draws."""
