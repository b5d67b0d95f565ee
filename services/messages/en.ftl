# The messages of errors in English. The id is the error's code, a { $variable } one of its values.
# A message is for the person who sent the file: it names the file or thing, and says what to do.
# The same ids and variables stand in zh.ftl; tests/unit/test_error_messages.py holds both and the code together.

# What another version, or another program, has said in its own words.
as-told = { $text }
