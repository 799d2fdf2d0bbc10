"""Tweets, from the user's files to batches of token ids. Never imports torch.

`files` opens folders, archives and compressed files, `readers` has one reader per format, `ingest` detects formats,
cleans, collects and deduplicates, `similarity` finds near-duplicates and chooses the validation tweets, by the hashes
of `hashing`, `download` fetches data sets, and `loading` runs all of these to build a `Corpus`, or opens it from the
`cache`. `arrays`, `batches` and `training_data` turn a corpus into padded batches.
"""
