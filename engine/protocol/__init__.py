"""Events and commands, the two vocabularies of a session, and their exact JSON form.

Never imports torch or writes to disk.
"""
