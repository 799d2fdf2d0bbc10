"""The screen of a run in a browser: a web server of this machine only, and a process `attach` for each tab.

`server` answers the browser, after `guard` has let the request pass; `tab` runs the process. The page and its terminal
come from textual-serve, except for `assets/browser/`. Never draws the screen itself.
"""
