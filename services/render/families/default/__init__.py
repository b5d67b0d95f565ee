"""Chorus's own family: re-poses the mouth that is there."""
