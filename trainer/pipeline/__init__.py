"""Sampling, grading and learning at the same time, on rollouts whose weights are at most so many versions old."""
