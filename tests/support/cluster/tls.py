"""A certificate authority of its own, made with openssl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; return the authority's, and a server context."""
    folder.mkdir(parents=True)
    ca, ca_key, request = folder / "ca.crt", folder / "ca.key", folder / "server.csr"
    crt, key, extensions = folder / "server.crt", folder / "server.key", folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", encoding="ascii")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=test authority",
         "-addext", "keyUsage=critical,keyCertSign",
         "-keyout", str(ca_key), "-out", str(ca)],
        [*new, "-subj", "/CN=kube-apiserver", "-keyout", str(key), "-out", str(request)],
        ["openssl", "x509", "-req", "-days", "2", "-in", str(request), "-CA", str(ca),
         "-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(extensions), "-out", str(crt)],
    ):  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(ca)
    return ca, context


def client_certificate(folder: Path, name: str) -> tuple[str, str]:
    """Let the authority in `folder` make a certificate for a user; return it and its key, PEM."""
    crt, key, request = (folder / f"{name}.{what}" for what in ("crt", "key", "csr"))
    signed = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial"]
    for command in (
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)],
        ["openssl", "x509", "-req", "-days", "2", "-in", str(request), *signed,
         "-out", str(crt)],
    ):  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    return crt.read_text(encoding="ascii"), key.read_text(encoding="ascii")
