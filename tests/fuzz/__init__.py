"""Hostile inputs, made by hypothesis, at every entrance. `make fuzz` tries more of them."""
