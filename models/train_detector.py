"""Trains models/detector.safetensors on one GPU, from random weights, in a fixed time.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_detector.py --data DIR --out OUT --seconds 550

DIR/pictures.bin contains encoded pictures one after the other. DIR/labels.json.gz lists them: `scenes`, `smiles`, `crops` and
`negatives` for training, `val` and `nobody_val` for validation. The fields of an entry:

    at      offset and length in bytes
    faces   rows of sixteen numbers: centre x and y, width, height; x and y of five landmarks (right eye, left eye, nose, right
            and left corner of the mouth); weight of the landmarks, 0 to 1; 1 for a face, 0 for a region to ignore
    hard    of a scene: x, y and side of places that look like faces but are not
    kind, alpha   of a negative: what it shows, and whether it has an alpha channel
    boxes   of `val`: left, top, width, height

models/MODEL_CARD.md names the sources. Worker processes make recipes (which picture goes where, how rotated, in which light); the
GPU renders them. The target of a cell's score is the IoU of its box (varifocal loss, Zhang et al. 2021); cells are assigned to
faces by score and IoU (Feng et al. 2021).
"""
import argparse, copy, gzip, json, math, os, queue, sys, time, traceback
import multiprocessing as mp
import numpy as np

START = time.time()
# Longest side of the pictures in atlas 0 (scenes and negatives) and atlas 1 (smiles and crops).
ATLAS_SIDES = (512, 200)
ATLAS_OF = dict(scenes=0, negatives=0, smiles=1, crops=1)
# Most faces, ignored regions and occluders per picture.
MAX_FACES, MAX_IGNORED, MAX_OCCLUDERS = 32, 24, 3
STRIDES = (8, 16, 32, 64)
# Sizes of faces (square root of the area, pixels) for which each level may be responsible.
RANGES = ((0, 72), (20, 160), (56, 360), (150, 1e9))
WIDTHS = dict(stem=32, mix2=32, w3=48, w4=80, w5=96, w6=64)
# Exponent of a layer's mask that stands for a rectangle, and a mask that covers everything.
RECTANGLE = 40
EVERYTHING = [0, 0, 1e6, 1e6, RECTANGLE, 1.0]


def log(*what):
    print(f"[{time.time() - START:6.1f}]", *what, flush=True)


# ---------------------------------------------------------------- reading pictures

def mipmaps(picture, side):
    """A sheet of side × 1.5 side with a picture at (0, 0), and at 1/2 at (side, 0), 1/4 at (side, side/2) and 1/8 right of that."""
    import cv2
    sheet = np.full((side, side * 3 // 2), 128, np.uint8)
    for x, y in ((0, 0), (side, 0), (side, side // 2), (side + side // 4, side // 2)):
        h, w = picture.shape
        sheet[y : y + h, x : x + w] = picture
        picture = cv2.resize(picture, (max(1, w // 2), max(1, h // 2)), interpolation=cv2.INTER_AREA)
    return sheet


def encoded(path, place):
    with open(path, "rb") as file:
        file.seek(place[0])
        return np.frombuffer(file.read(place[1]), np.uint8)


def read_training_picture(job):
    """Mipmaps of the picture, its width and height, and mipmaps of its alpha channel or None; None if it cannot be used."""
    import cv2
    cv2.setNumThreads(1)
    path, place, side, alpha = job
    try:
        picture = cv2.imdecode(encoded(path, place), cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_GRAYSCALE)
        mask = None
        if alpha:
            has_alpha = picture.ndim == 3 and picture.shape[2] == 4
            mask = picture[:, :, 3] if has_alpha else np.full(picture.shape[:2], 255, np.uint8)
            picture = cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
        if max(picture.shape) > side:
            return None
        return mipmaps(picture, side), picture.shape[::-1], None if mask is None else mipmaps(mask, side)
    except Exception as error:
        print("cannot read", place, error, flush=True)
        return None


def read_validation_picture(job):
    """The picture scaled to a longer side of `side` on a grey square, and the scale."""
    import cv2
    cv2.setNumThreads(1)
    path, place, side = job
    picture = cv2.imdecode(encoded(path, place), cv2.IMREAD_GRAYSCALE)
    scale = side / max(picture.shape)
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = picture[:side, :side]
    square = np.full((side, side), 128, np.uint8)
    square[: picture.shape[0], : picture.shape[1]] = picture
    return square, scale


def read_data(folder, smoke):
    """Training sources by kind, an atlas of their pictures for each of ATLAS_SIDES, and the validation pictures with and without
    faces, the former with their boxes."""
    with gzip.open(os.path.join(folder, "labels.json.gz"), "rt") as file:
        listing = json.load(file)
    blob = os.path.join(folder, "pictures.bin")
    sets, jobs = {kind: [] for kind in ("scenes", "smiles", "crops", "negatives")}, ([], [])
    for kind, atlas in ATLAS_OF.items():
        for entry in listing[kind][::40] if smoke else listing[kind]:
            faces = np.array(entry.get("faces", []), np.float32).reshape(-1, 16)
            sets[kind].append(dict(atlas=atlas, kind=entry.get("kind"), faces=faces, hard=entry.get("hard", []), slot=len(jobs[atlas])))
            jobs[atlas].append((blob, entry["at"], ATLAS_SIDES[atlas], bool(entry.get("alpha"))))
    side = 320 if smoke else 640
    val, nobody = listing["val"], listing["nobody_val"]
    val, nobody = (val[::20], nobody[::8]) if smoke else (val, nobody)
    atlases = []
    with mp.get_context("fork").Pool(min(16, os.cpu_count() or 1)) as pool:
        validation = []
        for entries in (val, nobody):
            read = pool.map(read_validation_picture, [(blob, entry["at"], side) for entry in entries], 8)
            validation.append(dict(pictures=np.stack([square for square, _ in read]), scales=[scale for _, scale in read], side=side))
        for atlas in range(len(ATLAS_SIDES)):
            read = pool.map(read_training_picture, jobs[atlas], 16)
            usable = [slot for slot, picture in enumerate(read) if picture is not None]
            masked = [slot for slot in usable if read[slot][2] is not None]
            # The masks follow the pictures.
            index = {slot: at for at, slot in enumerate(usable)}
            alpha = {slot: len(usable) + at for at, slot in enumerate(masked)}
            sheets = [read[slot][0] for slot in usable] + [read[slot][2] for slot in masked]
            sizes = [read[slot][1] for slot in usable + masked]
            atlases.append(dict(pixels=np.stack(sheets), sizes=np.array(sizes, np.float32)))
            for source in (source for kind in sets for source in sets[kind] if source["atlas"] == atlas):
                slot = source.pop("slot")
                source["idx"] = index.get(slot)
                if slot in index:
                    source["w"], source["h"] = sizes[source["idx"]]
                if slot in alpha:
                    source["alpha"] = alpha[slot]
    sets = {kind: [source for source in sources if source["idx"] is not None] for kind, sources in sets.items()}
    sets["smiles"] = [source for source in sets["smiles"] if (source["faces"][:, 15] > 0).any()]
    for source in sets["smiles"]:  # the main face first
        faces = source["faces"]
        source["faces"] = faces[np.argsort(-faces[:, 15] * faces[:, 2] * faces[:, 3])]
    boxes = [np.array([[x, y, x + w, y + h] for x, y, w, h in entry["boxes"]], np.float32).reshape(-1, 4) for entry in val]
    log("read", {kind: len(sources) for kind, sources in sets.items()}, [a["pixels"].shape for a in atlases], "val", len(val), len(nobody))
    return sets, atlases, validation, boxes


# ---------------------------------------------------------------- recipes

def face_size(face):
    return math.sqrt(face[2] * face[3])


def with_landmarks(source):
    """The faces whose landmarks are labelled."""
    faces = source["faces"]
    return faces[faces[:, 15] * faces[:, 14] > 0]


class Composition:
    """The layers of one picture, and the faces that they show."""

    def __init__(self, W, H):
        self.W, self.H, self.layers, self.faces = W, H, [], []

    def add(self, layer, faces=(), rect=None):
        """Adds a layer and its faces inside `rect`; tiny faces and those mostly outside are marked to be ignored."""
        self.layers.append(layer)
        if not len(faces):
            return
        centre, half = faces[:, :2].T, faces[:, 2:4].T / 2
        low, high = np.array([max(0, rect[0]), max(0, rect[1])]), np.array([min(self.W, rect[2]), min(self.H, rect[3])])
        sides = np.clip(np.minimum(centre + half, high[:, None]) - np.maximum(centre - half, low[:, None]), 0, None)
        shown = sides.prod(0) / np.maximum(faces[:, 2] * faces[:, 3], 1e-6)
        points = faces[:, 4:14].reshape(-1, 5, 2)
        shown_landmarks = ((points > low) & (points < high)).all(2).mean(1)
        for face, share, landmarks in zip(faces, shown, shown_landmarks):
            if share < 0.12:
                continue
            face = face.copy()
            if face_size(face) < 10.5 or share < 0.45 or (face[14] > 0 and landmarks < 0.5 and share < 0.75):
                face[15] = 0
            self.faces.append(face)


class RecipeMaker:
    """Random recipes for batches of pictures: what is drawn where, and the faces in the result."""

    def __init__(self, sets, seed, seconds):
        self.rng, self.seconds = np.random.default_rng(seed), seconds
        self.scenes, self.smiles, self.crops, self.negatives = (sets[kind] for kind in ("scenes", "smiles", "crops", "negatives"))
        self.animals = [source for source in self.negatives if source["kind"] in ("animal", "stamp")]
        self.places = [source for source in self.negatives if source["kind"] not in ("animal", "stamp")]
        self.single = [source for source in self.smiles if len(source["faces"]) == 1] or self.smiles
        # Places in scenes that a teacher took for a face, but that are none.
        self.hard = [(source, spot) for source in self.scenes for spot in source.get("hard", [])]

    # ---- random choices

    def pick(self, items):
        return items[self.rng.integers(len(items))]

    def chance(self, probability):
        return self.rng.random() < probability

    def log_uniform(self, low, high):
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def roll(self, upright=0.78):
        """An angle: nearly upright with this probability, else moderate, near a multiple of 90°, or any."""
        r, rng = self.rng.random(), self.rng
        if r < upright:
            return rng.normal(0, 0.12)
        if r < upright + (1 - upright) * 0.5:
            return rng.uniform(-0.9, 0.9)
        if r < upright + (1 - upright) * 0.8:
            return rng.choice([-1, 1, 2]) * math.pi / 2 + rng.normal(0, 0.1)
        return rng.uniform(-math.pi, math.pi)

    def tone(self, probability=0.4):
        """Contrast and brightness of a layer."""
        return (self.rng.uniform(0.5, 1.25), self.rng.normal(0, 22)) if self.chance(probability) else (1, 0)

    def point(self, W, H):
        return self.rng.uniform(0, W), self.rng.uniform(0, H)

    def near_centre(self, W, H, spread):
        return W / 2 + self.rng.normal(0, spread * W), H / 2 + self.rng.normal(0, spread * H)

    def any_face(self):
        """A source whose first face is a large one."""
        return self.pick(self.crops) if self.chance(0.75) else self.pick(self.single)

    # ---- layers

    def layer(self, source, scale, roll, mirror, pivot, at, mask=None, rect=None, tone=(1, 0)):
        """Draws `source` scaled, rotated and perhaps mirrored, with its point `pivot` at `at`, inside `mask` (of the source) and
        `rect` (of the picture). Returns the layer, its transformed faces and `rect`."""
        c, s = math.cos(roll) * scale, math.sin(roll) * scale
        m = -1.0 if mirror else 1.0
        forward = np.array([[c * m, -s], [s * m, c]])
        back = np.linalg.inv(forward)
        offset = np.array(pivot) - back @ np.array(at)
        matrix = [back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]]
        level = 0 if scale > 0.7 else 1 if scale > 0.35 else 2 if scale > 0.17 else 3
        if mask is None:
            mask = self.rectangle(source["w"] / 2, source["h"] / 2, source["w"] / 2, source["h"] / 2, max(1e-3, 1.0 / (max(source["w"], source["h"]) * scale)))
        rect = rect or [-1e4, -1e4, 1e4, 1e4]
        faces = source["faces"].copy()
        if len(faces):
            move = lambda p: (p - np.array(pivot)) @ forward.T + np.array(at)
            faces[:, :2] = move(source["faces"][:, :2])
            w, h = source["faces"][:, 2] * scale, source["faces"][:, 3] * scale
            cr, sr = math.cos(roll), math.sin(roll)
            faces[:, 2], faces[:, 3] = np.sqrt((w * cr) ** 2 + (h * sr) ** 2), np.sqrt((w * sr) ** 2 + (h * cr) ** 2)
            points = move(source["faces"][:, 4:14].reshape(-1, 2)).reshape(-1, 5, 2)
            if mirror:
                points = points[:, [1, 0, 2, 4, 3]]
            faces[:, 4:14] = points.reshape(-1, 10)
        layer = dict(atlas=source["atlas"], idx=source["idx"], alpha=source.get("alpha", -1), level=level, m=matrix, mask=mask, rect=rect, tone=tone)
        return layer, faces, rect

    @staticmethod
    def rectangle(x, y, half_width, half_height, softness):
        return [x, y, half_width, half_height, RECTANGLE, softness]

    def scene_view(self, source, box, W, H):
        """A scene seen in the rectangle `box` of the picture: whole, small, or centred on a hard place or a face."""
        rng = self.rng
        how = rng.random()
        x0, y0, x1, y1 = box
        width, height, w, h = x1 - x0, y1 - y0, source["w"], source["h"]
        fit = min(width / w, height / h)
        mirror, roll = self.chance(0.5), self.roll()
        faces = with_landmarks(source)
        anywhere = lambda: (rng.uniform(x0, x1), rng.uniform(y0, y1))
        if how < 0.5 or not len(faces):
            scale = fit * self.log_uniform(0.75, 1.35)
            slack = [abs(width - w * scale) / 2, abs(height - h * scale) / 2]
            pivot = (w / 2, h / 2)
            at = (x0 + width * 0.5 + rng.uniform(-1, 1) * slack[0], y0 + height * 0.5 + rng.uniform(-1, 1) * slack[1])
        elif how < 0.62:
            scale = fit * rng.uniform(0.25, 0.75)
            pivot, at = (w / 2, h / 2), anywhere()
        elif how < 0.68 and source.get("hard"):
            spot = self.pick(source["hard"])
            scale = float(np.clip(self.log_uniform(16, 0.6 * min(width, height)) / spot[2], 0.2, 4))
            pivot, at = spot[:2], anywhere()
        else:
            face = self.pick(faces)
            size = self.log_uniform(13, max(20, 0.75 * min(width, height)))
            scale = float(np.clip(size / face_size(face), 0.2, 4))
            pivot, at = face[:2], anywhere()
        rect = None if box == (0, 0, W, H) else list(box)
        return self.layer(source, scale, roll, mirror, pivot, at, rect=rect, tone=self.tone(0.15))

    def background(self, W, H, sources=None):
        """A picture without people that covers everything."""
        rng = self.rng
        source = self.pick(sources or (self.animals if self.chance(0.35) else self.places))
        w, h = source["w"], source["h"]
        scale = max(W / w, H / h) * self.log_uniform(0.9, 2.5 if sources is None else 2.0)
        pivot = (rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h)
        at = self.near_centre(W, H, 0.1)
        roll = rng.normal(0, 0.1) if self.chance(0.8) else rng.uniform(-3.2, 3.2)
        return self.layer(source, scale, roll, self.chance(0.5), pivot, at)[0]

    def face_mask(self, source, scale):
        """The visible part of a pasted face: the whole square, a rounded one, or an ellipse around the head."""
        rng, w, h = self.rng, source["w"], source["h"]
        r = rng.random()
        soft = rng.uniform(0.02, 0.25)
        if r < 0.4:
            return self.rectangle(w / 2, h / 2, w / 2, h / 2, max(0.01, 1.0 / (max(w, h) * scale)))
        if r < 0.6:
            return [w / 2, h / 2, w / 2, h / 2, rng.choice([3.0, 4.0, 8.0]), soft]
        face = source["faces"][0] if len(source["faces"]) else None
        if face is None:
            return [w / 2, h / 2, w * rng.uniform(0.3, 0.5), h * rng.uniform(0.3, 0.5), rng.choice([2.0, 3.0, 8.0]), soft]
        grow = rng.uniform(0.62, 0.95)
        return [face[0], face[1] - 0.06 * face[3], face[2] * grow * rng.uniform(1, 1.25), face[3] * grow * 1.1, 2.0, soft]

    def pasted_face(self, source, size, at, roll):
        face = source["faces"][0]
        scale = size / face_size(face)
        return self.layer(source, scale, roll, self.chance(0.5), face[:2], at, mask=self.face_mask(source, scale), tone=self.tone(0.5))

    def pasted_negative(self, W, H, largest):
        """A part of a picture without people, or all of one with an alpha channel."""
        rng = self.rng
        source = self.pick(self.animals) if self.chance(0.75) else self.pick(self.places)
        w, h = source["w"], source["h"]
        size = self.log_uniform(20, largest)
        if source.get("alpha", -1) >= 0:
            scale = size / max(w, h) * rng.uniform(1, 2.5)
            return self.layer(source, scale, self.roll(), self.chance(0.5), (w / 2, h / 2), self.point(W, H), tone=self.tone(0.5))[0]
        extent = min(w, h) * rng.uniform(0.2, 1)
        pivot = (rng.uniform(extent / 2, w - extent / 2), rng.uniform(extent / 2, h - extent / 2))
        mask = [*pivot, extent / 2 * rng.uniform(0.7, 1), extent / 2, rng.choice([2.0, 2.0, 4.0, RECTANGLE]), rng.uniform(0.02, 0.25)]
        return self.layer(source, size / extent, self.roll(), self.chance(0.5), pivot, self.point(W, H), mask=mask, tone=self.tone(0.5))[0]

    # ---- pictures

    def close_up(self, picture):
        """The window of the second stage: one face, or something that is none, in the centre."""
        W, H = picture.W, picture.H
        r = self.rng.random()
        if self.chance(0.6):
            picture.add(self.background(W, H))
        if r < 0.14:
            picture.add(self.background(W, H, self.animals))
            return
        if r < 0.2 and self.hard:
            scene, spot = self.pick(self.hard)
            scale = min(6, W * self.log_uniform(0.25, 0.9) / spot[2])
            picture.add(*self.layer(scene, scale, self.roll(0.8), self.chance(0.5), spot[:2], self.near_centre(W, H, 0.1)))
            return
        if r < 0.34:
            scene = self.pick(self.scenes)
            faces = with_landmarks(scene)
            if len(faces):
                face = self.pick(faces)
                scale = min(6, W * self.log_uniform(0.28, 0.9) / face_size(face))
                picture.add(*self.layer(scene, scale, self.roll(0.8), self.chance(0.5), face[:2], self.near_centre(W, H, 0.06)))
                return
        source = self.any_face()
        face = source["faces"][0]
        scale = W * self.log_uniform(0.25, 1.0) / face_size(face)
        at = self.near_centre(W, H, 0.07)
        mask = EVERYTHING if self.chance(0.3) else None
        picture.add(*self.layer(source, scale, self.roll(0.75), self.chance(0.5), face[:2], at, mask=mask, tone=self.tone(0.3)))

    def one_scene(self, picture):
        W, H = picture.W, picture.H
        if self.chance(0.4):
            picture.add(self.background(W, H))
        source = self.pick(self.smiles) if self.chance(0.18) else self.pick(self.scenes)
        picture.add(*self.scene_view(source, (0, 0, W, H), W, H))

    def mosaic(self, picture):
        """Four scenes."""
        W, H = picture.W, picture.H
        x, y = W * self.rng.uniform(0.35, 0.65), H * self.rng.uniform(0.35, 0.65)
        if self.chance(0.3):
            picture.add(self.background(W, H))
        for box in ((0, 0, x, y), (x, 0, W, y), (0, y, x, H), (x, y, W, H)):
            sources = self.smiles if self.chance(0.3) else self.negatives if self.chance(0.12) else self.scenes
            picture.add(*self.scene_view(self.pick(sources), box, W, H))

    def crowd(self, picture):
        """Up to eight faces of similar size, pasted onto a grid."""
        W, H, rng = picture.W, picture.H, self.rng
        if self.chance(0.9):
            picture.add(self.background(W, H))
        for _ in range(rng.integers(0, 3)):
            picture.add(self.pasted_negative(W, H, 250))
        count = 1 if self.chance(0.3) else int(rng.integers(2, 9))
        columns = int(math.ceil(math.sqrt(count * W / H)))
        rows = int(math.ceil(count / columns))
        places = rng.permutation(columns * rows)[:count]
        width, height = W / columns, H / rows
        usual = self.log_uniform(13, 1.1 * min(width, height))
        tilt = self.roll()
        for place in places:
            size = float(np.clip(usual * math.exp(rng.normal(0, 0.3)), 11, 1.2 * min(width, height)))
            slack_x, slack_y = max(0, width - 1.25 * size) / 2, max(0, height - 1.25 * size) / 2
            at = ((place % columns + 0.5) * width + rng.uniform(-1, 1) * slack_x, (place // columns + 0.5) * height + rng.uniform(-1, 1) * slack_y)
            source = self.any_face()
            picture.add(*self.pasted_face(source, size, at, tilt + rng.normal(0, 0.15) if self.chance(0.7) else self.roll(0.3)))

    def portrait(self, picture):
        """One large face, perhaps larger than the picture."""
        W, H = picture.W, picture.H
        if self.chance(0.5):
            picture.add(self.background(W, H))
        size = min(W, H) * self.log_uniform(0.4, 1.7)
        source = self.pick(self.scenes) if self.chance(0.35) else self.any_face()
        faces = with_landmarks(source)
        if not len(faces):
            source = self.pick(self.smiles)
            faces = source["faces"]
        face = faces[np.argmax(faces[:, 2] * faces[:, 3])]
        at = (W * self.rng.uniform(0.3, 0.7), H * self.rng.uniform(0.3, 0.7))
        mask = EVERYTHING if self.chance(0.35) else None
        picture.add(*self.layer(source, min(size / face_size(face), 8), self.roll(0.8), self.chance(0.5), face[:2], at, mask=mask, tone=self.tone(0.2)))

    def nobody(self, picture):
        W, H, r = picture.W, picture.H, self.rng.random()
        if r < 0.75:
            picture.add(self.background(W, H, self.animals if self.chance(0.65) else self.places))
        if r > 0.6:
            for _ in range(self.rng.integers(1, 6)):
                picture.add(self.pasted_negative(W, H, 420))

    def picture(self, W, H, close_up, late):
        picture = Composition(W, H)
        if close_up:
            self.close_up(picture)
            return picture
        r = self.rng.random()
        shares = ((0.50, self.one_scene), (0.58, self.mosaic)) if late else ((0.42, self.one_scene), (0.52, self.mosaic))
        shares += ((0.72, self.crowd), (0.80, self.portrait), (1, self.nobody))
        next(draw for share, draw in shares if r < share)(picture)
        return picture

    def occluder(self, face):
        """Centre, half sides, angle and grey level plus one of a mask, a hand or a bar in front of a face."""
        rng = self.rng
        angle = 0.0
        if face[14] > 0:
            eyes = face[6:8] - face[4:6]
            angle = math.atan2(eyes[1], eyes[0])
        right, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        size, centre = face_size(face), face[:2]
        grey = rng.integers(0, 256)
        r = rng.random()
        if r < 0.4:  # the lower half
            c, half = centre + down * size * (rng.uniform(0.0, 0.12) + 0.35), (0.6 * size, 0.35 * size)
        elif r < 0.6:  # one side
            c, half = centre + right * size * rng.choice([-1, 1]) * (rng.uniform(0.0, 0.15) + 0.35), (0.35 * size, 0.8 * size)
        elif r < 0.72:  # the eyes
            c, half = centre - down * size * 0.17, (0.5 * size, rng.uniform(0.06, 0.13) * size)
        else:
            c, half = centre + rng.uniform(-0.45, 0.45, 2) * size, rng.uniform(0.1, 0.28, 2) * size
            angle += rng.normal(0, 0.5)
        return [*c, *half, angle, grey + 1]

    def batch(self, B, W, H, close_up=False):
        """A recipe for B pictures: the layers as arrays (`ops`), boxes with landmarks (`pos`), regions to ignore (`ign`),
        occluders (`hide`) and light."""
        rng = self.rng
        late = (time.time() - START) / self.seconds > 0.8
        stacks = []
        pos, ign = np.zeros((B, MAX_FACES, 16), np.float32), np.zeros((B, MAX_IGNORED, 4), np.float32)
        hide = np.zeros((B, MAX_OCCLUDERS, 6), np.float32)
        for b in range(B):
            picture = Composition(W, H)
            for _ in range(3):
                try:
                    picture = self.picture(W, H, close_up, late)
                    break
                except Exception:
                    pass
            stacks.append(picture.layers)
            faces = sorted((face for face in picture.faces if face[15] > 0), key=lambda face: -face[2] * face[3])
            ignored = [face for face in picture.faces if face[15] <= 0] + faces[MAX_FACES:]
            occluders = 0
            for n, face in enumerate(faces[:MAX_FACES]):
                if occluders < MAX_OCCLUDERS and face[2] > 26 and self.chance(0.22 if len(faces) < 4 else 0.08):
                    hide[b, occluders] = self.occluder(face)
                    occluders += 1
                pos[b, n] = face
            for n, face in enumerate(ignored[:MAX_IGNORED]):
                ign[b, n] = face[0] - face[2] * 0.6, face[1] - face[3] * 0.6, face[0] + face[2] * 0.6, face[1] + face[3] * 0.6
        # Centre and size to corners.
        boxes = pos[:, :, :4].copy()
        pos[:, :, 0:2], pos[:, :, 2:4] = boxes[:, :, :2] - boxes[:, :, 2:] / 2, boxes[:, :, :2] + boxes[:, :, 2:] / 2
        # The layers of one depth and atlas are drawn together.
        ops = []
        for depth in range(max(map(len, stacks))):
            for atlas in range(len(ATLAS_SIDES)):
                rows = [b for b, stack in enumerate(stacks) if len(stack) > depth and stack[depth]["atlas"] == atlas]
                if rows:
                    layers = [stacks[b][depth] for b in rows]
                    integers = [np.array([layer[key] for layer in layers]) for key in ("idx", "level", "alpha")]
                    floats = [np.array([layer[key] for layer in layers], np.float32) for key in ("m", "mask", "rect", "tone")]
                    ops.append((atlas, np.array(rows), *integers, *floats))
        return dict(B=B, W=W, H=H, ops=ops, pos=pos, ign=ign, hide=hide, light=self.light(B, close_up, 0.5 if late else 1.0))

    def light(self, B, close_up, strength):
        """Background and degradations of each picture; `strength` scales the probability of most."""
        rng = self.rng
        some = lambda share: rng.random(B) < share * strength
        light = dict(
            fill=np.where(rng.random(B) < 0.6, rng.choice([0, 128, 128, 255], B), rng.integers(0, 256, B)),
            speckle=np.where(rng.random(B) < 0.15, rng.uniform(5, 60, B), 0),
            gamma=np.where(some(0.45), np.exp(rng.normal(0, 0.4, B)), 1),
            gain=np.where(some(0.17), rng.uniform(0.12, 1, B), 1),
            contrast=np.where(some(0.16), rng.uniform(0.3, 1.35, B), 1),
            bias=np.where(some(0.14), rng.normal(0, 25, B), 0),
            # Strength, direction and offset of a gradient.
            shade=np.stack([np.where(some(0.2), rng.uniform(0, 0.85, B), 0), rng.uniform(-math.pi, math.pi, B), rng.uniform(0.1, 0.9, B)], 1),
            blur=np.where(some(0.28), rng.uniform(0.4, 3.0 if close_up else 2.2, B), 0),
            sharp=np.where(rng.random(B) < 0.15, rng.uniform(0.3, 1.2, B), 0),
            low=some(0.14), low_factor=float(rng.choice([2, 2, 3, 4])),
            noise=np.where(some(0.28), rng.uniform(1, 14, B), 0),
            jpeg=np.where(some(0.35), rng.uniform(15, 90, B), 0),
        )
        is_number = lambda value: isinstance(value, np.ndarray) and value.dtype != bool
        return {key: value.astype(np.float32) if is_number(value) else value for key, value in light.items()}


SHAPES = ((640, 448), (448, 640), (576, 576))


def make_recipes(sets, seed, seconds, smoke, out, stop):
    """A worker process: puts recipes into the queue `out` until `stop`; every fourth is of close-ups."""
    try:
        os.nice(3)
        maker, at = RecipeMaker(sets, seed, seconds), seed
        while not stop.is_set():
            at += 1
            if at % 4 == 0:
                recipe = maker.batch(8 if smoke else 160, 160, 160, True)
            else:
                recipe = maker.batch(4, *((320, 224), (224, 320))[at % 2]) if smoke else maker.batch(48, *SHAPES[at % 3])
            while not stop.is_set():
                try:
                    out.put(recipe, timeout=1)
                    break
                except queue.Full:
                    pass
    except Exception:
        traceback.print_exc()


# ---------------------------------------------------------------- the network

def network():
    """The detector, and the class of its convolution units."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Unit(nn.Module):
        """Convolution, batch norm, optional residual, ReLU."""

        def __init__(self, channels, out, kernel=3, stride=1):
            super().__init__()
            self.convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
            self.norm = nn.BatchNorm2d(out, momentum=0.03)
            nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out" if kernel == 1 else "fan_in", nonlinearity="relu")

        def forward(self, x, residual=None):
            x = self.norm(self.convolution(x))
            return F.relu(x if residual is None else x + residual)

        def folded(self):
            """Weight and bias of the convolution with the batch norm folded in."""
            scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
            return self.convolution.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            w = WIDTHS
            self.stem, self.mix2 = Unit(1, w["stem"], 7, 4), Unit(w["stem"], w["mix2"])
            self.down3, self.a3, self.b3 = Unit(w["mix2"], w["w3"], stride=2), Unit(w["w3"], w["w3"]), Unit(w["w3"], w["w3"])
            self.down4 = Unit(w["w3"], w["w4"], stride=2)
            self.a4, self.b4, self.c4, self.d4 = (Unit(w["w4"], w["w4"]) for _ in range(4))
            self.down5, self.a5, self.b5 = Unit(w["w4"], w["w5"], stride=2), Unit(w["w5"], w["w5"]), Unit(w["w5"], w["w5"])
            self.down6, self.a6, self.b6 = Unit(w["w5"], w["w6"], stride=2), Unit(w["w6"], w["w6"]), Unit(w["w6"], w["w6"])
            self.up6, self.mix5 = Unit(w["w6"], w["w5"], 1), Unit(w["w5"], w["w5"])
            self.up5, self.mix4 = Unit(w["w5"], w["w4"], 1), Unit(w["w4"], w["w4"])
            self.up4, self.mix3 = Unit(w["w4"], w["w3"], 1), Unit(w["w3"], w["w3"])
            for level in (3, 4, 5, 6):
                out = nn.Conv2d(w[f"w{level}"], 16, 1)
                nn.init.normal_(out.weight, std=0.01)
                # Score; log of the distances to left, top, right and bottom, in strides; landmarks, in strides. The last
                # channel is unused: sixteen columns are twice as fast as fifteen.
                out.bias.data[:] = torch.tensor([-4.6] + [0.7] * 4 + [-0.6, -0.7, 0.6, -0.7, 0, 0, -0.5, 0.7, 0.5, 0.7, 0])
                setattr(self, f"out{level}", out)
            for unit in (self.b3, self.b4, self.d4, self.b5, self.b6):
                nn.init.constant_(unit.norm.weight, 0.5)

        def forward(self, x):
            """(batch, 1, height, width) → (batch, cells of all levels, 16)."""
            doubled = lambda x, like: F.interpolate(x, scale_factor=2)[:, :, : like.shape[2], : like.shape[3]]
            x = self.down3(self.mix2(self.stem(x)))
            third = self.b3(self.a3(x), x)
            x = self.down4(third)
            x = self.b4(self.a4(x), x)
            fourth = self.d4(self.c4(x), x)
            x = self.down5(fourth)
            fifth = self.b5(self.a5(x), x)
            x = self.down6(fifth)
            sixth = self.b6(self.a6(x), x)
            fifth = self.mix5(fifth + doubled(self.up6(sixth), fifth))
            fourth = self.mix4(fourth + doubled(self.up5(fifth), fourth))
            third = self.mix3(third + doubled(self.up4(fourth), third))
            outs = self.out3(third), self.out4(fourth), self.out5(fifth), self.out6(sixth)
            return torch.cat([out.flatten(2).transpose(1, 2) for out in outs], 1)

    return Detector(), Unit


def export(net, unit, path):
    """Writes the weights with folded batch norm in half precision, kernels as (height, width, in, out)."""
    from safetensors.numpy import save_file
    tensors = {}
    for name, module in net.named_children():
        weight, bias = module.folded() if isinstance(module, unit) else (module.weight, module.bias)
        tensors[f"{name}.weight"] = weight.detach().float().cpu().permute(2, 3, 1, 0).contiguous().numpy().astype(np.float16)
        tensors[f"{name}.bias"] = bias.detach().float().cpu().numpy().astype(np.float16)
    save_file(tensors, path + ".part")
    os.replace(path + ".part", path)


def cells(H, W, device):
    """Centres and strides of all cells, level by level."""
    import torch
    centres, strides = [], []
    for stride in STRIDES:
        h, w = H, W
        for _ in range(int(math.log2(stride))):
            h, w = (h + 1) // 2, (w + 1) // 2
        y, x = torch.meshgrid(torch.arange(h, device=device) + 0.5, torch.arange(w, device=device) + 0.5, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 2) * stride)
        strides.append(torch.full((h * w,), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def decode(out, centres, strides):
    """Boxes (corners) and landmarks of all cells, in pixels."""
    import torch
    distances = torch.exp(out[..., 1:5].clamp(-5, 4)) * strides[:, None]
    boxes = torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], -1)
    landmarks = centres.repeat(1, 5) + out[..., 5:15] * strides[:, None]
    return boxes, landmarks


# ---------------------------------------------------------------- losses

def grid_of(H, W, device):
    """What the losses need for pictures of one size: cells, the smallest and largest face of each, the last pixel."""
    import torch
    centres, strides = cells(H, W, device)
    low, high = torch.empty_like(strides), torch.empty_like(strides)
    for stride, (a, b) in zip(STRIDES, RANGES):
        low[strides == stride], high[strides == stride] = a, b
    return centres, strides, low, high, torch.tensor([W - 1.0, H - 1.0], device=device)


def area(boxes):
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def intersection(a, b):
    import torch
    return (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)


def assign(out, boxes, grid, pos, ign):
    """For each cell: the index of the face that it is responsible for, whether it has one, the target of its score, whether it
    is ignored, and its IoU with its face."""
    import torch
    centres, strides, low, high, limit = grid
    truth = pos[..., :4]
    wh = (truth[..., 2:] - truth[..., :2]).clamp(min=1e-3)
    truth_area = wh[..., 0] * wh[..., 1]
    overlap = intersection(boxes[:, None], truth[:, :, None])
    iou = overlap / (truth_area[:, :, None] + area(boxes)[:, None] - overlap + 1e-6)
    centre = torch.minimum(((truth[..., :2] + truth[..., 2:]) / 2).clamp(min=1.0), limit)
    distance = (centres[None, None] - centre[:, :, None]).abs()
    near = (distance <= torch.maximum(0.3 * wh[:, :, None], 0.76 * strides[None, None, :, None])).all(-1)
    size = truth_area.sqrt()[:, :, None]
    candidate = near & (size >= low) & (size < high) & (pos[..., 15] > 0)[:, :, None]
    metric = (out[..., 0].sigmoid()[:, None].clamp(1e-4).pow(0.5) * (iou + 1e-3).pow(4)) * candidate
    best, at = metric.topk(9, dim=-1)
    chosen = torch.zeros_like(candidate).scatter_(2, at, best > 0)
    # A cell chosen for two faces goes to the one with the higher IoU.
    owner = (iou * chosen).argmax(1)
    chosen &= owner[:, None] == torch.arange(pos.shape[1], device=out.device)[None, :, None]
    metric, iou = metric * chosen, iou * chosen
    quality = metric / metric.amax(-1, keepdim=True).clamp(min=1e-12) * iou.amax(-1, keepdim=True)
    inside = ((centres[None, None] >= ign[:, :, None, :2]) & (centres[None, None] <= ign[:, :, None, 2:])).all(-1).any(1)
    return owner, chosen.any(1), quality.amax(1), inside, iou.amax(1)


def losses(out, grid, pos, ign):
    """Losses of scores, boxes (GIoU) and landmarks (smooth L1), and the mean IoU of the assigned cells."""
    import torch
    from torch.nn import functional as F
    out = out.float()
    boxes, landmarks = decode(out, *grid[:2])
    with torch.no_grad():
        owner, assigned, target, ignored, iou = assign(out, boxes, grid, pos, ign)
        total = target.sum().clamp(min=1)
        face = pos.gather(1, owner[..., None].expand(-1, -1, 16))
    logit = out[..., 0]
    weight = torch.where(assigned, target, 0.75 * logit.detach().sigmoid().pow(2) * (~ignored))
    score = (F.binary_cross_entropy_with_logits(logit, target, reduction="none") * weight).sum() / total
    weight = torch.where(assigned, target.clamp(min=0.05), 0)
    truth = face[..., :4]
    overlap, truth_area = intersection(boxes, truth), area(truth)
    union = area(boxes) + truth_area - overlap + 1e-6
    hull = (torch.maximum(boxes[..., 2:], truth[..., 2:]) - torch.minimum(boxes[..., :2], truth[..., :2])).prod(-1) + 1e-6
    giou = overlap / union - (hull - union) / hull
    box = ((1 - giou) * weight).sum() / total
    error = (landmarks - face[..., 4:14]).abs() / truth_area.clamp(min=1).sqrt()[..., None]
    error = torch.where(error < 0.02, error * error / 0.04, error - 0.01)
    landmark = (error.mean(-1) * weight * face[..., 14]).sum() / (weight * face[..., 14]).sum().clamp(min=1)
    return score, box, landmark, (iou * assigned).sum() / assigned.sum().clamp(min=1)


# ---------------------------------------------------------------- rendering

# Quantisation of luma in JPEG (ITU-T T.81, K.1).
JPEG_TABLE = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
]


def per_picture(tensor):
    return tensor[:, None, None]


class Renderer:
    """Renders recipes on the device."""

    def __init__(self, atlases, device):
        import torch
        self.device = device
        self.pixels = [torch.from_numpy(atlas["pixels"]).to(device) for atlas in atlases]
        self.sizes = [torch.from_numpy(atlas["sizes"]).float().to(device) for atlas in atlases]
        k = np.arange(8)
        dct = np.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * math.sqrt(2 / 8)
        dct[0] /= math.sqrt(2)
        self.dct = torch.tensor(dct, dtype=torch.float32, device=device)
        self.table = torch.tensor(JPEG_TABLE, dtype=torch.float32, device=device).view(8, 8)

    def upload(self, array):
        import torch
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def render(self, recipe):
        """(B, 1, H, W) pixels, normalised as the network expects them."""
        import torch
        from torch.nn import functional as F
        B, W, H = recipe["B"], recipe["W"], recipe["H"]
        is_number = lambda value: isinstance(value, np.ndarray) and value.dtype != bool
        light = {key: self.upload(value) if is_number(value) else value for key, value in recipe["light"].items()}
        clouds = F.interpolate(torch.randn(B, 1, H // 8, W // 8, device=self.device), (H, W), mode="bilinear")[:, 0]
        canvas = per_picture(light["fill"]).expand(B, H, W) + per_picture(light["speckle"]) * clouds
        canvas = canvas.clamp(0, 255)
        X = torch.arange(W, device=self.device, dtype=torch.float32)[None, None, :] + 0.5
        Y = torch.arange(H, device=self.device, dtype=torch.float32)[None, :, None] + 0.5
        for operation in recipe["ops"]:
            canvas = self.draw_layers(canvas, X, Y, *operation)
        canvas = self.draw_occluders(canvas, X, Y, recipe["hide"])
        return self.degrade(canvas, light, X, Y)

    def draw_layers(self, canvas, X, Y, atlas, rows, idx, level, alpha, matrix, mask, rect, tone):
        """Draws one layer into each of the pictures `rows`."""
        import torch
        from torch.nn import functional as F
        v = per_picture
        # One transfer for all numbers.
        packed = self.upload(np.concatenate([rows[:, None], idx[:, None], level[:, None], alpha[:, None], matrix, mask, rect, tone], 1).astype(np.float32))
        rows, idx, level, alpha_idx = (packed[:, i].long() for i in range(4))
        matrix, mask, rect, tone = packed[:, 4:10], packed[:, 10:16], packed[:, 16:20], packed[:, 20:22]
        # Coordinates in the source.
        sx = v(matrix[:, 0]) * X + v(matrix[:, 1]) * Y + v(matrix[:, 2])
        sy = v(matrix[:, 3]) * X + v(matrix[:, 4]) * Y + v(matrix[:, 5])
        # Opacity: a superellipse or rectangle with a soft edge.
        u = ((sx - v(mask[:, 0])) / v(mask[:, 2])).abs().clamp(max=2)
        w = ((sy - v(mask[:, 1])) / v(mask[:, 3])).abs().clamp(max=2)
        exponent = v(mask[:, 4])
        power = exponent.clamp(max=8)
        ellipse = (u.clamp(min=1e-4).pow(power) + w.clamp(min=1e-4).pow(power)).pow(1 / power)
        distance = torch.where(exponent > 8, torch.maximum(u, w), ellipse)
        opacity = ((1 - distance) / v(mask[:, 5]) + 0.5 * (exponent > 8)).clamp(0, 1)
        opacity = opacity * ((X >= v(rect[:, 0])) & (X < v(rect[:, 2])) & (Y >= v(rect[:, 1])) & (Y < v(rect[:, 3])))
        # Coordinates in the sheet of `mipmaps`.
        side = ATLAS_SIDES[atlas]
        reduction = torch.pow(2.0, level.float())
        left = torch.where(level == 0, 0.0, torch.where(level == 3, side * 1.25, float(side)))
        top = torch.where(level <= 1, 0.0, side * 0.5)
        extent = torch.floor(self.sizes[atlas][idx] / reduction[:, None]).clamp(min=1)
        x = torch.minimum((sx / v(reduction)).clamp(min=0.5), v(extent[:, 0] - 0.5)) + v(left)
        y = torch.minimum((sy / v(reduction)).clamp(min=0.5), v(extent[:, 1] - 0.5)) + v(top)
        grid = torch.stack([x * (2 / (1.5 * side)) - 1, y * (2 / side) - 1], -1)
        source = self.pixels[atlas][idx][:, None].float()
        value = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)[:, 0]
        value = ((value - 128) * v(tone[:, 0]) + 128 + v(tone[:, 1])).clamp(0, 255)
        if atlas == 0 and (alpha >= 0).any():
            cut_out = F.grid_sample(self.pixels[0][alpha_idx.clamp(min=0)][:, None].float(), grid, mode="bilinear", align_corners=False)[:, 0] / 255
            opacity = opacity * torch.where(v(alpha_idx) >= 0, cut_out, 1.0)
        below = canvas[rows]
        return canvas.index_copy(0, rows, below + (value - below) * opacity)

    def draw_occluders(self, canvas, X, Y, occluders):
        import torch
        uploaded = self.upload(occluders)
        for n in range(MAX_OCCLUDERS):
            if not occluders[:, n, 5].any():
                continue
            cx, cy, half_width, half_height, angle, grey = (per_picture(uploaded[:, n, i]) for i in range(6))
            c, s = torch.cos(angle), torch.sin(angle)
            x, y = (X - cx) * c + (Y - cy) * s, (Y - cy) * c - (X - cx) * s
            covered = (x.abs() < half_width) & (y.abs() < half_height) & (grey > 0)
            canvas = torch.where(covered, grey - 1, canvas)
        return canvas

    def degrade(self, canvas, light, X, Y):
        """Low resolution, blur, sharpening, uneven light, gamma, contrast, noise and JPEG artefacts."""
        import torch
        from torch.nn import functional as F
        v = per_picture
        B, H, W = canvas.shape
        low = np.flatnonzero(light["low"])
        if len(low):
            rows = self.upload(low)
            small = F.interpolate(canvas[rows][:, None], scale_factor=1 / light["low_factor"], mode="area")
            canvas = canvas.index_copy(0, rows, F.interpolate(small, (H, W), mode="bilinear")[:, 0])
        taps = torch.arange(-4, 5, device=self.device, dtype=torch.float32)
        kernel = torch.exp(-taps**2 / (2 * light["blur"].clamp(min=0.05)[:, None] ** 2))
        kernel = kernel / kernel.sum(1, keepdim=True)
        # A fixed one for sharpening.
        soft = torch.exp(-taps**2 / 2)
        soft = soft / soft.sum()

        def blur(x, kernel):
            padded = F.pad(x[None], (4, 4, 4, 4), mode="replicate")
            return F.conv2d(F.conv2d(padded, kernel.view(B, 1, 1, 9), groups=B), kernel.view(B, 1, 9, 1), groups=B)[0]

        canvas = blur(canvas, kernel)
        canvas = canvas + v(light["sharp"]) * (canvas - blur(canvas, soft.expand(B, 9).contiguous()))
        shade = light["shade"]
        along = (X / W - 0.5) * v(torch.cos(shade[:, 1])) + (Y / H - 0.5) * v(torch.sin(shade[:, 1])) + v(shade[:, 2])
        canvas = canvas * (1 - v(shade[:, 0]) * along.clamp(0, 1))
        canvas = 255 * (canvas / 255).clamp(1e-4, 1).pow(v(light["gamma"]))
        mean = canvas.mean((1, 2), keepdim=True)
        canvas = ((canvas - mean) * v(light["contrast"]) + mean + v(light["bias"])) * v(light["gain"])
        canvas = canvas + torch.randn_like(canvas) * v(light["noise"])
        canvas = canvas.clamp(0, 255)
        quality = light["jpeg"]
        blocks = (canvas - 128).view(B, H // 8, 8, W // 8, 8)
        factor = torch.where(quality < 50, 5000 / quality.clamp(min=1), 200 - 2 * quality) / 100
        table = (self.table * v(factor)).clamp(min=1)[:, None, :, None, :]
        coefficients = torch.einsum("ij,bhjwk,lk->bhiwl", self.dct, blocks, self.dct)
        coefficients = torch.round(coefficients / table) * table
        decoded = torch.einsum("ij,bhiwl,lk->bhjwk", self.dct, coefficients, self.dct).reshape(B, H, W) + 128
        canvas = torch.where(v(quality) > 0, decoded, canvas)
        canvas = canvas.clamp(0, 255).round()
        return torch.nan_to_num(canvas)[:, None] / 128 - 1


# ---------------------------------------------------------------- validation

def pairwise_iou(a, b):
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    return overlap / (area(a)[:, None] + area(b)[None] - overlap + 1e-9)


def non_maximum_suppression(score, boxes, limit=0.45):
    """Indices of the boxes to keep, best first."""
    order = score.argsort()[::-1][:300]
    iou = pairwise_iou(boxes[order], boxes[order])
    keep, suppressed = [], np.zeros(len(order), bool)
    for i in range(len(order)):
        if not suppressed[i]:
            keep.append(i)
            suppressed |= iou[i] > limit
    return order[keep]


SIZE_BINS = (24, 36, 60, 120)


def metrics(found, truth, nobody, match=0.3):
    """Recall and false boxes at several thresholds. `found`: scores and boxes of each picture with faces, in the pixels of the
    labels; `truth`: its labelled boxes; `nobody`: the best score in each picture without faces."""
    scores, hits, sizes, hit_scores = [], [], [], []
    for (score, boxes), labels in zip(found, truth):
        order = score.argsort()[::-1]
        score, boxes = score[order], boxes[order]
        # The score with which each label was found.
        matched = np.zeros(len(labels), np.float32)
        if len(labels) and len(boxes):
            iou = pairwise_iou(boxes, labels)
            for i in range(len(boxes)):
                free = iou[i] * (matched == 0)
                j = free.argmax()
                if free[j] >= match:
                    matched[j] = score[i]
                scores.append(score[i])
                hits.append(free[j] >= match)
        else:
            scores += list(score)
            hits += [False] * len(score)
        sizes += list(np.sqrt(area(labels))) if len(labels) else []
        hit_scores += list(matched)
    scores, hits = np.array(scores, np.float32), np.array(hits, bool)
    sizes, hit_scores = np.array(sizes, np.float32), np.array(hit_scores, np.float32)
    nobody = np.array(nobody)

    def at(threshold):
        bins = np.digitize(sizes, SIZE_BINS)
        found = hit_scores >= max(threshold, 1e-6)
        return dict(
            threshold=round(float(threshold), 4),
            recall=round(float(found.mean()), 4),
            extra_per_100=round(float(((scores >= threshold) & ~hits).sum() / len(truth) * 100), 2),
            by_size=[[int(found[bins == b].sum()), int((bins == b).sum())] for b in range(len(SIZE_BINS) + 1)],
            above_60=round(float(found[bins >= 3].mean()), 4) if (bins >= 3).any() else None,
            false_alarm_pictures=int((nobody >= threshold).sum()),
            nobody=len(nobody),
        )

    false_scores = np.sort(scores[~hits])[::-1] if len(scores) else np.zeros(0)

    def threshold_for(false_per_100):
        n = int(false_per_100 * len(truth) / 100)
        return float(false_scores[n] + 1e-6) if n < len(false_scores) else 0.02

    result = {f"at_{budget}": at(threshold_for(budget)) for budget in (12, 6, 18)}
    alarms = np.sort(nobody)[::-1]
    if len(alarms):
        result["nobody_1_percent"] = at(float(alarms[min(len(alarms) - 1, int(len(alarms) * 0.0125))] + 1e-6))
    result.update({f"at_score_{threshold}": at(threshold) for threshold in (0.3, 0.4, 0.5, 0.6)})
    return result


def validate(net, validation, truth, device, autocast):
    """The metrics of the first stage alone on the validation pictures with and without faces."""
    import torch
    benchmark, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False

    def detect(pictures, scales, side, batch=40):
        centres, strides = cells(side, side, device)
        detections = []
        for first in range(0, len(pictures), batch):
            x = torch.from_numpy(pictures[first : first + batch]).to(device)[:, None].float() / 128 - 1
            with torch.no_grad(), autocast():
                out = net(x.contiguous(memory_format=torch.channels_last)).float()
            boxes, _ = decode(out, centres, strides)
            scores, boxes = out[..., 0].sigmoid().cpu().numpy(), boxes.cpu().numpy()
            for n in range(len(x)):
                keep = np.flatnonzero(scores[n] > 0.02)
                keep = keep[scores[n][keep].argsort()[::-1][:400]]
                keep = keep[non_maximum_suppression(scores[n][keep], boxes[n][keep])]
                detections.append((scores[n][keep], boxes[n][keep] / scales[first + n]))
        return detections

    found, alarms = (detect(**pictures) for pictures in validation)
    torch.backends.cudnn.benchmark = benchmark
    return metrics(found, truth, [score.max() if len(score) else 0.0 for score, _ in alarms])


# ---------------------------------------------------------------- training

def main():
    parser = argparse.ArgumentParser(description="Trains the face detector on one GPU.")
    parser.add_argument("--data", required=True, help="folder with pictures.bin and labels.json.gz")
    parser.add_argument("--out", required=True, help="folder for weights and report")
    parser.add_argument("--seconds", type=float, required=True, help="total time, including reading and the last validation")
    parser.add_argument("--smoke", action="store_true", help="a quick test on a fortieth of the data")
    parser.add_argument("--rate", type=float, default=2.5e-3, help="peak learning rate")
    options = parser.parse_args()
    smoke = options.smoke
    os.makedirs(options.out, exist_ok=True)
    sets, atlases, validation, truth = read_data(options.data, smoke)

    # The workers are forked before the GPU is used.
    context = mp.get_context("fork")
    recipes, stop = context.Queue(12), context.Event()
    workers = [context.Process(target=make_recipes, args=(sets, 1000 * n + n, options.seconds, smoke, recipes, stop), daemon=True) for n in range(1 if smoke else 3)]
    for worker in workers:
        worker.start()

    import torch
    torch.manual_seed(1)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.set_num_threads(2 if cuda else 1)
    if cuda:
        torch.backends.cudnn.benchmark = True
        try:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        except Exception as error:
            log("no TF32:", error)
    autocast = lambda: torch.autocast(device.type, torch.bfloat16)
    renderer = Renderer(atlases, device)
    del atlases
    net, unit = network()
    net = net.to(device).to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    parameters = list(net.parameters())
    parameter_count = sum(p.numel() for p in parameters)
    log("parameters", parameter_count, "on", torch.cuda.get_device_name() if cuda else "cpu")
    groups = [
        dict(params=[p for p in parameters if p.ndim > 1], weight_decay=0.03),
        dict(params=[p for p in parameters if p.ndim <= 1], weight_decay=0.0),
    ]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, fused=cuda)
    average_parameters = list(average.parameters())
    buffers, average_buffers = ([b for b in n.buffers() if b.dtype.is_floating_point] for n in (net, average))
    grids, running, results, last_good = {}, [], {}, None
    steps = pictures = 0
    last_log = last_validation = time.time()
    begun = time.time() - START
    end = options.seconds - (4 if smoke else 14)  # the rest is for the last validation and the export

    def save(final=False):
        export(average, unit, os.path.join(options.out, "finder.safetensors"))
        report = dict(
            steps=steps, pictures=pictures, seconds=round(time.time() - START, 1), final=final, widths=WIDTHS, strides=STRIDES,
            ranges=[list(r) for r in RANGES], input="x/128-1, any size",
            cell="logit; log of left, top, right, bottom in strides from the cell's middle; five landmarks in strides from there",
            parameters=parameter_count, figures=results,
        )
        with open(os.path.join(options.out, "finder.json"), "w") as file:
            json.dump(report, file, indent=1)

    while (now := time.time() - START) <= end:
        progress = (now - begun) / max(1e-6, end - begun)
        warm_up = min(1.0, progress / 0.04)
        rate = options.rate * warm_up * (0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        try:
            recipe = recipes.get(timeout=60)
        except queue.Empty:
            log("no recipe for a minute")
            continue
        try:
            B, W, H = recipe["B"], recipe["W"], recipe["H"]
            with torch.no_grad():
                x = renderer.render(recipe).contiguous(memory_format=torch.channels_last)
                pos, ign = renderer.upload(recipe["pos"]), renderer.upload(recipe["ign"])
            if (H, W) not in grids:
                grids[H, W] = grid_of(H, W, device)
            with autocast():
                out = net(x)
            score, box, landmark, iou = losses(out, grids[H, W], pos, ign)
            optimiser.zero_grad(set_to_none=True)
            (score + 2 * box + 8 * landmark).backward()
            torch.nn.utils.clip_grad_norm_(parameters, 10.0)
            optimiser.step()
            steps += 1
            pictures += B
            decay = min(0.9985, steps / (steps + 40))
            with torch.no_grad():
                torch._foreach_lerp_(average_parameters, parameters, 1 - decay)
                torch._foreach_lerp_(average_buffers, buffers, 1 - decay)
            running.append(torch.stack([score.detach(), box.detach(), landmark.detach(), iou.detach()]))
        except Exception as error:
            log("step failed:", repr(error)[:300])
            if steps < 3:
                traceback.print_exc()
            optimiser.zero_grad(set_to_none=True)
            continue
        if time.time() - last_log > (3 if smoke else 10) or steps == 1:
            mean = torch.stack(running).mean(0).cpu().tolist()
            running = []
            if all(map(math.isfinite, mean)):
                last_good = copy.deepcopy((net.state_dict(), average.state_dict()))
            elif last_good:
                log("not a number: back to the last good weights")
                net.load_state_dict(last_good[0])
                average.load_state_dict(last_good[1])
                optimiser.state.clear()
            speed = pictures / max(1e-6, time.time() - START - begun)
            log(f"{progress:5.1%} step {steps} pictures {pictures} ({speed:.0f}/s) rate {rate:.2e} score {mean[0]:.3f} box {mean[1]:.3f} "
                f"landmarks {mean[2]:.4f} iou {mean[3]:.3f} recipes waiting {recipes.qsize()}"
                + (f" memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else ""))
            last_log = time.time()
        if time.time() - last_validation > (8 if smoke else 55):
            try:
                results = validate(average, validation, truth, device, autocast)
                for name in ("at_12", "nobody_1_percent"):
                    log("  validation", name, results[name])
                save()
            except Exception:
                traceback.print_exc()
            last_validation = time.time()
    stop.set()
    save()
    try:
        results = validate(average, validation, truth, device, autocast)
        for name, result in results.items():
            log("final", name, result)
    except Exception:
        traceback.print_exc()
    save(final=True)
    log("done", steps, "steps", pictures, "pictures")
    for worker in workers:
        worker.terminate()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
