"""Tries deploy/docker where no container engine is: `make images-try` says how."""
