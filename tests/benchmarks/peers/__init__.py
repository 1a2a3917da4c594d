"""The contestants: one script each, run by a Python that has the library installed.

A script reads requests and writes answers as JSON lines (``protocol.py``), so that rounds
can alternate between libraries that live in different environments.
"""
