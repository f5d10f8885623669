"""The figure on the first screen of each chapter, and its caption."""

OPENINGS = {}
