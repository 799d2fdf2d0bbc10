"""A run shown in another terminal: a Unix socket between the process that trains and other screens. Never trains.

The host's end: `host` (thread and views), `listener` (socket file), `host_connection` (one client). The client's end:
`client` (bridge of a screen), `client_connection`, `connect`. Both: `protocol`, `view_codec`, `socket_path`, `agent`.
"""
