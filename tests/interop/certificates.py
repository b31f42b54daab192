"""Certificates for tests on this machine, made with the openssl program.

Each function leaves PEM files in a folder and returns their names.
"""

import os
import subprocess

# What a client finds a server under that listens on the loopback interface.
LOOPBACK = "IP:127.0.0.1,DNS:localhost"


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _request(folder, name, common_name):
    key = os.path.join(folder, f"{name}.key")
    request = os.path.join(folder, f"{name}.csr")
    _openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
             "-keyout", key, "-out", request)
    return key, request


def make_ca(folder, name="ca"):
    """A CA that signs itself: (certificate file, key file)."""
    certificate = os.path.join(folder, f"{name}.pem")
    key = os.path.join(folder, f"{name}.key")
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
             "-keyout", key, "-out", certificate)
    return certificate, key


def make_certificate(folder, name, ca, names=LOOPBACK, usage="serverAuth"):
    """A certificate of ``ca``, a pair of files: (certificate file, key file).

    ``names`` is what stands as its subjectAltName.
    """
    certificate = os.path.join(folder, f"{name}.pem")
    key, request = _request(folder, name, name)
    extensions = os.path.join(folder, f"{name}.ext")
    with open(extensions, "w", encoding="ascii") as file:
        file.write("basicConstraints=CA:FALSE\n"
                   f"extendedKeyUsage={usage}\n"
                   f"subjectAltName={names}\n")
    _openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1],
             "-CAcreateserial", "-days", "2", "-extfile", extensions,
             "-out", certificate)
    return certificate, key
