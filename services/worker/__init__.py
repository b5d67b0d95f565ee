"""`python -m services.worker`: takes jobs and has them rendered."""
