"""The web page in a real browser: one stack and one browser for the folder."""
