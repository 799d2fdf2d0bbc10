"""The view of a run: events reduced to what is drawn, and the commands that are pending.

Never imports Textual, rich, typer or torch.
"""
