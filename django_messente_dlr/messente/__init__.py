"""What Messente speaks, in plain Python: no models, no ORM, no settings."""
