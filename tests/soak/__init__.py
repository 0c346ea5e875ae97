"""A day at Messente's in little: faults of every kind while workers die, and in the end every count agrees.

``plan`` says what is sent, ``day`` has it sent and told while workers are killed, ``counts`` compares what the
sandbox says with what the database and the receivers say. The tests have a short day; ``python -m
tests.soak`` has one of any length.
"""
