"""Events and commands, the two vocabularies of a session, and their exact JSON form.

Never imports torch or writes to disk.
"""

from engine.protocol import events  # first: `insight` derives from it, and it lists the events of `insight`
