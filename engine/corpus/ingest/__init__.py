"""From rows to tweets: formats are detected, rows cleaned, tweets collected and deduplicated.

Never opens an archive itself.
"""
