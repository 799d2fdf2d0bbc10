"""Events and commands, the two vocabularies of a session, and their exact JSON form; progress of long work.

Never imports torch or writes to disk.
"""

from engine.protocol import insight  # so that `decode_tagged` knows the events and commands in it
