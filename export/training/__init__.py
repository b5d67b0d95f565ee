"""Training of speech_to_mouth: speech with known phone times, targets by rule, the fit, and the measures."""
