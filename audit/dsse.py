"""
DSSE envelopes (secure-systems-lab/dsse v1): the form in which an officer's signature is kept.

Signed are not the JSON bytes but the pre-authentication encoding of type and payload:

    PAE = "DSSEv1" SP len(type) SP type SP len(payload) SP payload        lengths in decimal bytes

Our envelopes are canonical JSON with one signature, so one approval has one form in the log:

    {"payload":"<base64>","payloadType":"application/vnd.rkud.act+json",
     "signatures":[{"keyid":"ed25519:<16 hex>","sig":"<base64>"}]}

`keyid` names algorithm and key but is signed by nobody: which key must have signed is decided by
the enrolments in the log, and the envelope is then checked against that key.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.canonical import canonical, parse_canonical
from audit.errors import InvalidSignatureError, MalformedEnvelopeError, NotCanonicalError
from audit.keys import officer_key_id
from audit.strict import decode_base64, encode_base64

PAYLOAD_TYPE = "application/vnd.rkud.act+json"
SIGNATURE_BYTES = 64


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and one Ed25519 signature over it; not verified yet."""

    payload: bytes
    keyid: str
    signature: bytes

    def to_bytes(self) -> bytes:
        """The envelope as canonical JSON."""
        return canonical(
            {
                "payload": encode_base64(self.payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"keyid": self.keyid, "sig": encode_base64(self.signature)}],
            }
        )


def sign(payload: bytes, private: Ed25519PrivateKey) -> Envelope:
    """Sign *payload*, usually `Statement.to_payload()`, as our payload type."""
    keyid = officer_key_id(private.public_key().public_bytes_raw())
    return Envelope(payload, keyid, private.sign(pae(PAYLOAD_TYPE, payload)))


def parse_envelope(data: bytes) -> Envelope:
    """
    Read an envelope of ours, strictly.

    Raises:
        MalformedEnvelopeError: Not canonical, other members, another payload type, not exactly one
            signature, or loose base64.
    """
    try:
        value = parse_canonical(data)
    except NotCanonicalError as error:
        raise MalformedEnvelopeError(error.reason) from error
    match value:
        case {
            "payload": str(payload),
            "payloadType": str(kind),
            "signatures": [{"keyid": str(keyid), "sig": str(signature), **more_inside}],
            **more,
        } if not more and not more_inside:
            pass
        case _:
            raise MalformedEnvelopeError("other members than payload, payloadType and a signature")
    if kind != PAYLOAD_TYPE:
        raise MalformedEnvelopeError("another payload type")
    try:
        envelope = Envelope(decode_base64(payload), keyid, decode_base64(signature))
    except ValueError as error:
        raise MalformedEnvelopeError(str(error)) from error
    if len(envelope.signature) != SIGNATURE_BYTES:
        raise MalformedEnvelopeError("a signature has 64 bytes")
    return envelope


def verify(envelope: Envelope, public_key: Ed25519PublicKey) -> bytes:
    """
    The payload, once *public_key* is seen to have signed it.

    The key is the enrolled one, loaded by `curve.load_public_key`. A keyid of another key is
    refused although nobody signs it: otherwise anybody could change it in a stored approval.

    Raises:
        InvalidSignatureError: Not this key's signature.
    """
    if envelope.keyid != officer_key_id(public_key.public_bytes_raw()):
        raise InvalidSignatureError(envelope.keyid)
    try:
        public_key.verify(envelope.signature, pae(PAYLOAD_TYPE, envelope.payload))
    except InvalidSignature as error:
        raise InvalidSignatureError(envelope.keyid) from error
    return envelope.payload
