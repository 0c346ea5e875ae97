"""Kill the workers of the send queue, and restart Messente and the database, while thousands of messages are sent."""
