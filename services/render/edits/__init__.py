"""What happens to one face of one frame, in the frame's own planes."""
