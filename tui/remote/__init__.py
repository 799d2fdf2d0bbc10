"""A run shown in another terminal: the host lets watchers in through a socket, and the bridge of a screen connects.

`places` says where the socket lies, `protocol` what is said on it, `view_form` how a whole `RunView` is; `host` and
`watcher` are the side of the run, `client` that of the screen, `live_runs` finds what can be attached to.
"""
