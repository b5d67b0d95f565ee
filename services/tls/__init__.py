"""TLS between processes: whose files, how they are read together, and that new ones are taken without a restart."""
