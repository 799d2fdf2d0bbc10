"""The live views of the stops, one module each; `base` has what they share. They never decide what passes a stop."""
