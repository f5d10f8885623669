"""Exercises: chapters with an equation's lines taken out, and a check without the answer."""
