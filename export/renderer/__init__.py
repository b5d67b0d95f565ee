"""The mouth renderer: formulas on landmarks and coefficients that re-pose a real mouth; nothing in it is trained."""
