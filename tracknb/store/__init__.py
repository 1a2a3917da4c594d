"""What is remembered: the tables, how they are opened, written and read."""
