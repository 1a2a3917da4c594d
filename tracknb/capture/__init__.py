"""Facts about the code, the work tree and the machine, as plain data; knows nothing of runs."""
