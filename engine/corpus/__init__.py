"""Tweets, from the path that the user gave to batches of token ids. Never imports torch.

`files` opens folders, archives and compressed files, `readers` has one reader per format, `ingest` detects the format,
cleans, collects and deduplicates, `similarity` finds near-duplicates and copies, `download` fetches datasets. `split`
holds out validation tweets, and `loading` puts these together into a `Corpus`, or opens it from the `cache`.
`encoded_tweets`, `batches` and `training_data` turn it into what a model is trained on.
"""
