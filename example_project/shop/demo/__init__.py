"""The parts of ``manage.py demo``: its messages, the servers, the table in the terminal and the verification."""
