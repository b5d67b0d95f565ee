"""What a job is, where it is kept, and the engine that runs it; no door and no pixel."""
