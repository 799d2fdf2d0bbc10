"""The grammar that generates the embedded corpus `assets/happy.csv`.

Not shipped in the wheel; the program never imports it.
"""
