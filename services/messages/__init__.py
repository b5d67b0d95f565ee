"""What a person reads of an error: a Fluent file a language, the same ids in each."""
