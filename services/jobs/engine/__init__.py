"""The job engine: durable jobs on DBOS, and the only place that knows it. SQLite (one worker) or PostgreSQL."""
