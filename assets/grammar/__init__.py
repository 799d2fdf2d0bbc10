"""The grammar that generates the embedded corpus `assets/happy.csv`.

It is not in the wheel, and the program never imports it.
"""
