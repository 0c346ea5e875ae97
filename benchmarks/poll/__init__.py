"""What asking Messente costs: `throughput`, `claim` and `memory`, each beside something to compare it with."""
