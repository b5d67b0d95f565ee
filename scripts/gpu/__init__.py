"""What a GPU does for Chorus: every engine side by side, in one table (`make gpu`)."""
