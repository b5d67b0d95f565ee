"""Lip-sync families, one file each; catalogue.py names them without loading anything, registry.py loads them."""
