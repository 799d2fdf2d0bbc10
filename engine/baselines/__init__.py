"""What a model has to beat: predictors that only count. Knows no torch but where it takes the rule of `evaluation`.

`ngrams` is the entry. `stream` lays tweets end to end, `contexts` numbers what comes before each character, and
`counting` holds how often what followed which.
"""
