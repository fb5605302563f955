"""What several tests share: worlds, homes, services and rows to test with."""
