"""Chorus on one machine: the embedded Triton, and the supervisor of all processes on loopback."""
