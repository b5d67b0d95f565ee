"""Families that users imported: nets that paint the lower half of a face from a mel window, as Wav2Lip does."""
