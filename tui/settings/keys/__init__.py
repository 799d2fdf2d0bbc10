"""The rows of the key table, by what the keys are for. Never executes an action: `key_table` joins the rows."""
