"""The process: signals, job control, detaching, torchrun, threads and the crash log. Never draws anything."""
