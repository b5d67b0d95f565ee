"""Who may come in: accounts, tokens, sessions, and what stands before the doors."""
