"""The guided lesson without its screen: texts, checks, progress, snippets, the pictures of its stops. No framework."""
