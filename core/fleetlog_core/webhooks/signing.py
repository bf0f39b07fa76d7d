"""Headers of a delivery, by which its receiver knows who sent it and when. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


def headers_of(delivery_id: str, unix_seconds: int, body: bytes, secret: str) -> dict[str, str]:
    """Returns the headers, each under its name in Standard Webhooks and under that which MLflow gives it."""
    headers = {
        "content-type": "application/json",
        "user-agent": "fleetlog",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(unix_seconds),
        "X-MLflow-Delivery-Id": delivery_id,
        "X-MLflow-Timestamp": str(unix_seconds),
    }
    if secret:
        signature = signature_of(delivery_id, unix_seconds, body, secret)
        headers |= {"webhook-signature": signature, "X-MLflow-Signature": signature}
    return headers


def signature_of(delivery_id: str, unix_seconds: int, body: bytes, secret: str) -> str:
    """Returns "v1," and the HMAC-SHA256 of id, time and body in base64."""
    signed = f"{delivery_id}.{unix_seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
