"""What goes into the three models of a MuseTalk and comes out of them; see nets.py for what they compute."""

from __future__ import annotations

from typing import Final

SIDE: Final = 256
"""Pixels of a face"""
LATENTS_SHAPE: Final = (8, 32, 32)
"""The face with its lower half hidden, then the whole face, as the VAE's encoder sees them"""
WIDTH: Final = 384
"""Numbers of one state of the net that hears"""
STATES: Final = 5
"""What goes into its layers, and what comes out of each of the four"""
STEPS: Final = 10
"""Of 50 a second, that a mouth hears: those round its frame"""
SOUND_SHAPE: Final = (STEPS * STATES, WIDTH)
SAMPLES: Final = 480_000
"""30 s at 16 kHz: what the net that hears takes at once"""
STATES_SHAPE: Final = (1500, STATES * WIDTH)
"""A step's states stand behind each other"""
