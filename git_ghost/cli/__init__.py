"""The command line: commands that parse, call and print, each loaded when it is named."""
