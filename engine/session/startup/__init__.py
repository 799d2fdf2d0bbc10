"""What happens before the first step of a run: its settings, its tweets, its model, and what it starts from.

Never emits an event.
"""
