"""A user's own checkpoint becomes a family: `importer` has it read by a child, `python -m services.importing`."""
