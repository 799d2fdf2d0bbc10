"""Several processes of this machine for one run: torch's elastic agent starts, monitors and restarts them.

The launcher's end: `launcher` (signals, stragglers, exit code), `agent` (torch's). A rank's end: `worker` (its main
module), `rank`. Both: `folder` (files), `lifeline` (a pipe). Only the launcher imports torch, on the agent's thread.
"""
