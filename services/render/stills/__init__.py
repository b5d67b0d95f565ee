"""A photo comes to life: head motion and blinks, on the frame's own planes."""
