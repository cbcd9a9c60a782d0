"""Colours photographs at full size: one, or all of a folder."""
