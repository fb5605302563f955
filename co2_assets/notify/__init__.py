"""What the system says by itself to people and programs outside: alerts and the heartbeat."""
