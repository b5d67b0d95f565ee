"""`python -m services.render`: renders the one job on stdin."""
