"""The process and others: the session's thread, the socket, torchrun, job control, signals. Never draws anything."""
