"""Makes the sample faces of the page "How it works": each the average of sixteen crops of UTKFace that resemble one
another, on a plain background, so that none shows a real person.

Needs numpy and Pillow. Usage: average_faces.py data/utkface/train src/platform/web/learn
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CROP = 200  # UTKFace's crops, pixels
PICTURE = 320
CANDIDATES = 500
AVERAGED = 16
BACKGROUND = np.array([150, 148, 146])
# File name, first and last age, gender as in UTKFace's file names.
SAMPLES = [("girl", 6, 9, 1), ("woman", 26, 31, 1), ("man", 33, 38, 0), ("elder", 66, 74, 0)]


def load(path):
    return np.asarray(Image.open(path).convert("RGB").resize((CROP, CROP)), dtype=np.float32)


def likeness(crop):
    """The face's middle in grey, reduced, with mean 0 and deviation 1."""
    grey = crop[45:165, 40:160].mean(2)[::3, ::3]
    return ((grey - grey.mean()) / (grey.std() + 1e-3)).ravel()


def average(paths):
    """The mean of the crops nearest to their own mean, which is sharper than that of all."""
    crops = [load(path) for path in paths]
    features = np.array([likeness(crop) for crop in crops])
    mean = features.mean(0)
    for _ in range(4):
        distance = ((features - mean) ** 2).sum(1)
        mean = features[np.argsort(distance)[:40]].mean(0)
    chosen = np.argsort(distance)[:AVERAGED]
    face = np.mean([crops[index] * (118 / crops[index].mean()) for index in chosen], axis=0)
    return np.clip(face, 0, 255).astype(np.uint8).astype(np.float32)


def smooth(share):
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def framed(face):
    """The face in the middle of a larger plain picture, with soft edges."""
    margin = (PICTURE - CROP) // 2
    y, x = np.mgrid[0:PICTURE, 0:PICTURE] - (PICTURE - 1) / 2
    square = smooth((114 - np.maximum(np.abs(x), np.abs(y))) / 14)
    oval = smooth((1.3 - np.hypot(x / 118, y / 128)) / 0.2)
    inside = (square * oval)[..., None]
    edges = [face[:12], face[:, :12], face[:, -12:]]
    edge = np.concatenate([part.reshape(-1, 3) for part in edges]).mean(0)
    background = np.ones((PICTURE, PICTURE, 3)) * (0.35 * edge + 0.65 * BACKGROUND)
    background *= (1.04 - 0.12 * np.mgrid[0:PICTURE, 0:PICTURE][0] / PICTURE)[..., None]
    padded = np.pad(face, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    picture = padded * inside + background * (1 - inside)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def main(folder, out):
    random = np.random.default_rng(1)
    names = sorted(path.name for path in folder.iterdir())
    for sample, first, last, gender in SAMPLES:
        matching = [name for name in names
                    if first <= int(name.split("_")[0]) <= last and name.split("_")[1] == str(gender)]
        random.shuffle(matching)
        face = average([folder / name for name in matching[:CANDIDATES]])
        framed(face).save(out / f"{sample}.jpg", quality=84, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
