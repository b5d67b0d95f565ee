"""The command line: `chorus up | run | doctor | models | user`."""
