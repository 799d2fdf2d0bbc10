"""The process: signals, job control, detaching, threads and the crash log. Never draws anything."""
