"""`python -m services.gateway`: the api, nothing else: one folder a door, `access` before them, `operations` behind."""
