"""TIFF: pages, stacks and metadata, read and written back."""
