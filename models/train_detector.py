"""Trains models/detector.safetensors on one GPU from random weights, by the clock.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_detector.py --data DIR --out OUT --seconds 550

DIR/pictures.bin holds picture files one after the other, DIR/labels.json.gz says where: lists `scenes`, `smiles`, `crops` and
`negatives` to learn from, `val` and `nobody_val` to measure on. An entry has `at` (offset, bytes); `faces`, rows of sixteen
numbers: middle x and y, width, height, five landmarks (x and y: right eye, left eye, nose, right and left corner of the
mouth), how much the landmarks count (0 to 1), and 1 for a face or 0 for a place that counts neither way; a scene also
`hard`, places (x, y, side) that look like faces and are none; a negative its `kind` and whether it has an `alpha` channel;
`val` its `boxes` (left, top, width, height). models/MODEL_CARD.md tells where pictures and labels came from.

Worker processes make recipes (which picture where, how turned, in which light); the GPU draws them. A cell's score learns its
box's overlap (varifocal loss, Zhang et al. 2021), with cells assigned by score and overlap (Feng et al. 2021).
"""
import argparse, copy, gzip, json, math, os, queue, sys, time, traceback
import multiprocessing as mp
import numpy as np

START = time.time()
BIG, SMALL = 512, 200
POS, IGN = 32, 24
STRIDES = (8, 16, 32, 64)
# Sizes of faces (root of the area), in pixels, that a level may answer for.
RANGES = ((0, 72), (20, 160), (56, 360), (150, 1e9))
WIDTHS = dict(stem=32, mix2=32, w3=48, w4=80, w5=96, w6=64)


def say(*what):
    print(f"[{time.time() - START:6.1f}]", *what, flush=True)


# ---------------------------------------------------------------- pictures

def mips(picture, side):
    """A picture and its halves in one square and a half: 1 at (0, 0), 1/2 at (S, 0), 1/4 at (S, S/2), 1/8 beside it."""
    import cv2
    sheet = np.full((side, side * 3 // 2), 128, np.uint8)
    for level, (x, y) in enumerate(((0, 0), (side, 0), (side, side // 2), (side + side // 4, side // 2))):
        h, w = picture.shape
        sheet[y : y + h, x : x + w] = picture
        picture = cv2.resize(picture, (max(1, w // 2), max(1, h // 2)), interpolation=cv2.INTER_AREA)
    return sheet


def stored(path, place):
    with open(path, "rb") as file:
        file.seek(place[0])
        return np.frombuffer(file.read(place[1]), np.uint8)


def read_one(job):
    import cv2
    cv2.setNumThreads(1)
    path, place, side, alpha = job
    try:
        picture = cv2.imdecode(stored(path, place), cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_GRAYSCALE)
        mask = None
        if alpha:
            mask = picture[:, :, 3] if picture.ndim == 3 and picture.shape[2] == 4 else np.full(picture.shape[:2], 255, np.uint8)
            picture = cv2.cvtColor(picture[:, :, :3], cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
        if max(picture.shape) > side:
            return None
        return mips(picture, side), picture.shape[::-1], None if mask is None else mips(mask, side)
    except Exception as fault:
        print("cannot read", place, fault, flush=True)
        return None


def read_val(job):
    import cv2
    cv2.setNumThreads(1)
    path, place, side = job
    picture = cv2.imdecode(stored(path, place), cv2.IMREAD_GRAYSCALE)
    factor = side / max(picture.shape)
    picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    picture = picture[:side, :side]
    sheet = np.full((side, side), 128, np.uint8)
    sheet[: picture.shape[0], : picture.shape[1]] = picture
    return sheet, factor


# ---------------------------------------------------------------- recipes

class Maker:
    """Recipes for batches of pictures: what is drawn where, and the faces that then are there."""

    def __init__(self, sets, seed, seconds, smoke):
        self.sets, self.rng, self.seconds, self.smoke = sets, np.random.default_rng(seed), seconds, smoke
        # (atlas, index, width, height, faces) of each kind.
        self.scenes, self.smiles, self.crops, self.negatives = (sets[k] for k in ("scenes", "smiles", "crops", "negatives"))
        self.animals = [n for n in self.negatives if n["kind"] in ("animal", "stamp")]
        self.single = [s for s in self.smiles if len(s["faces"]) == 1] or self.smiles
        # Places in scenes that a teacher took for a face, and that are none.
        self.hard = [(s, spot) for s in self.scenes for spot in s.get("hard", [])]
        self.places = [n for n in self.negatives if n["kind"] not in ("animal", "stamp")]

    # A layer: atlas, index, M(6), level, mask(6), rect(4), tone(2), alpha index.
    def layer(self, source, scale, roll, mirror, pivot, at, mask=None, rect=None, tone=(1, 0)):
        c, s = math.cos(roll) * scale, math.sin(roll) * scale
        m = -1.0 if mirror else 1.0
        forward = np.array([[c * m, -s], [s * m, c]])
        back = np.linalg.inv(forward)
        offset = np.array(pivot) - back @ np.array(at)
        matrix = [back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]]
        level = 0 if scale > 0.7 else 1 if scale > 0.35 else 2 if scale > 0.17 else 3
        if mask is None:
            w, h = source["w"], source["h"]
            mask = [w / 2, h / 2, w / 2, h / 2, 40, max(1e-3, 1.0 / (max(w, h) * scale))]
        rect = rect or [-1e4, -1e4, 1e4, 1e4]
        faces = source["faces"]
        out = np.empty((0, 16), np.float32)
        if len(faces):
            out = faces.copy()
            move = lambda p: (p - np.array(pivot)) @ forward.T + np.array(at)
            out[:, :2] = move(faces[:, :2])
            w, h = faces[:, 2] * scale, faces[:, 3] * scale
            cr, sr = math.cos(roll), math.sin(roll)
            out[:, 2], out[:, 3] = np.sqrt((w * cr) ** 2 + (h * sr) ** 2), np.sqrt((w * sr) ** 2 + (h * cr) ** 2)
            points = move(faces[:, 4:14].reshape(-1, 2)).reshape(-1, 5, 2)
            if mirror:
                points = points[:, [1, 0, 2, 4, 3]]
            out[:, 4:14] = points.reshape(-1, 10)
        return dict(atlas=source["atlas"], idx=source["idx"], m=matrix, level=level, mask=mask, rect=rect, tone=tone, alpha=source.get("alpha", -1)), out, rect

    def roll(self, calm=0.78):
        r, rng = self.rng.random(), self.rng
        if r < calm:
            return rng.normal(0, 0.12)
        if r < calm + (1 - calm) * 0.5:
            return rng.uniform(-0.9, 0.9)
        if r < calm + (1 - calm) * 0.8:
            return rng.choice([-1, 1, 2]) * math.pi / 2 + rng.normal(0, 0.1)
        return rng.uniform(-math.pi, math.pi)

    def tone(self, share=0.4):
        rng = self.rng
        return (rng.uniform(0.5, 1.25), rng.normal(0, 22)) if rng.random() < share else (1, 0)

    def pick(self, items):
        return items[self.rng.integers(len(items))]

    def view(self, source, box, W, H, how):
        """A scene seen in the rectangle `box` of the canvas."""
        rng = self.rng
        x0, y0, x1, y1 = box
        w, h = source["w"], source["h"]
        fit = min((x1 - x0) / w, (y1 - y0) / h)
        mirror, roll = rng.random() < 0.5, self.roll()
        good = source["faces"][source["faces"][:, 15] * source["faces"][:, 14] > 0]
        if how < 0.5 or not len(good):
            scale = fit * math.exp(rng.uniform(math.log(0.75), math.log(1.35)))
            free = [(x1 - x0) * 0.5, (y1 - y0) * 0.5]
            pivot = (w / 2, h / 2)
            slack = [abs((x1 - x0) - w * scale) / 2, abs((y1 - y0) - h * scale) / 2]
            at = (x0 + free[0] + rng.uniform(-1, 1) * slack[0], y0 + free[1] + rng.uniform(-1, 1) * slack[1])
        elif how < 0.62:
            scale = fit * rng.uniform(0.25, 0.75)
            pivot, at = (w / 2, h / 2), (rng.uniform(x0, x1), rng.uniform(y0, y1))
        elif how < 0.68 and source.get("hard"):
            spot = self.pick(source["hard"])
            scale = float(np.clip(math.exp(rng.uniform(math.log(16), math.log(0.6 * min(x1 - x0, y1 - y0)))) / spot[2], 0.2, 4))
            pivot, at = spot[:2], (rng.uniform(x0, x1), rng.uniform(y0, y1))
        else:
            face = good[rng.integers(len(good))]
            most = 0.75 * min(x1 - x0, y1 - y0)
            size = math.exp(rng.uniform(math.log(13), math.log(max(20, most))))
            scale = float(np.clip(size / math.sqrt(face[2] * face[3]), 0.2, 4))
            pivot, at = face[:2], (rng.uniform(x0, x1), rng.uniform(y0, y1))
        full = box == (0, 0, W, H)
        return self.layer(source, scale, roll, mirror, pivot, at, rect=None if full else list(box), tone=self.tone(0.15))

    def ground(self, W, H, only=None):
        """A picture of nobody that covers the canvas."""
        rng = self.rng
        source = self.pick(only or (self.animals if rng.random() < 0.35 else self.places))
        w, h = source["w"], source["h"]
        cover = max(W / w, H / h)
        scale = cover * math.exp(rng.uniform(math.log(0.9), math.log(2.5 if only is None else 2.0)))
        pivot = (rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h)
        at = (W / 2 + rng.normal(0, W * 0.1), H / 2 + rng.normal(0, H * 0.1))
        return self.layer(source, scale, rng.normal(0, 0.1) if rng.random() < 0.8 else rng.uniform(-3.2, 3.2), rng.random() < 0.5, pivot, at)[0]

    def head_mask(self, source, scale):
        """How much of a pasted square shows."""
        rng, w, h = self.rng, source["w"], source["h"]
        r = rng.random()
        soft = rng.uniform(0.02, 0.25)
        if r < 0.4:
            return [w / 2, h / 2, w / 2, h / 2, 40, max(0.01, 1.0 / (max(w, h) * scale))]
        if r < 0.6:
            return [w / 2, h / 2, w / 2, h / 2, rng.choice([3.0, 4.0, 8.0]), soft]
        face = source["faces"][0] if len(source["faces"]) else None
        if face is None:
            return [w / 2, h / 2, w * rng.uniform(0.3, 0.5), h * rng.uniform(0.3, 0.5), rng.choice([2.0, 3.0, 8.0]), soft]
        grow = rng.uniform(0.62, 0.95)
        return [face[0], face[1] - 0.06 * face[3], face[2] * grow * rng.uniform(1, 1.25), face[3] * grow * 1.1, 2.0, soft]

    def face_source(self):
        return self.pick(self.crops) if self.rng.random() < 0.75 else self.pick(self.single)

    def paste_face(self, source, size, at, roll):
        face = source["faces"][0]
        scale = size / math.sqrt(face[2] * face[3])
        return self.layer(source, scale, roll, self.rng.random() < 0.5, face[:2], at, mask=self.head_mask(source, scale), tone=self.tone(0.5))

    def paste_negative(self, W, H, most):
        rng = self.rng
        source = self.pick(self.animals) if rng.random() < 0.75 else self.pick(self.places)
        w, h = source["w"], source["h"]
        size = math.exp(rng.uniform(math.log(20), math.log(most)))
        if source.get("alpha", -1) >= 0:
            return self.layer(source, size / max(w, h) * rng.uniform(1, 2.5), self.roll(), rng.random() < 0.5, (w / 2, h / 2), (rng.uniform(0, W), rng.uniform(0, H)), tone=self.tone(0.5))[0]
        extent = min(w, h) * rng.uniform(0.2, 1)
        scale = size / extent
        pivot = (rng.uniform(extent / 2, w - extent / 2), rng.uniform(extent / 2, h - extent / 2))
        mask = [pivot[0], pivot[1], extent / 2 * rng.uniform(0.7, 1), extent / 2, rng.choice([2.0, 2.0, 4.0, 40.0]), rng.uniform(0.02, 0.25)]
        return self.layer(source, scale, self.roll(), rng.random() < 0.5, pivot, (rng.uniform(0, W), rng.uniform(0, H)), mask=mask, tone=self.tone(0.5))[0]

    def sample(self, W, H, closer, late):
        """Layers and faces (with the rectangle in which they show) of one picture."""
        rng = self.rng
        layers, faces = [], []

        def put(made):
            layer, found, rect = made
            layers.append(layer)
            if len(found):
                box = np.array([found[:, 0] - found[:, 2] / 2, found[:, 1] - found[:, 3] / 2, found[:, 0] + found[:, 2] / 2, found[:, 1] + found[:, 3] / 2])
                lo, hi = np.array([max(0, rect[0]), max(0, rect[1])]), np.array([min(W, rect[2]), min(H, rect[3])])
                shown = np.clip(np.minimum(box[2:], hi[:, None]) - np.maximum(box[:2], lo[:, None]), 0, None).prod(0) / np.maximum(found[:, 2] * found[:, 3], 1e-6)
                points = found[:, 4:14].reshape(-1, 5, 2)
                marks = ((points > lo) & (points < hi)).all(2).mean(1)
                for face, share, mark in zip(found, shown, marks):
                    if share < 0.12:
                        continue
                    face = face.copy()
                    size = math.sqrt(face[2] * face[3])
                    if size < 10.5 or share < 0.45 or (face[14] > 0 and mark < 0.5 and share < 0.75):
                        face[15] = 0
                    faces.append(face)

        r = rng.random()
        if closer:
            if rng.random() < 0.6:
                layers.append(self.ground(W, H))
            if r < 0.14:
                layers.append(self.ground(W, H, self.animals))
                return layers, faces
            if r < 0.2 and self.hard:
                scene, spot = self.pick(self.hard)
                scale = min(6, W * math.exp(rng.uniform(math.log(0.25), math.log(0.9))) / spot[2])
                put(self.layer(scene, scale, self.roll(0.8), rng.random() < 0.5, spot[:2], (W / 2 + rng.normal(0, 0.1 * W), H / 2 + rng.normal(0, 0.1 * H))))
                return layers, faces
            if r < 0.34:
                scene = self.pick(self.scenes)
                good = scene["faces"][scene["faces"][:, 15] * scene["faces"][:, 14] > 0]
                if len(good):
                    face = good[rng.integers(len(good))]
                    scale = min(6, W * math.exp(rng.uniform(math.log(0.28), math.log(0.9))) / math.sqrt(face[2] * face[3]))
                    put(self.layer(scene, scale, self.roll(0.8), rng.random() < 0.5, face[:2], (W / 2 + rng.normal(0, 0.06 * W), H / 2 + rng.normal(0, 0.06 * H))))
                    return layers, faces
            source = self.face_source()
            face = source["faces"][0]
            size = W * math.exp(rng.uniform(math.log(0.25), math.log(1.0)))
            scale = size / math.sqrt(face[2] * face[3])
            at = (W / 2 + rng.normal(0, 0.07 * W), H / 2 + rng.normal(0, 0.07 * H))
            mask = [0, 0, 1e6, 1e6, 40, 1.0] if rng.random() < 0.3 else None
            put(self.layer(source, scale, self.roll(0.75), rng.random() < 0.5, face[:2], at, mask=mask, tone=self.tone(0.3)))
            return layers, faces

        plan = (0.50, 0.58, 0.72, 0.80) if late else (0.42, 0.52, 0.72, 0.80)
        if r < plan[0]:
            if rng.random() < 0.4:
                layers.append(self.ground(W, H))
            source = self.pick(self.smiles) if rng.random() < 0.18 else self.pick(self.scenes)
            put(self.view(source, (0, 0, W, H), W, H, rng.random()))
        elif r < plan[1]:
            x, y = W * rng.uniform(0.35, 0.65), H * rng.uniform(0.35, 0.65)
            if rng.random() < 0.3:
                layers.append(self.ground(W, H))
            for box in ((0, 0, x, y), (x, 0, W, y), (0, y, x, H), (x, y, W, H)):
                source = self.pick(self.smiles) if rng.random() < 0.3 else self.pick(self.negatives) if rng.random() < 0.12 else self.pick(self.scenes)
                put(self.view(source, box, W, H, rng.random()))
        elif r < plan[2]:
            if rng.random() < 0.9:
                layers.append(self.ground(W, H))
            for _ in range(rng.integers(0, 3)):
                layers.append(self.paste_negative(W, H, 250))
            count = 1 if rng.random() < 0.3 else int(rng.integers(2, 9))
            columns = int(math.ceil(math.sqrt(count * W / H)))
            rows = int(math.ceil(count / columns))
            cells = rng.permutation(columns * rows)[:count]
            cw, ch = W / columns, H / rows
            usual = math.exp(rng.uniform(math.log(13), math.log(1.1 * min(cw, ch))))
            tilt = self.roll()
            for cell in cells:
                size = float(np.clip(usual * math.exp(rng.normal(0, 0.3)), 11, 1.2 * min(cw, ch)))
                room_x, room_y = max(0, cw - 1.25 * size) / 2, max(0, ch - 1.25 * size) / 2
                at = ((cell % columns + 0.5) * cw + rng.uniform(-1, 1) * room_x, (cell // columns + 0.5) * ch + rng.uniform(-1, 1) * room_y)
                put(self.paste_face(self.face_source(), size, at, tilt + rng.normal(0, 0.15) if rng.random() < 0.7 else self.roll(0.3)))
        elif r < plan[3]:
            if rng.random() < 0.5:
                layers.append(self.ground(W, H))
            size = min(W, H) * math.exp(rng.uniform(math.log(0.4), math.log(1.7)))
            s = rng.random()
            source = self.pick(self.scenes) if s < 0.35 else self.face_source()
            good = source["faces"][source["faces"][:, 15] * source["faces"][:, 14] > 0]
            if not len(good):
                source = self.pick(self.smiles)
                good = source["faces"]
            face = good[np.argmax(good[:, 2] * good[:, 3])]
            scale = min(size / math.sqrt(face[2] * face[3]), 8)
            at = (W * rng.uniform(0.3, 0.7), H * rng.uniform(0.3, 0.7))
            mask = [0, 0, 1e6, 1e6, 40, 1.0] if rng.random() < 0.35 else None
            put(self.layer(source, scale, self.roll(0.8), rng.random() < 0.5, face[:2], at, mask=mask, tone=self.tone(0.2)))
        else:
            kind = rng.random()
            if kind < 0.75:
                layers.append(self.ground(W, H, self.animals if rng.random() < 0.65 else self.places))
            if kind > 0.6:
                for _ in range(rng.integers(1, 6)):
                    layers.append(self.paste_negative(W, H, 420))
        return layers, faces

    def batch(self, B, W, H, closer=False):
        rng = self.rng
        late = (time.time() - START) / self.seconds > 0.8
        stacks = []
        pos, ign = np.zeros((B, POS, 16), np.float32), np.zeros((B, IGN, 4), np.float32)
        hide = np.zeros((B, 3, 6), np.float32)
        for b in range(B):
            for attempt in range(3):
                try:
                    layers, faces = self.sample(W, H, closer, late)
                    break
                except Exception:
                    layers, faces = [], []
            stacks.append(layers)
            good = sorted((f for f in faces if f[15] > 0), key=lambda f: -f[2] * f[3])
            bad = [f for f in faces if f[15] <= 0] + good[POS:]
            # Something before a face: a mask, a hand, another head, a bar over the eyes.
            at = 0
            for n, f in enumerate(good[:POS]):
                if at < 3 and f[2] > 26 and rng.random() < (0.22 if len(good) < 4 else 0.08):
                    hide[b, at] = self.hidden(f)
                    at += 1
                pos[b, n] = f
            for n, f in enumerate(bad[:IGN]):
                ign[b, n] = f[0] - f[2] * 0.6, f[1] - f[3] * 0.6, f[0] + f[2] * 0.6, f[1] + f[3] * 0.6
        boxes = pos[:, :, :4].copy()
        pos[:, :, 0:2], pos[:, :, 2:4] = boxes[:, :, :2] - boxes[:, :, 2:] / 2, boxes[:, :, :2] + boxes[:, :, 2:] / 2
        ops = []
        for depth in range(max(map(len, stacks))):
            for atlas in (0, 1):
                here = [(b, s[depth]) for b, s in enumerate(stacks) if len(s) > depth and s[depth]["atlas"] == atlas]
                if here:
                    f = lambda key: np.array([l[key] for _, l in here], np.float32)
                    ops.append((atlas, np.array([b for b, _ in here]), np.array([l["idx"] for _, l in here]), np.array([l["level"] for _, l in here]), np.array([l["alpha"] for _, l in here]), f("m"), f("mask"), f("rect"), f("tone")))
        calm = 0.5 if late else 1.0
        yes = lambda share: rng.random(B) < share * calm
        light = dict(
            fill=np.where(rng.random(B) < 0.6, rng.choice([0, 128, 128, 255], B), rng.integers(0, 256, B)).astype(np.float32),
            speckle=np.where(rng.random(B) < 0.15, rng.uniform(5, 60, B), 0).astype(np.float32),
            gamma=np.where(yes(0.45), np.exp(rng.normal(0, 0.4, B)), 1).astype(np.float32),
            gain=np.where(yes(0.17), rng.uniform(0.12, 1, B), 1).astype(np.float32),
            contrast=np.where(yes(0.16), rng.uniform(0.3, 1.35, B), 1).astype(np.float32),
            bias=np.where(yes(0.14), rng.normal(0, 25, B), 0).astype(np.float32),
            shade=np.stack([np.where(yes(0.2), rng.uniform(0, 0.85, B), 0), rng.uniform(-math.pi, math.pi, B), rng.uniform(0.1, 0.9, B)], 1).astype(np.float32),
            blur=np.where(yes(0.28), rng.uniform(0.4, 2.2 if not closer else 3.0, B), 0).astype(np.float32),
            sharp=np.where(rng.random(B) < 0.15, rng.uniform(0.3, 1.2, B), 0).astype(np.float32),
            low=yes(0.14), low_factor=float(rng.choice([2, 2, 3, 4])),
            noise=np.where(yes(0.28), rng.uniform(1, 14, B), 0).astype(np.float32),
            jpeg=np.where(yes(0.35), rng.uniform(15, 90, B), 0).astype(np.float32),
        )
        return dict(B=B, W=W, H=H, ops=ops, pos=pos, ign=ign, hide=hide, light=light)

    def hidden(self, f):
        """Middle, half sides, angle and grey of what lies before a face."""
        rng = self.rng
        angle = 0.0
        if f[14] > 0:
            eyes = f[6:8] - f[4:6]
            angle = math.atan2(eyes[1], eyes[0])
        right, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        size, middle = math.sqrt(f[2] * f[3]), f[:2]
        grey = rng.integers(0, 256)
        r = rng.random()
        if r < 0.4:  # the lower half
            top = rng.uniform(0.0, 0.12)
            c, half = middle + down * size * (top + 0.35), (0.6 * size, 0.35 * size)
        elif r < 0.6:  # one side
            c, half = middle + right * size * rng.choice([-1, 1]) * (rng.uniform(0.0, 0.15) + 0.35), (0.35 * size, 0.8 * size)
        elif r < 0.72:  # glasses
            c, half = middle - down * size * 0.17, (0.5 * size, rng.uniform(0.06, 0.13) * size)
        else:
            c, half = middle + rng.uniform(-0.45, 0.45, 2) * size, rng.uniform(0.1, 0.28, 2) * size
            angle += rng.normal(0, 0.5)
        return [c[0], c[1], half[0], half[1], angle, grey + 1]


SHAPES = ((640, 448), (448, 640), (576, 576))


def work(sets, seed, seconds, smoke, out, stop):
    try:
        os.nice(3)
        maker, at = Maker(sets, seed, seconds, smoke), seed
        while not stop.is_set():
            at += 1
            if smoke:
                made = maker.batch(8, 160, 160, True) if at % 4 == 0 else maker.batch(4, *((320, 224), (224, 320))[at % 2])
            else:
                made = maker.batch(160, 160, 160, True) if at % 4 == 0 else maker.batch(48, *SHAPES[at % 3])
            while not stop.is_set():
                try:
                    out.put(made, timeout=1)
                    break
                except queue.Full:
                    pass
    except Exception:
        traceback.print_exc()


# ---------------------------------------------------------------- the network

def network():
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Unit(nn.Module):
        """Convolution, normalisation, what is added, ReLU."""

        def __init__(self, channels, out, kernel=3, stride=1):
            super().__init__()
            self.convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
            self.norm = nn.BatchNorm2d(out, momentum=0.03)
            nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out" if kernel == 1 else "fan_in", nonlinearity="relu")

        def forward(self, x, skip=None):
            x = self.norm(self.convolution(x))
            return F.relu(x if skip is None else x + skip)

        def folded(self):
            scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
            return self.convolution.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale

    class Finder(nn.Module):
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
                # Score, distances to left, top, right, bottom (log of strides), landmarks (strides); the last
                # one says nothing: sixteen columns are twice as fast as fifteen.
                out.bias.data[:] = torch.tensor([-4.6] + [0.7] * 4 + [-0.6, -0.7, 0.6, -0.7, 0, 0, -0.5, 0.7, 0.5, 0.7, 0])
                setattr(self, f"out{level}", out)
            for unit in (self.b3, self.b4, self.d4, self.b5, self.b6):
                nn.init.constant_(unit.norm.weight, 0.5)

        def forward(self, x):
            double = lambda x, like: F.interpolate(x, scale_factor=2)[:, :, : like.shape[2], : like.shape[3]]
            x = self.down3(self.mix2(self.stem(x)))
            third = self.b3(self.a3(x), x)
            x = self.down4(third)
            x = self.b4(self.a4(x), x)
            fourth = self.d4(self.c4(x), x)
            x = self.down5(fourth)
            fifth = self.b5(self.a5(x), x)
            x = self.down6(fifth)
            sixth = self.b6(self.a6(x), x)
            fifth = self.mix5(fifth + double(self.up6(sixth), fifth))
            fourth = self.mix4(fourth + double(self.up5(fifth), fourth))
            third = self.mix3(third + double(self.up4(fourth), third))
            outs = self.out3(third), self.out4(fourth), self.out5(fifth), self.out6(sixth)
            return torch.cat([o.flatten(2).transpose(1, 2) for o in outs], 1)

    return Finder(), Unit


def cells(H, W, device):
    """Middles and strides of all cells, level by level."""
    import torch
    middles, strides = [], []
    for stride in STRIDES:
        h, w = H, W
        for _ in range(int(math.log2(stride))):
            h, w = (h + 1) // 2, (w + 1) // 2
        y, x = torch.meshgrid(torch.arange(h, device=device) + 0.5, torch.arange(w, device=device) + 0.5, indexing="ij")
        middles.append(torch.stack([x, y], -1).reshape(-1, 2) * stride)
        strides.append(torch.full((h * w,), float(stride), device=device))
    return torch.cat(middles), torch.cat(strides)


def decode(out, middles, strides):
    import torch
    ltrb = torch.exp(out[..., 1:5].clamp(-5, 4)) * strides[:, None]
    boxes = torch.cat([middles - ltrb[..., :2], middles + ltrb[..., 2:]], -1)
    marks = middles.repeat(1, 5) + out[..., 5:15] * strides[:, None]
    return boxes, marks


def grid_of(H, W, device):
    """What the losses need to know of a size, made once."""
    import torch
    middles, strides = cells(H, W, device)
    low, high = torch.empty_like(strides), torch.empty_like(strides)
    for stride, (a, b) in zip(STRIDES, RANGES):
        low[strides == stride], high[strides == stride] = a, b
    return middles, strides, low, high, torch.tensor([W - 1.0, H - 1.0], device=device)


def losses(out, grid, pos, ign, told=None):
    import torch
    from torch.nn import functional as F
    middles, strides, low, high, limit = grid
    out = out.float()
    boxes, marks = decode(out, middles, strides)
    B, N = out.shape[:2]
    truth = pos[..., :4]
    wh = (truth[..., 2:] - truth[..., :2]).clamp(min=1e-3)
    valid = pos[..., 15] > 0
    with torch.no_grad():
        size = (wh[..., 0] * wh[..., 1]).sqrt()
        p = out[..., 0].sigmoid()
        lt = torch.maximum(boxes[:, None, :, :2], truth[:, :, None, :2])
        rb = torch.minimum(boxes[:, None, :, 2:], truth[:, :, None, 2:])
        both = (rb - lt).clamp(min=0).prod(-1)
        area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
        iou = both / ((wh[..., 0] * wh[..., 1])[:, :, None] + area[:, None] - both + 1e-6)
        middle = (truth[..., :2] + truth[..., 2:]) / 2
        middle = torch.minimum(middle.clamp(min=1.0), limit)
        apart = (middles[None, None] - middle[:, :, None]).abs()
        near = (apart <= torch.maximum(0.3 * wh[:, :, None], 0.76 * strides[None, None, :, None])).all(-1)
        fits = (size[:, :, None] >= low) & (size[:, :, None] < high)
        candidate = near & fits & valid[:, :, None]
        metric = (p[:, None].clamp(1e-4).pow(0.5) * (iou + 1e-3).pow(4)) * candidate
        best, at = metric.topk(9, dim=-1)
        chosen = torch.zeros_like(candidate).scatter_(2, at, best > 0)
        # A cell that two faces want goes to the one it fits better.
        owner = (iou * chosen).argmax(1)
        chosen &= owner[:, None] == torch.arange(pos.shape[1], device=out.device)[None, :, None]
        metric, iou = metric * chosen, iou * chosen
        quality = metric / metric.amax(-1, keepdim=True).clamp(min=1e-12) * iou.amax(-1, keepdim=True)
        target = quality.amax(1)
        has = chosen.any(1)
        inside = ((middles[None, None] >= ign[:, :, None, :2]) & (middles[None, None] <= ign[:, :, None, 2:])).all(-1).any(1)
        total = target.sum().clamp(min=1)
        if told is not None:
            told.update(chosen=chosen, size=size, valid=valid, strides=strides, inside=inside)
        which = owner[..., None].expand(-1, -1, 16)
        mine = pos.gather(1, which)
    logit = out[..., 0]
    weight = torch.where(has, target, 0.75 * logit.detach().sigmoid().pow(2) * (~inside))
    score = (F.binary_cross_entropy_with_logits(logit, target, reduction="none") * weight).sum() / total
    weight = torch.where(has, target.clamp(min=0.05), 0)
    mine_box = mine[..., :4]
    lt, rb = torch.maximum(boxes[..., :2], mine_box[..., :2]), torch.minimum(boxes[..., 2:], mine_box[..., 2:])
    both = (rb - lt).clamp(min=0).prod(-1)
    a, b = (boxes[..., 2:] - boxes[..., :2]).prod(-1), (mine_box[..., 2:] - mine_box[..., :2]).prod(-1)
    union = a + b - both + 1e-6
    hull = (torch.maximum(boxes[..., 2:], mine_box[..., 2:]) - torch.minimum(boxes[..., :2], mine_box[..., :2])).prod(-1) + 1e-6
    giou = both / union - (hull - union) / hull
    box = ((1 - giou) * weight).sum() / total
    error = (marks - mine[..., 4:14]).abs() / b.clamp(min=1).sqrt()[..., None]
    error = torch.where(error < 0.02, error * error / 0.04, error - 0.01)
    mark = (error.mean(-1) * weight * mine[..., 14]).sum() / (weight * mine[..., 14]).sum().clamp(min=1)
    return score, box, mark, (iou.amax(1) * has).sum() / has.sum().clamp(min=1)


# ---------------------------------------------------------------- drawing

class Studio:
    def __init__(self, atlases, device):
        import torch
        self.device = device
        self.pixels = [torch.from_numpy(a["pixels"]).to(device) for a in atlases]
        self.sizes = [torch.from_numpy(a["sizes"]).float().to(device) for a in atlases]
        k = np.arange(8)
        dct = np.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * math.sqrt(2 / 8)
        dct[0] /= math.sqrt(2)
        self.dct = torch.tensor(dct, dtype=torch.float32, device=device)
        table = [16,11,10,16,24,40,51,61,12,12,14,19,26,58,60,55,14,13,16,24,40,57,69,56,14,17,22,29,51,87,80,62,18,22,37,56,68,109,103,77,24,35,55,64,81,104,113,92,49,64,78,87,103,121,120,101,72,92,95,98,112,100,103,99]
        self.table = torch.tensor(table, dtype=torch.float32, device=device).view(8, 8)

    def up(self, array):
        import torch
        t = torch.from_numpy(np.ascontiguousarray(array))
        return t.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else t

    def draw(self, recipe):
        import torch
        from torch.nn import functional as F
        B, W, H = recipe["B"], recipe["W"], recipe["H"]
        device, up = self.device, self.up
        light = {k: up(v) if isinstance(v, np.ndarray) and v.dtype != bool else v for k, v in recipe["light"].items()}
        canvas = light["fill"][:, None, None].expand(B, H, W) + light["speckle"][:, None, None] * F.interpolate(torch.randn(B, 1, H // 8, W // 8, device=device), (H, W), mode="bilinear")[:, 0]
        canvas = canvas.clamp(0, 255)
        X = torch.arange(W, device=device, dtype=torch.float32)[None, None, :] + 0.5
        Y = torch.arange(H, device=device, dtype=torch.float32)[None, :, None] + 0.5
        for atlas, rows, idx, level, alpha, m, mask, rect, tone in recipe["ops"]:
            # The numbers of a layer travel together.
            flat = up(np.concatenate([rows[:, None], idx[:, None], level[:, None], alpha[:, None], m, mask, rect, tone], 1).astype(np.float32))
            rows, idx, level, alpha_at = (flat[:, i].long() for i in range(4))
            m, mask, rect, tone = flat[:, 4:10], flat[:, 10:16], flat[:, 16:20], flat[:, 20:22]
            v = lambda t: t[:, None, None]
            sx = v(m[:, 0]) * X + v(m[:, 1]) * Y + v(m[:, 2])
            sy = v(m[:, 3]) * X + v(m[:, 4]) * Y + v(m[:, 5])
            u = ((sx - v(mask[:, 0])) / v(mask[:, 2])).abs().clamp(max=2)
            w = ((sy - v(mask[:, 1])) / v(mask[:, 3])).abs().clamp(max=2)
            power = v(mask[:, 4])
            # Powers of 40 stand for a rectangle.
            round_ = (u.clamp(min=1e-4).pow(power.clamp(max=8)) + w.clamp(min=1e-4).pow(power.clamp(max=8))).pow(1 / power.clamp(max=8))
            distance = torch.where(power > 8, torch.maximum(u, w), round_)
            shows = ((1 - distance) / v(mask[:, 5]) + 0.5 * (power > 8)).clamp(0, 1)
            shows = shows * ((X >= v(rect[:, 0])) & (X < v(rect[:, 2])) & (Y >= v(rect[:, 1])) & (Y < v(rect[:, 3])))
            S = BIG if atlas == 0 else SMALL
            fold = torch.pow(2.0, level.float())
            off_x = torch.where(level == 0, 0.0, torch.where(level == 3, S * 1.25, float(S)))
            off_y = torch.where(level <= 1, 0.0, S * 0.5)
            extent = torch.floor(self.sizes[atlas][idx] / fold[:, None]).clamp(min=1)
            lx = torch.minimum((sx / v(fold)).clamp(min=0.5), v(extent[:, 0] - 0.5)) + v(off_x)
            ly = torch.minimum((sy / v(fold)).clamp(min=0.5), v(extent[:, 1] - 0.5)) + v(off_y)
            grid = torch.stack([lx * (2 / (1.5 * S)) - 1, ly * (2 / S) - 1], -1)
            source = self.pixels[atlas][idx][:, None].float()
            value = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)[:, 0]
            value = ((value - 128) * v(tone[:, 0]) + 128 + v(tone[:, 1])).clamp(0, 255)
            if atlas == 0 and (alpha >= 0).any():
                cut = F.grid_sample(self.pixels[0][alpha_at.clamp(min=0)][:, None].float(), grid, mode="bilinear", align_corners=False)[:, 0] / 255
                shows = shows * torch.where(v(alpha_at) >= 0, cut, 1.0)
            old = canvas[rows]
            canvas = canvas.index_copy(0, rows, old + (value - old) * shows)
        hide = up(recipe["hide"])
        for n in range(hide.shape[1]):
            if not recipe["hide"][:, n, 5].any():
                continue
            cx, cy, hw, hh, angle, grey = (hide[:, n, i][:, None, None] for i in range(6))
            c, s = torch.cos(angle), torch.sin(angle)
            a, b = (X - cx) * c + (Y - cy) * s, (Y - cy) * c - (X - cx) * s
            over = (a.abs() < hw) & (b.abs() < hh) & (grey > 0)
            canvas = torch.where(over, grey - 1, canvas)
        return self.expose(canvas, light, X, Y, B, W, H)

    def expose(self, canvas, light, X, Y, B, W, H):
        import torch
        from torch.nn import functional as F
        device = self.device
        v = lambda t: t[:, None, None]
        low = np.flatnonzero(light["low"])
        if len(low):
            rows = self.up(low)
            small = F.interpolate(canvas[rows][:, None], scale_factor=1 / light["low_factor"], mode="area")
            canvas = canvas.index_copy(0, rows, F.interpolate(small, (H, W), mode="bilinear")[:, 0])
        sigma = light["blur"]
        taps = torch.arange(-4, 5, device=device, dtype=torch.float32)
        kernel = torch.exp(-taps**2 / (2 * sigma.clamp(min=0.05)[:, None] ** 2))
        kernel = kernel / kernel.sum(1, keepdim=True)
        # A wider one, to sharpen by.
        soft = torch.exp(-taps**2 / 2)
        soft = soft / soft.sum()
        blur = lambda x, k: F.conv2d(F.conv2d(F.pad(x[None], (4, 4, 4, 4), mode="replicate"), k.view(B, 1, 1, 9), groups=B), k.view(B, 1, 9, 1), groups=B)[0]
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
        turned = torch.einsum("ij,bhjwk,lk->bhiwl", self.dct, blocks, self.dct)
        turned = torch.round(turned / table) * table
        back = torch.einsum("ij,bhiwl,lk->bhjwk", self.dct, turned, self.dct).reshape(B, H, W) + 128
        canvas = torch.where(v(quality) > 0, back, canvas)
        canvas = canvas.clamp(0, 255).round()
        return torch.nan_to_num(canvas)[:, None] / 128 - 1


# ---------------------------------------------------------------- measuring

def overlaps(a, b):
    lt, rb = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(rb - lt, 0, None).prod(-1)
    return both / ((a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None] - both + 1e-9)


def suppressed(score, boxes, limit=0.45):
    order = score.argsort()[::-1][:300]
    score, boxes = score[order], boxes[order]
    o, keep, gone = overlaps(boxes, boxes), [], np.zeros(len(score), bool)
    for i in range(len(score)):
        if not gone[i]:
            keep.append(i)
            gone |= o[i] > limit
    return order[keep]


BINS = (24, 36, 60, 120)


def figures(found, truth, nobody, match=0.3):
    """found: per photo (score, boxes) after suppression, in the label's pixels; truth: boxes; nobody: best score a photo."""
    scores, hits, sizes, hit_scores = [], [], [], []
    for (score, boxes), labels in zip(found, truth):
        order = score.argsort()[::-1]
        score, boxes = score[order], boxes[order]
        got = np.zeros(len(labels), np.float32)
        if len(labels) and len(boxes):
            o = overlaps(boxes, labels)
            for i in range(len(boxes)):
                free = o[i] * (got == 0)
                j = free.argmax()
                if free[j] >= match:
                    got[j] = score[i]
                scores.append(score[i]); hits.append(free[j] >= match)
        else:
            scores += list(score); hits += [False] * len(score)
        sizes += list(np.sqrt((labels[:, 2:] - labels[:, :2]).prod(-1))) if len(labels) else []
        hit_scores += list(got)
    scores, hits, sizes, hit_scores = np.array(scores, np.float32), np.array(hits, bool), np.array(sizes, np.float32), np.array(hit_scores, np.float32)
    nobody = np.array(nobody)

    def at(threshold):
        bins = np.digitize(sizes, BINS)
        ok = hit_scores >= max(threshold, 1e-6)
        return dict(threshold=round(float(threshold), 4), recall=round(float(ok.mean()), 4), extra_per_100=round(float(((scores >= threshold) & ~hits).sum() / len(truth) * 100), 2),
                    by_size=[[int(ok[bins == b].sum()), int((bins == b).sum())] for b in range(5)], above_60=round(float(ok[bins >= 3].mean()), 4) if (bins >= 3).any() else None,
                    false_alarm_pictures=int((nobody >= threshold).sum()), nobody=len(nobody))

    wrong = np.sort(scores[~hits])[::-1] if len(scores) else np.zeros(0)
    def budget(per_100):
        n = int(per_100 * len(truth) / 100)
        return float(wrong[n] + 1e-6) if n < len(wrong) else 0.02
    calm = np.sort(nobody)[::-1]
    best = dict(at_12=at(budget(12)), at_6=at(budget(6)), at_18=at(budget(18)))
    if len(calm):
        best["nobody_1_percent"] = at(float(calm[min(len(calm) - 1, int(len(calm) * 0.0125))] + 1e-6))
    for t in (0.3, 0.4, 0.5, 0.6):
        best[f"at_score_{t}"] = at(t)
    return best


def measure(net, val, truth, nobody, device, amp):
    import torch
    middles, strides = cells(val["side"], val["side"], device)
    tuned, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False

    def look(pictures, factors, sizes, batch=40):
        out = []
        for first in range(0, len(pictures), batch):
            x = torch.from_numpy(pictures[first : first + batch]).to(device)[:, None].float() / 128 - 1
            with torch.no_grad(), amp():
                o = net(x.contiguous(memory_format=torch.channels_last)).float()
            boxes, _ = decode(o, middles, strides)
            p = o[..., 0].sigmoid().cpu().numpy()
            boxes = boxes.cpu().numpy()
            for n in range(len(x)):
                keep = np.flatnonzero(p[n] > 0.02)
                keep = keep[p[n][keep].argsort()[::-1][:400]]
                score, box = p[n][keep], boxes[n][keep]
                k = suppressed(score, box)
                out.append((score[k], box[k] / factors[first + n]))
        return out
    found = look(val["pictures"], val["factors"], None)
    calm = look(nobody["pictures"], nobody["factors"], None)
    torch.backends.cudnn.benchmark = tuned
    return figures(found, truth, [s.max() if len(s) else 0.0 for s, _ in calm])


# ---------------------------------------------------------------- the run

def export(net, unit, path):
    import torch
    from safetensors.numpy import save_file
    tensors = {}
    for name, module in net.named_children():
        weight, bias = module.folded() if isinstance(module, unit) else (module.weight, module.bias)
        tensors[f"{name}.weight"] = weight.detach().float().cpu().permute(2, 3, 1, 0).contiguous().numpy().astype(np.float16)
        tensors[f"{name}.bias"] = bias.detach().float().cpu().numpy().astype(np.float16)
    save_file(tensors, path + ".part")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    listing = json.load(gzip.open(os.path.join(options.data, "labels.json.gz"), "rt"))
    blob = os.path.join(options.data, "pictures.bin")
    smoke = options.smoke
    share = (lambda items: items[::40]) if smoke else (lambda items: items)
    sets = {k: [] for k in ("scenes", "smiles", "crops", "negatives")}
    jobs = {0: [], 1: []}
    for kind, atlas in (("scenes", 0), ("negatives", 0), ("smiles", 1), ("crops", 1)):
        for entry in share(listing[kind]):
            faces = np.array(entry.get("faces", []), np.float32).reshape(-1, 16)
            sets[kind].append(dict(atlas=atlas, kind=entry.get("kind"), faces=faces, hard=entry.get("hard", []), slot=len(jobs[atlas])))
            jobs[atlas].append((blob, entry["at"], BIG if atlas == 0 else SMALL, bool(entry.get("alpha"))))
    side = 320 if smoke else 640
    val, nobody = listing["val"], listing["nobody_val"]
    val, nobody = (val[::20], nobody[::8]) if smoke else (val, nobody)
    processes = min(16, os.cpu_count() or 1)
    atlases = []
    with mp.get_context("fork").Pool(processes) as pool:
        checked = []
        for entries in (val, nobody):
            read = pool.map(read_val, [(blob, e["at"], side) for e in entries], 8)
            checked.append(dict(pictures=np.stack([r[0] for r in read]), factors=[r[1] for r in read], side=side))
        for atlas, S in ((0, BIG), (1, SMALL)):
            read = pool.map(read_one, jobs[atlas], 16)
            sheets, sizes, place, masks = [], [], {}, {}
            for slot, one in enumerate(read):
                if one is not None:
                    place[slot] = len(sheets)
                    sheets.append(one[0]); sizes.append(one[1])
            for slot, one in enumerate(read):
                if one is not None and one[2] is not None:
                    masks[slot] = len(sheets)
                    sheets.append(one[2]); sizes.append(one[1])
            for kind in sets:
                for s in sets[kind]:
                    if s["atlas"] == atlas:
                        at = place.get(s.pop("slot"))
                        slot_mask = None
                        s["idx"] = at
                        if at is not None:
                            s["w"], s["h"] = sizes[at]
            inverse = {place[slot]: at for slot, at in masks.items()}
            for kind in sets:
                for s in sets[kind]:
                    if s["atlas"] == atlas and s["idx"] in inverse:
                        s["alpha"] = inverse[s["idx"]]
            atlases.append(dict(pixels=np.stack(sheets), sizes=np.array(sizes, np.float32)))
    for kind in sets:
        sets[kind] = [s for s in sets[kind] if s["idx"] is not None]
    sets["smiles"] = [s for s in sets["smiles"] if (s["faces"][:, 15] > 0).any()]
    for s in sets["smiles"]:  # the main face first
        s["faces"] = s["faces"][np.argsort(-s["faces"][:, 15] * s["faces"][:, 2] * s["faces"][:, 3])]
    truth = [np.array([[x, y, x + w, y + h] for x, y, w, h in e["boxes"]], np.float32).reshape(-1, 4) for e in val]
    say("read", {k: len(v) for k, v in sets.items()}, [a["pixels"].shape for a in atlases], "val", len(val), len(nobody))

    # Recipe makers are started before the GPU is touched.
    context = mp.get_context("fork")
    made, stop = context.Queue(12), context.Event()
    makers = [context.Process(target=work, args=(sets, 1000 * n + n, options.seconds, smoke, made, stop), daemon=True) for n in range(1 if smoke else 3)]
    for maker in makers:
        maker.start()

    import torch
    torch.manual_seed(1)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.set_num_threads(2 if cuda else 1)
    if cuda:
        torch.backends.cudnn.benchmark = True
        try:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        except Exception as fault:
            say("no TF32:", fault)
    amp = lambda: torch.autocast(device.type, torch.bfloat16)
    studio = Studio(atlases, device)
    del atlases
    net, unit = network()
    net = net.to(device).to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    say("parameters", sum(p.numel() for p in net.parameters()), "on", torch.cuda.get_device_name() if cuda else "cpu")
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([dict(params=decay, weight_decay=0.03), dict(params=plain, weight_decay=0.0)], lr=options.rate, fused=cuda)
    grids = {}
    mine, theirs = list(net.parameters()), list(average.parameters())
    mine_buffers, their_buffers = ([b for b in n.buffers() if b.dtype.is_floating_point] for n in (net, average))
    steps, pictures, running, last_print, last_save, last_measure = 0, 0, [], time.time(), time.time(), time.time()
    good = None
    reserve = 4 if smoke else 14  # for the last measurement and the export
    begun = time.time() - START
    results = {}

    def save(final=False, measured=None):
        export(average, unit, os.path.join(options.out, "finder.safetensors"))
        report = dict(steps=steps, pictures=pictures, seconds=round(time.time() - START, 1), final=final, widths=WIDTHS, strides=STRIDES, ranges=[list(r) for r in RANGES],
                      input="x/128-1, any size", cell="logit; log of left, top, right, bottom in strides from the cell's middle; five landmarks in strides from there",
                      parameters=sum(p.numel() for p in net.parameters()), figures=measured or results)
        with open(os.path.join(options.out, "finder.json"), "w") as file:
            json.dump(report, file, indent=1)

    while True:
        now = time.time() - START
        if now > options.seconds - reserve:
            break
        progress = (now - begun) / max(1e-6, options.seconds - reserve - begun)
        warm = min(1.0, progress / 0.04)
        rate = options.rate * warm * (0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))) + 1e-6
        for group in optimiser.param_groups:
            group["lr"] = rate
        try:
            recipe = made.get(timeout=60)
        except queue.Empty:
            say("no recipe for a minute"); continue
        try:
            B, W, H = recipe["B"], recipe["W"], recipe["H"]
            with torch.no_grad():
                x = studio.draw(recipe).contiguous(memory_format=torch.channels_last)
                pos, ign = studio.up(recipe["pos"]), studio.up(recipe["ign"])
            if (H, W) not in grids:
                grids[H, W] = grid_of(H, W, device)
            with amp():
                out = net(x)
            score, box, mark, iou = losses(out, grids[H, W], pos, ign)
            optimiser.zero_grad(set_to_none=True)
            (score + 2 * box + 8 * mark).backward()
            torch.nn.utils.clip_grad_norm_(mine, 10.0)
            optimiser.step()
            steps += 1
            pictures += B
            keep = min(0.9985, steps / (steps + 40))
            with torch.no_grad():
                torch._foreach_lerp_(theirs, mine, 1 - keep)
                torch._foreach_lerp_(their_buffers, mine_buffers, 1 - keep)
            running.append(torch.stack([score.detach(), box.detach(), mark.detach(), iou.detach()]))
        except Exception as fault:
            say("step failed:", repr(fault)[:300])
            if steps < 3:
                traceback.print_exc()
            optimiser.zero_grad(set_to_none=True)
            continue
        if time.time() - last_print > (3 if smoke else 10) or steps == 1:
            mean = torch.stack(running).mean(0).cpu().tolist()
            running = []
            if all(map(math.isfinite, mean)):
                good = copy.deepcopy((net.state_dict(), average.state_dict()))
            elif good:
                say("not a number: back to the last good weights")
                net.load_state_dict(good[0]); average.load_state_dict(good[1])
                optimiser.state.clear()
            say(f"{progress:5.1%} step {steps} pictures {pictures} ({pictures / max(1e-6, time.time() - START - begun):.0f}/s) rate {rate:.2e} score {mean[0]:.3f} box {mean[1]:.3f} marks {mean[2]:.4f} iou {mean[3]:.3f} waiting recipes {made.qsize()}"
                + (f" memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else ""))
            last_print = time.time()
        if time.time() - last_measure > (8 if smoke else 55):
            try:
                results = measure(average, checked[0], truth, checked[1], device, amp)
                f = results["at_12"]
                say("  MEASURED recall", f["recall"], "at", f["threshold"], "above 60:", f["above_60"], f["by_size"], "nobody", f["false_alarm_pictures"], "of", f["nobody"], "| nobody 1 %:", results["nobody_1_percent"]["recall"], "at", results["nobody_1_percent"]["threshold"])
                save()
            except Exception:
                traceback.print_exc()
            last_measure = time.time()
    stop.set()
    save()
    try:
        results = measure(average, checked[0], truth, checked[1], device, amp)
        for name, f in results.items():
            say("FINAL", name, f)
    except Exception:
        traceback.print_exc()
    save(True, results)
    say("done", steps, "steps", pictures, "pictures")
    for maker in makers:
        maker.terminate()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
