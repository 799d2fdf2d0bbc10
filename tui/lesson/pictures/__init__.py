"""What the stops show beside the views of the X-ray: pure functions from numbers to pictures that fit a size.

They never import a framework.
"""
