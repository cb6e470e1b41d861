"""Ed25519 keys for tests, made as an administrator makes them."""

from pathlib import Path

from nodelib.run import run


def make_keys(folder: Path, name: str, algorithm: str = "ed25519") -> tuple[Path, Path]:
    """Make a private key in `folder` and its public half in `folder`/public, and return both."""
    private, public = folder / f"{name}.key", folder / "public" / f"{name}.pem"
    public.parent.mkdir(parents=True, exist_ok=True)
    run(["openssl", "genpkey", "-algorithm", algorithm, "-out", private])
    run(["openssl", "pkey", "-in", private, "-pubout", "-out", public])
    return private, public
