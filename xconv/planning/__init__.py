"""What each module of a network keeps: plans, what they cost in error, and which is the best."""
