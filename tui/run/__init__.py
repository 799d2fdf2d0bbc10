"""A run as the screen sees it: the connection to it, the view that its events fold into, the commands sent to it.

Never imports Textual, rich, typer or torch.
"""
