"""Experiments: simulate, restore and assess in one go, to teach what a method can and cannot do."""
