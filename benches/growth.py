"""Plots how the time per photo grows with its number of faces and of pixels.

    pip install pillow matplotlib
    python benches/growth.py target/release/faceguesser docs/growth.png

The photos are made from the bundled mean face on grey with a little noise: 1 to 32 faces in 2400×1800 pixels,
and one face, a third of the photo's height, in 0.1 to 49 megapixels. `faceguesser bench` measures them on one thread.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FACE = Path(__file__).parent.parent / "models" / "mean-face.jpg"
COUNTS = [1, 2, 4, 8, 16, 24, 32]
MEGAPIXELS = [0.1, 0.3, 1, 2, 4, 8, 12, 24, 49]


def picture(width, height, faces, side):
    """A grid of `faces` bundled faces of `side` pixels on noisy grey."""
    photo = Image.effect_noise((width, height), 12).convert("RGB")
    face = Image.open(FACE).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    columns = min(faces, width // side)
    for at in range(faces):
        step = width // columns
        photo.paste(face, (at % columns * step + (step - side) // 2, at // columns * side + (height // 3 if faces == 1 else 0)))
    return photo


def measure(program, photos):
    command = ["taskset", "-c", "0", program, "bench", "--json", "--threads", "1", "--seconds", "1", *photos]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for photo in report["photos"]:
        print(photo["width"], photo["height"], photo["faces"], {k: round(v["median"], 2) for k, v in photo["milliseconds"].items()})
    return report["photos"]


def plot_stages(axes, x, photos, label):
    """Stacked times of the stages."""
    stages = ["decode", "find", "cut", "estimate"]
    axes.stackplot(x, [[photo["milliseconds"][stage]["median"] for photo in photos] for stage in stages], labels=stages)
    axes.set_xlabel(label)
    axes.set_ylabel("milliseconds, one thread")
    axes.set_xlim(min(x), max(x))
    axes.set_ylim(0)
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)


def main(program, target):
    with tempfile.TemporaryDirectory() as folder:
        crowds, sizes = [], []
        for count in COUNTS:
            crowds.append(f"{folder}/faces{count}.jpg")
            picture(2400, 1800, count, 400 if count == 1 else 280).save(crowds[-1], quality=85)
        for megapixels in MEGAPIXELS:
            height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
            sizes.append(f"{folder}/size{megapixels}.jpg")
            picture(height * 4 // 3, height, 1, height // 3).save(sizes[-1], quality=85)
        photos = measure(program, crowds + sizes)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    plot_stages(left, [photo["faces"] for photo in photos[: len(crowds)]], photos[: len(crowds)], "faces found in 2400×1800 pixels")
    plot_stages(right, [photo["width"] * photo["height"] / 1e6 for photo in photos[len(crowds) :]], photos[len(crowds) :], "megapixels, one face")
    figure.tight_layout()
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
