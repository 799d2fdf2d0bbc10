"""A run shown in another terminal: the host lets watchers in through a socket, and the bridge of a screen connects.

`socket_path` says where the socket lies, `protocol` what is said on it, `view_codec` how a whole `RunView` is; `host`
and `host_connection` are the side of the run, `client` that of the screen, `connect` finds what can be attached to.
"""
