"""`python -m services.preprocess`: finds and follows faces, hears speech; knows no family."""
