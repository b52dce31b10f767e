"""What else a network saves for its backward pass, saved smaller."""
