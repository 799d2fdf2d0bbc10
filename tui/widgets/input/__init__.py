"""Input lines for prompt and path, and what completes them. Never acts on the input: posts messages."""
