"""What was uploaded and made: files, keys, facts, the faces found in them."""
