# Nothing is built: the program is there.
