"""
The audit floor: a signed, append-only log in open formats. It imports no other floor.

Every act is a leaf (canonical JSON), leaves form a Merkle tree (RFC 6962), a signed checkpoint
commits to the tree, tiles and proofs carry both to an inspector. The formats are C2SP's, so that
tools of others verify them.

The names here are pure: values in, values or a named refusal out. What touches the database
(`audit.log`, `audit.database`) or files (`audit.keys`, `audit.signer`) is used as a module.
"""

from audit.canonical import (
    Json,
    JsonInput,
    canonical,
    canonical_fast,
    parse_canonical,
)
from audit.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from audit.curve import load_public_key
from audit.disclosure import (
    Disclosure,
    commit,
    commit_text,
    new_salt,
    read_disclosures,
    verify_disclosure,
)
from audit.dsse import Envelope, parse_envelope
from audit.errors import AuditError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from audit.note import (
    CosignatureVerifier,
    Ed25519Signer,
    Ed25519Verifier,
    Note,
    parse_note,
    parse_vkey,
    sign_note,
    verify_note,
)
from audit.proof import Proof, parse_proof, verify_proof
from audit.statement import Statement, parse_statement
from audit.tiles import Tile, TileBuilder, TileReader, parse_tile_path

__all__ = [
    "EMPTY_ROOT",
    "AuditError",
    "Checkpoint",
    "CosignatureVerifier",
    "Disclosure",
    "Ed25519Signer",
    "Ed25519Verifier",
    "Envelope",
    "Frontier",
    "Json",
    "JsonInput",
    "Note",
    "Proof",
    "SignedCheckpoint",
    "Statement",
    "Tile",
    "TileBuilder",
    "TileReader",
    "canonical",
    "canonical_fast",
    "commit",
    "commit_text",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "load_public_key",
    "new_salt",
    "node_hash",
    "open_checkpoint",
    "parse_canonical",
    "parse_checkpoint",
    "parse_envelope",
    "parse_note",
    "parse_proof",
    "parse_statement",
    "parse_tile_path",
    "parse_vkey",
    "read_disclosures",
    "root_of",
    "sign_checkpoint",
    "sign_note",
    "verify_consistency",
    "verify_disclosure",
    "verify_inclusion",
    "verify_note",
    "verify_proof",
]
