"""Judging images: what was gained, what is left, and pictures that show it."""
