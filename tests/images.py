"""A tiny image that tests can be sure of: Debian's static busybox, made without a registry."""

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from hythe.engine.port import Engine, Image, ImageConfig

BUSYBOX = "hythe-test/busybox:1"


def busybox(engine: Engine) -> Image:
    """The image BUSYBOX on this engine, made when it is not there; it stays for the next run."""
    if image := engine.images.find(BUSYBOX):
        return image
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tar = root / "root.tar"
        _pack(_static_busybox(root), tar)
        config = ImageConfig(env={"PATH": "/bin"}, command=("sh",))
        return engine.images.load_root(tar, BUSYBOX, config)


def _static_busybox(folder: Path) -> Path:
    download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "busybox-static"]
    if subprocess.run(download, cwd=folder, capture_output=True, timeout=120).returncode != 0:
        subprocess.run(["apt-get", "update"], check=True, capture_output=True, timeout=300)
        subprocess.run(download, cwd=folder, check=True, capture_output=True, timeout=120)
    package = next(folder.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, folder / "x"], check=True, timeout=60)
    return next(path for path in (folder / "x").rglob("busybox") if os.access(path, os.X_OK))


def _pack(program: Path, target: Path) -> None:
    listing = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    with tarfile.open(target, "w") as tar:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("www", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        tar.add(program, "bin/busybox")
        for applet in listing.stdout.split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(link)
