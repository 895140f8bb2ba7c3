"""The test lab: network namespaces, a SIP provider, real phones, captures, and the daemon under test.

One file per part. Everything here runs as root, in network namespaces of its own, with Python's standard library.
"""
