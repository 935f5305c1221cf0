"""Scores as readers see them: whole runs of a day, made visible by one pointer, and verified."""

from churnkit.publishing.content import content_hash
from churnkit.publishing.manifest import FORMAT, Manifest
from churnkit.publishing.parts import DataFile, Part, write_part
from churnkit.publishing.publication import Publication
from churnkit.publishing.store import ScoreStore, StaleScores, read_scores

__all__ = [
    "FORMAT",
    "DataFile",
    "Manifest",
    "Part",
    "Publication",
    "ScoreStore",
    "StaleScores",
    "content_hash",
    "read_scores",
    "write_part",
]
