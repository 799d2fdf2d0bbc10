"""From files to tweets: detects formats, cleans rows, collects and deduplicates tweets. Never parses a format."""
