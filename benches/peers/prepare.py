"""Makes the JPEGs to measure from photos that show one face each.

    python prepare.py FOLDER PHOTO...

For each photo, baseline unless noted, 4:2:0:

    NAME-1280.jpg         1280×960, as chats recompress photos
    NAME-1280-prog.jpg    the same pixels, progressive
    NAME-12mp.jpg         4000×3000, as phones take them

Photos are first centre-cropped to 4:3, the aspect ratio of a phone's sensor, and get a sensor's fine
noise: without it an enlarged photo has no high frequencies, which would make its file smaller and its
decoding cheaper than those of a real photo.
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageOps

# Longer side, quality, noise in grey levels, and whether progressive, chosen so that the files are as
# large as those of phones and chats: about 140 KB, and 1 to 3 MB.
KINDS = {
    "1280": (1280, 85, 1.0, False),
    "1280-prog": (1280, 85, 1.0, True),
    "12mp": (4000, 85, 2.0, False),
}


def main(folder, *photos):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        picture = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
        for kind, (longer, quality, deviation, progressive) in KINDS.items():
            size = (longer, longer * 3 // 4) if picture.width > picture.height else (longer * 3 // 4, longer)
            pixels = np.asarray(ImageOps.fit(picture, size, Image.Resampling.LANCZOS), dtype=np.float32)
            # The same in every run, and equal in all channels, since most of a sensor's noise is luma noise.
            noise = np.random.default_rng(1).standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
            pixels = np.clip(pixels + deviation * noise + 0.5, 0, 255).astype(np.uint8)
            target = folder / f"{pathlib.Path(photo).stem}-{kind}.jpg"
            Image.fromarray(pixels).save(target, quality=quality, subsampling="4:2:0", progressive=progressive)
            print(f"{target.name}: {size[0]}×{size[1]}, {target.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main(*sys.argv[1:])
