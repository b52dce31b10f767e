"""Programs that measure this project itself; none of them is a test."""
