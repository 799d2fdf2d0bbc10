"""The rows of the key table, by what the keys are for. `tui.settings.key_table` puts them together."""
