"""What the system says by itself to people and programs outside: alerts, the heartbeat, and MQTT."""
