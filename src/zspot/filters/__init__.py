"""Closed-form operations on images: non-local Bayes, patches, local mean and median."""
