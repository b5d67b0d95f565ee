"""A lip-sync family in a package of its own."""
