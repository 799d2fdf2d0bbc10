"""The feed of generated tweets: its model, layout, selection and surprise colours. Never sends a command."""
