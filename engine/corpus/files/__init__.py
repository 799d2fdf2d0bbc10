"""From a path of the user's to readable files: folders, archives, compressed files, standard input.

`members.find` is the entry point: it returns the `Contents` of a path, `Member`s that open as plain bytes (`archives`,
`streams`), text in UTF-8 (`encodings`), but for what must not be read (`refused`). `download` fetches data sets.
Never writes, except `members.with_saved_streams` and `download`.
"""
