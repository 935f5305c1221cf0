"""Forgetting a person: who is left out from now on, rows cut out of files, and the proof of it."""

from churnkit.forgetting.cutting import Cut, cut
from churnkit.forgetting.listing import FOLDER, LIST, read_suppression, write_suppression
from churnkit.forgetting.proof import begun, proof_name, text_of, write_proof

__all__ = [
    "FOLDER",
    "LIST",
    "Cut",
    "begun",
    "cut",
    "proof_name",
    "read_suppression",
    "text_of",
    "write_proof",
    "write_suppression",
]
