"""What a model has to beat: predictors that only count. Knows no torch but where it takes the rule of `evaluation`.

`ngrams` is the entry. `contexts` lays tweets end to end and numbers what comes before each character; `counting`
holds how often what followed which.
"""
