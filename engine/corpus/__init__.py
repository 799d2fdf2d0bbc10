"""Tweets, from the user's files to batches of token ids. Never imports torch.

`files` opens folders, archives and compressed files and fetches data sets, `readers` has one reader per format,
`formats` detects which, and `sources` puts them together. A row is cleaned (`cleaning`), deduplicated and counted
(`collect`); `similarity` finds near-duplicates and chooses the validation tweets, by the hashes of `hashing`; `corpus`
runs all of these to build a `Corpus`, or loads it from the cache, and `inspection` computes its statistics. `arrays`,
`batches` and `training_data` turn it into padded batches.
"""
