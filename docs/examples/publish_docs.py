"""The Python half of publish-docs.yml. A callable gets its parents' outputs by name."""

import hashlib
from pathlib import Path


def checksum(build__archive: str) -> dict[str, object]:
    """Tell the size and the SHA-256 of the archive that `build` made."""
    content = Path(build__archive).read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def verify(publish__file: str, checksum__sha256: str) -> dict[str, object]:
    """Fail unless what was published is, byte for byte, what was approved."""
    found = hashlib.sha256(Path(publish__file).read_bytes()).hexdigest()
    if found != checksum__sha256:
        raise ValueError(f"published {found}, but {checksum__sha256} was approved")
    return {"verified": True}
