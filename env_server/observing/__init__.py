"""What the service lets an operator see: metrics, traces and logs. None of them ever holds what was scored."""
