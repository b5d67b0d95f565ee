"""Lip-sync families, one folder each; registry.py finds them."""
