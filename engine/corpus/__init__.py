"""Tweets, from what the user named to batches of numbers. Knows no torch.

`opening` finds the files in a folder or archive, `formats` and `sources` recognise them, one reader per format
(`readers`) makes rows of them, `cleaning` keeps or drops each; `alike` finds what says the same, `split` holds out, and
`loading` puts these together into a `Corpus`, or opens it from the `cache`. `encoded` and `batches` turn it into what a
model is trained on.
"""
