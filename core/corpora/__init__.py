"""Generators of synthetic corpora: small frozen rows, deterministic for a seed, nothing printed."""
