"""Lines to type in: prompt, path and their completions. Never acts on what was typed."""
