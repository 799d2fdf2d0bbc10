"""Events and commands, the two vocabularies of a session, and their exact JSON form.

Never imports torch or writes to disk.
"""

from engine.protocol import insight  # so that `from_json` of events and commands knows those in it
