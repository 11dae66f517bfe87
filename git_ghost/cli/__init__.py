"""The command line: commands that parse, call and print, one file each, loaded when they are named."""
