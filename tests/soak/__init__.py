"""A soak test: faults of every kind while workers are killed, and at the end every count must agree.

``plan`` decides what to send. ``day`` sends it and kills workers while the sandbox reports. ``counts`` compares what
the sandbox did with the rows and the signals, and ``channels`` those of messages of several channels. The integration
tests run a short day. ``python -m tests.soak`` runs a day of any length.
"""
