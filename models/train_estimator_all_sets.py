"""Trains an age, gender and smile network of the shipped architecture on five data sets, each crop framed by the face detector.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_estimator_all_sets.py distil --data DIR --out OUT --seconds 550
    python models/train_estimator_all_sets.py finetune --data DIR --out OUT --seconds 3900 --start OUT/student.safetensors \\
        --adviser twin.safetensors --advice OUT/embeddings.npz OUT/finetuned.npz

`distil` trains a large teacher, then the student by distillation, both from random weights, on one GPU; `finetune` continues from a
student's folded weights on the CPU. Both stop after a given time. OUT gets student.safetensors (`model::estimator` reads it, with
`smile.weight` and `smile.bias` in addition), figures.json and, at the end, the predictions on the validation faces.

DIR/blob0.bin to blob2.bin contain encoded grey pictures of at most 160 pixels one after the other, DIR/index.npz arrays of one
element (`frame`: four) per picture:

    name     path below the folder of the data sets (`advise_by_*.py` read the picture itself)
    blob, off, len   its file, offset and length in bytes
    w, h     size in pixels
    frame    centre x and y, side and roll (radians) of the crop that the detector gives the face
    found    1: the detector found the face, 2: on a padded or rotated copy, 0: it did not; the frame is then the set's median
    set      index into SETS
    val      whether it belongs to the validation part; such faces are never drawn
    lo, hi   age in years, or the ends of the age bin, inclusive (100 and above: 100); -1: unknown
    gender   1 female, 0 male, -1 unknown
    race     index into RACES, -1 unknown
    smile    1 yes, 0 no, -1 unknown

models/MODEL_CARD.md names the sets. The loss of an age bin is minus the log of the probability inside the bin; exact ages have a soft
target and, in addition, the CRPS (continuous ranked probability score) of the distribution.
"""
import os

# The fine-tuning runs two threads that each compute a part of the batch: cheaper than two threads for each convolution, which wait
# for one another, above all where other programs run.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse, copy, json, math, multiprocessing, time
from concurrent.futures import ThreadPoolExecutor
import cv2
import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional as F

START = time.time()
SETS = ("utkface", "fairface", "all-age-faces", "groups", "smiles")
RACES = ("White", "Black", "Asian", "Indian", "Other", "Latino_Hispanic", "Southeast Asian", "East Asian", "Middle Eastern")
BLACK = RACES.index("Black")
# Pixels of a stored picture's and of a crop's side; ages 0 to 100.
CANVAS, SIDE, AGES = 160, 128, 101
ARCHITECTURE = "16:32x2,64x2,128x2,192x2"
YEARS = torch.arange(AGES, dtype=torch.float32)


def log(*what):
    print(f"[{time.time() - START:6.1f}]", *what, flush=True)


# ---------------------------------------------------------------- reading pictures

def decode(job):
    """The pictures of consecutive entries (file, offset, length) on canvases; pixels beyond a picture stay zero."""
    cv2.setNumThreads(1)
    canvases = np.zeros((len(job), CANVAS, CANVAS), np.uint8)
    for canvas, (path, offset, length) in zip(canvases, job):
        picture = cv2.imdecode(np.fromfile(path, np.uint8, length, offset=offset), cv2.IMREAD_GRAYSCALE)
        canvas[: picture.shape[0], : picture.shape[1]] = picture
    return canvases


def read_data(folder):
    """The index, and the pixels (N, 160, 160)."""
    index = dict(np.load(f"{folder}/index.npz"))
    entries = [(f"{folder}/blob{blob}.bin", int(at), int(size)) for blob, at, size in zip(index["blob"], index["off"], index["len"])]
    pixels = np.empty((len(entries), CANVAS, CANVAS), np.uint8)
    with multiprocessing.get_context("fork").Pool(min(16, os.cpu_count() or 1)) as pool:
        jobs = [entries[first : first + 512] for first in range(0, len(entries), 512)]
        for n, canvases in enumerate(pool.imap(decode, jobs)):
            pixels[n * 512 : n * 512 + len(canvases)] = canvases
    return index, pixels


# ---------------------------------------------------------------- faces

class Faces:
    """What is known of each face, which faces training draws, and their crops."""

    def __init__(self, index, pixels, device):
        self.index, self.canvases, self.device = index, pixels, device
        tensor = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)
        self.pixels, self.frame = tensor(pixels), tensor(index["frame"]).float()
        self.size = tensor(np.stack([index["w"], index["h"]], 1)).float()
        self.set, self.lo, self.hi = tensor(index["set"]).long(), tensor(index["lo"]).float(), tensor(index["hi"]).float()
        self.gender, self.smile = tensor(index["gender"]).float(), tensor(index["smile"]).float()
        self.train, self.val = np.flatnonzero(~index["val"]), np.flatnonzero(index["val"])
        self.exact, self.binned = ((self.lo == self.hi) & (self.lo >= 0)).float(), (self.lo < self.hi).float()
        # UTKFace's gender labels of small children are close to random.
        known = (self.gender >= 0).float()
        self.gender_weight = torch.where((self.hi < 4) & (self.hi >= 0), 0.3, 1.0) * known
        self.soft, self.inside = self.age_targets()
        self.queue = np.zeros(0, int)

    def age_targets(self):
        """Soft targets (N, 101) of exact ages, and the probability (N, 101) that a face of each age gets its bin's label."""
        years, lo, hi = YEARS.to(self.device), self.lo[:, None], self.hi[:, None]
        estimated = (self.set == SETS.index("all-age-faces"))[:, None]
        deviation = torch.where(estimated, 1.0, 0.8) + torch.where(estimated, 0.05, 0.04) * lo.clamp(min=0)
        soft = torch.exp(-0.5 * ((years - lo) / deviation) ** 2)
        # Who labels a face sees its age with an error, which makes the bin's ends soft.
        error = 0.35 + 0.025 * years
        below = lambda age: 0.5 * (1 + torch.erf((age - years) / error / math.sqrt(2)))
        top = below(torch.where(hi >= 100, 1e4, hi + 0.5))
        bottom = below(torch.where(lo <= 0, -1e4, lo - 0.5))
        return soft / soft.sum(1, keepdim=True), (top - bottom).clamp(1e-5, 1)

    def set_chances(self, shares, rarity, teens, black):
        """Sets the chance of each training face: `shares` by set; within a set, ages by a power of their frequency (`rarity` by set),
        teenagers `teens` (by set) and FairFace's Black faces `black` times as often."""
        index, chance = self.index, np.zeros(len(self.index["set"]))
        edges = (0, 4, 10, 13, 18, 20, 30, 40, 50, 60, 70, 80, AGES)
        for number, name in enumerate(SETS):
            ids = self.train[index["set"][self.train] == number]
            lo, hi = index["lo"][ids], index["hi"][ids]
            in_bins = name in ("fairface", "groups")
            cell = index["smile"][ids] if name == "smiles" else lo if in_bins else np.digitize(lo, edges)
            _, inverse, counts = np.unique(cell, return_inverse=True, return_counts=True)
            teen = (lo >= 10) & (hi <= 19) if in_bins else (lo >= 13) & (lo <= 17)
            weight = counts[inverse] ** -rarity[name] * np.where(teen, teens[name], 1.0)
            if name == "fairface":
                weight = weight * np.where(index["race"][ids] == BLACK, black, 1.0)
            else:
                # FairFace's faces that are not found are turned to the side, but centred; in other sets the median frame says nothing.
                weight = weight * (index["found"][ids] != 0)
            chance[ids] = shares[name] * weight / weight.sum()
        self.chance = chance / chance.sum()

    def draw(self, count):
        """Training faces in random order, each as often as its chance says, to within one in 65,536 draws."""
        if len(self.queue) < count:
            size = 65536
            ends = np.cumsum(self.chance * size)
            self.queue = np.random.permutation(np.searchsorted(ends, (np.arange(size) + np.random.rand()) * ends[-1] / size))
        ids, self.queue = self.queue[:count], self.queue[count:]
        return torch.from_numpy(ids).to(self.device)

    def cut(self, ids, side=SIDE, dx=0.0, dy=0.0, scale=1.0, roll=0.0, stretch=1.0, mirror=1.0, fill=None):
        """Crops (B, 1, side, side) from 0 to 255, pixels beyond the picture continued as `FaceCrop` does, or `fill` where that is not
        negative. Shifts are in sides of the frame; all arguments are numbers or (B,)."""
        column = lambda value: value[:, None, None] if torch.is_tensor(value) else value
        cx, cy, s, r = (self.frame[ids][:, k][:, None, None] for k in range(4))
        cx, cy, s, r = cx + column(dx) * s, cy + column(dy) * s, s * column(scale), r + column(roll)
        unit = (torch.arange(side, device=self.device) + 0.5) / side - 0.5
        u, v = unit[None, None, :] * column(stretch) * column(mirror), unit[None, :, None]
        x, y = cx + s * (u * torch.cos(r) - v * torch.sin(r)), cy + s * (u * torch.sin(r) + v * torch.cos(r))
        width, height = (self.size[ids][:, k][:, None, None] for k in (0, 1))
        inside = lambda at, end: torch.minimum(at.clamp(min=0.5), end - 0.5) * (2 / CANVAS) - 1
        grid = torch.stack([inside(x, width), inside(y, height)], -1)
        out = F.grid_sample(self.pixels[ids][:, None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
        if fill is not None:
            outside = ((x < 0) | (y < 0) | (x >= width) | (y >= height)) & (fill >= 0)[:, None, None]
            out = torch.where(outside[:, None], fill[:, None, None, None], out)
        return out

    def augmented_batch(self, ids, strength=1.0, side=SIDE):
        """Crops (B, 1, side, side) as photographs vary, from 0 to 255, computed for all at once. Blur, resolution and JPEG apply to a
        part of the batch each."""
        n, device = len(ids), self.device
        uniform = lambda low, high: torch.rand(n, device=device) * (high - low) + low
        spread = lambda value: value[:, None, None, None]
        chance = lambda probability: torch.rand(n, device=device) < probability * strength
        none = torch.zeros(n, device=device)
        # Most of the detector's errors are small.
        jitter = strength * torch.where(torch.rand(n, device=device) < 0.6, 0.5, 1.0)
        x = self.cut(
            ids, side, dx=uniform(-0.09, 0.09) * jitter, dy=uniform(-0.09, 0.09) * jitter,
            scale=torch.exp(uniform(-0.17, 0.17) * jitter), roll=uniform(-15, 15) * jitter * (math.pi / 180),
            stretch=torch.exp(uniform(-0.09, 0.09) * strength), mirror=torch.where(torch.rand(n, device=device) < 0.5, 1.0, -1.0),
            fill=torch.where(chance(0.2), uniform(0, 255), none - 1),
        )
        changed = chance(0.5)
        contrast, brightness = torch.where(changed, torch.exp(uniform(-0.5, 0.5)), none + 1), torch.where(changed, uniform(-40, 40), none)
        x = (x - 128) * spread(contrast) + 128 + spread(brightness)
        x = 255 * (x.clamp(0, 255) / 255 + 1e-4) ** spread(torch.exp(uniform(-0.5, 0.5) * strength))
        unit = (torch.arange(side, device=device) + 0.5) / side * 2 - 1
        lit = chance(0.6)
        across, down = (spread(torch.where(lit, uniform(-0.4, 0.4), none)) for _ in range(2))
        x = (x * (1 + across * unit[None, None, None, :] + down * unit[None, None, :, None])).clamp(0, 255)

        def some(share):
            count = max(1, int(n * share * strength))
            first = np.random.randint(0, n - count + 1)
            return slice(first, first + count)

        part, deviation = some(0.15), np.random.uniform(0.5, 2.4) * side / SIDE
        reach = math.ceil(2.5 * deviation)
        taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=device) / deviation) ** 2)
        taps = taps / taps.sum()
        padded = F.pad(x[part], (reach,) * 4, mode="replicate")
        x[part] = F.conv2d(F.conv2d(padded, taps[None, None, :, None]), taps[None, None, None, :])
        part, low = some(0.2), int(np.random.choice([24, 32, 40, 48, 56, 64, 80, 96]) * side / SIDE)
        little = F.interpolate(x[part], size=(low, low), mode="bilinear", antialias=True, align_corners=False)
        x[part] = F.interpolate(little, size=(side, side), mode="bilinear", align_corners=False)
        dimmed = torch.where(chance(0.12), uniform(0.08, 0.6), none + 1)
        noise = torch.where(chance(0.3), uniform(0.5, 12), none)
        x = (x * spread(dimmed) + torch.randn_like(x) * spread(noise)).round().clamp(0, 255)
        part = some(0.15)
        x[part] = jpeg(x[part], np.random.uniform(0.5, 6.0))
        covered = chance(0.18)
        cx, cy, half_width, half_height = uniform(0, 1), uniform(0, 1), uniform(0.05, 0.22), uniform(0.05, 0.22)
        at = (torch.arange(side, device=device) + 0.5) / side
        near = lambda centre, half: (at[None, :] - centre[:, None]).abs() < half[:, None]
        rectangle = near(cx, half_width)[:, None, :] & near(cy, half_height)[:, :, None] & covered[:, None, None]
        return torch.where(rectangle[:, None], spread(uniform(0, 255)), x)

    def augmented(self, i, strength, rng, picture=None):
        """The crop (128, 128) of one face, varied as in `augmented_batch`, in a fifth of its time on a CPU; of another `picture`
        with the same frame, if there is one."""
        picture = self.canvases[i, : self.index["h"][i], : self.index["w"][i]] if picture is None else picture
        uniform, chance = rng.uniform, lambda probability: rng.random() < probability * strength
        cx, cy, s, r = map(float, self.index["frame"][i])
        jitter = strength * (0.5 if rng.random() < 0.6 else 1.0)
        cx, cy = cx + uniform(-0.09, 0.09) * jitter * s, cy + uniform(-0.09, 0.09) * jitter * s
        s, r = s * math.exp(uniform(-0.17, 0.17) * jitter), r + uniform(-15, 15) * jitter * math.pi / 180
        sx, sy = s / SIDE * math.exp(uniform(-0.09, 0.09) * strength) * rng.choice((-1, 1)), s / SIDE
        rotation = np.array([[sx * math.cos(r), -sy * math.sin(r)], [sx * math.sin(r), sy * math.cos(r)]])
        shift = np.array([cx, cy]) - 0.5 - rotation.sum(1) * (SIDE - 1) / 2
        x = cv2.warpAffine(
            picture, np.column_stack([rotation, shift]), (SIDE, SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if chance(0.2) else cv2.BORDER_REPLICATE, borderValue=uniform(0, 255),
        )
        tone = np.arange(256, dtype=np.float32)
        if chance(0.5):
            tone = (tone - 128) * math.exp(uniform(-0.5, 0.5)) + 128 + uniform(-40, 40)
        tone = 255 * (np.clip(tone, 0, 255) / 255 + 1e-4) ** math.exp(uniform(-0.5, 0.5) * strength)
        x = cv2.LUT(x, np.clip(tone, 0, 255).astype(np.uint8))
        if chance(0.15):
            x = cv2.GaussianBlur(x, (0, 0), uniform(0.5, 2.4))
        if chance(0.2):
            low = int(rng.choice([24, 32, 40, 48, 56, 64, 80, 96]))
            x = cv2.resize(cv2.resize(x, (low, low), interpolation=cv2.INTER_AREA), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        x = x.astype(np.float32)
        if chance(0.6):
            unit = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)
            x *= (1 + uniform(-0.4, 0.4) * unit)[None, :] * (1 + uniform(-0.4, 0.4) * unit)[:, None]
        if chance(0.12):
            x *= uniform(0.08, 0.6)
        if chance(0.3):
            first = rng.integers(0, len(NOISE) - x.size)
            x += NOISE[first : first + x.size].reshape(x.shape) * uniform(0.5, 12)
        x = np.clip(x.round(), 0, 255).astype(np.uint8)
        if chance(0.15):
            x = cv2.imdecode(cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(uniform(8, 70))])[1], cv2.IMREAD_GRAYSCALE)
        if chance(0.18):
            (cx, cy), (half_width, half_height) = uniform(0, SIDE, 2), uniform(0.05, 0.22, 2) * SIDE
            across, down = (slice(max(0, int(c - half)), int(c + half)) for c, half in ((cx, half_width), (cy, half_height)))
            x[down, across] = int(uniform(0, 255))
        return x


NOISE = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32)


def jpeg(x, loss):
    """Crops whose 8 × 8 blocks have lost detail as by JPEG."""
    n, _, side, _ = x.shape
    k = torch.arange(8, device=x.device, dtype=torch.float32)
    cosines = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / 16) * 0.5
    cosines[0] = math.sqrt(1 / 8)
    frequency = k[:, None] + k[None, :]
    table = (10 + 6 * frequency + 1.2 * frequency**2) * loss / 2
    blocks = x.reshape(n, side // 8, 8, side // 8, 8).transpose(2, 3) - 128
    blocks = cosines.t() @ ((cosines @ blocks @ cosines.t() / table).round() * table) @ cosines + 128
    return blocks.transpose(2, 3).reshape(n, 1, side, side).clamp(0, 255)


def standardised(x):
    """Crops of mean 0 and deviation 1; less in crops without contrast."""
    mean = x.mean((1, 2, 3), keepdim=True)
    variance = (x * x).mean((1, 2, 3), keepdim=True) - mean * mean
    return ((x - mean) / variance.clamp(min=16.0).sqrt()).contiguous(memory_format=torch.channels_last)


# ---------------------------------------------------------------- networks

class Unit(nn.Module):
    """A convolution and its batch norm."""

    def __init__(self, inputs, outputs, kernel=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=0.05)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        return self.norm(self.conv(x))

    def folded(self):
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        return self.conv.weight * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale


class Squeeze(nn.Module):
    """Scales channels by what the whole feature map shows (squeeze and excitation, Hu et al. 2018)."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 8), nn.Linear(channels // 8, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]


class Block(nn.Module):
    """A residual block, left out in training with the probability `drop` (stochastic depth, Huang et al. 2016)."""

    def __init__(self, inputs, outputs, stride, squeeze=False, drop=0.0):
        super().__init__()
        self.first, self.second = Unit(inputs, outputs, 3, stride), Unit(outputs, outputs)
        self.shortcut = Unit(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else None
        self.squeeze, self.drop = Squeeze(outputs) if squeeze else nn.Identity(), drop
        if self.shortcut is None:
            nn.init.constant_(self.second.norm.weight, 0.2)

    def forward(self, x):
        y = self.squeeze(self.second(F.relu(self.first(x), inplace=True)))
        if self.drop and self.training:
            y = y * ((torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop).to(y.dtype) / (1 - self.drop))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)), inplace=True)


class Heads(nn.Module):
    """Logits of the ages (B, 101), of female and of smiling (B,) from features (B, C)."""

    def __init__(self, channels, dropout):
        super().__init__()
        self.age, self.gender, self.smile = nn.Linear(channels, AGES), nn.Linear(channels, 1), nn.Linear(channels, 1)
        self.dropout = dropout
        for head in (self.age, self.gender, self.smile):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            x = F.dropout(x.float(), self.dropout, self.training)
            return self.age(x), self.gender(x)[:, 0], self.smile(x)[:, 0]


class Student(nn.Module):
    """The shipped architecture with batch norm."""

    def __init__(self, dropout=0.1):
        super().__init__()
        stem, stages = ARCHITECTURE.split(":")
        channels = int(stem)
        self.stem, self.blocks, self.names = Unit(1, channels, 3, 2), nn.ModuleList(), []
        for at, stage in enumerate(stages.split(","), 1):
            outputs, count = map(int, stage.split("x"))
            for n in range(count):
                self.blocks.append(Block(channels, outputs, 2 if n == 0 else 1))
                self.names.append(f"stage{at}.block{n}")
                channels = outputs
        self.heads = Heads(channels, dropout)

    def forward(self, x):
        x = F.relu(self.stem(x), inplace=True)
        for block in self.blocks:
            x = block(x)
        return self.heads(x.float().mean((2, 3)))

    def tensors(self):
        """Folded weights by their names in the file; convolutions are (height, width, inputs, outputs)."""
        units = {"stem": self.stem}
        for name, block in zip(self.names, self.blocks):
            units |= {f"{name}.first": block.first, f"{name}.second": block.second}
            if block.shortcut is not None:
                units[f"{name}.shortcut"] = block.shortcut
        tensors = {}
        for name, unit in units.items():
            weight, tensors[f"{name}.bias"] = unit.folded()
            tensors[f"{name}.weight"] = weight.permute(2, 3, 1, 0)
        for name in ("age", "gender", "smile"):
            head = getattr(self.heads, name)
            tensors |= {f"{name}.weight": head.weight.t(), f"{name}.bias": head.bias}
        return tensors


class Teacher(nn.Module):
    """18.9 million parameters, 1.5 G multiply-adds."""

    def __init__(self, drop=0.1, dropout=0.3):
        super().__init__()
        self.stem = nn.ModuleList([Unit(1, 32, 3, 2), Unit(32, 64)])
        channels, self.blocks, depths = 64, nn.ModuleList(), (2, 3, 3, 2)
        for stage, (outputs, count) in enumerate(zip((96, 192, 384, 512), depths)):
            for n in range(count):
                share = drop * len(self.blocks) / sum(depths)
                self.blocks.append(Block(channels, outputs, 2 if n == 0 else 1, squeeze=stage >= 2, drop=share))
                channels = outputs
        self.heads = Heads(channels, dropout)

    def forward(self, x):
        for unit in self.stem:
            x = F.relu(unit(x), inplace=True)
        for block in self.blocks:
            x = block(x)
        return self.heads(x.float().mean((2, 3)))


class FoldedStudent(nn.Module):
    """The shipped architecture without batch norm, from a file; one without `smile` gives smile logits of 0."""

    def __init__(self, path, dropout=0.0):
        super().__init__()
        self.weights, self.dropout = nn.ParameterDict(), dropout
        for name, values in load_file(path).items():
            tensor = torch.from_numpy(values.astype(np.float32))
            if tensor.ndim == 4:
                tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            self.weights[name.replace(".", "/")] = nn.Parameter(tensor)

    def last_map(self, x):
        """(B, 192, 4, 4), whose mean the heads read."""
        # The first convolution as a product with patches: one channel alone is slow in bfloat16.
        padded = F.pad(x, (1, 1, 1, 1))
        x = self.stem(torch.stack([padded[:, 0, i : i + SIDE - 1 : 2, j : j + SIDE - 1 : 2] for i in range(3) for j in range(3)], -1))
        for stage in range(1, 5):
            for n, stride in ((0, 2), (1, 1)):
                name = f"stage{stage}/block{n}"
                y = self.convolve(self.convolve(x, f"{name}/first", stride).relu_(), f"{name}/second", 1)
                x = (y + (self.convolve(x, f"{name}/shortcut", stride) if stride == 2 else x)).relu_()
        return x

    def stem(self, patches):
        return F.linear(patches, self.weights["stem/weight"].reshape(-1, 9), self.weights["stem/bias"]).relu_().permute(0, 3, 1, 2)

    def convolve(self, x, name, stride):
        weight = self.weights[f"{name}/weight"]
        return F.conv2d(x, weight, self.weights[f"{name}/bias"], stride, weight.shape[2] // 2)

    def forward(self, x):
        x = self.last_map(x).float().mean((2, 3))
        with torch.autocast(x.device.type, enabled=False):
            x = F.dropout(x, self.dropout, self.training)
            head = lambda name: x @ self.weights[f"{name}/weight"] + self.weights[f"{name}/bias"]
            smile = head("smile")[:, 0] if "smile/weight" in self.weights else torch.zeros(len(x), device=x.device)
            return head("age"), head("gender")[:, 0], smile

    def tensors(self):
        return {name.replace("/", "."): w.permute(2, 3, 1, 0) if w.ndim == 4 else w for name, w in self.weights.items()}


def export(net, path):
    tensors = {name: tensor.detach().float().cpu().contiguous().numpy().astype(np.float16) for name, tensor in net.tensors().items()}
    save_file(tensors, path + ".partial", metadata={"architecture": ARCHITECTURE})
    os.replace(path + ".partial", path)


# ---------------------------------------------------------------- losses

def label_loss(out, faces, ids, crps_weight=0.2, gender_weight=1.5):
    """Loss (B,) of the logits by what the labels say."""
    age, gender, smile = out
    log_probability = F.log_softmax(age, 1)
    probability = log_probability.exp()
    years = YEARS.to(age.device)
    cross_entropy = -(faces.soft[ids] * log_probability).sum(1)
    crps = ((probability.cumsum(1) - (years >= faces.lo[ids][:, None]).float()) ** 2).sum(1)
    outside_bin = -((probability * faces.inside[ids]).sum(1) + 1e-6).log()
    known_smile = (faces.smile[ids] >= 0).float()
    return (
        faces.exact[ids] * (cross_entropy + crps_weight * crps)
        + 1.2 * faces.binned[ids] * outside_bin
        + gender_weight * faces.gender_weight[ids] * binary(gender, faces.gender[ids].clamp(0, 1) * 0.98 + 0.01)
        + 3.0 * known_smile * binary(smile, faces.smile[ids].clamp(0, 1) * 0.98 + 0.01)
    )


def advice_loss(out, advice, crps_weight=0.2, gender_weight=1.5):
    """Loss (B,) of the logits by another network's probabilities."""
    age, gender, smile = out
    log_probability = F.log_softmax(age, 1)
    cross_entropy = -(advice[0] * log_probability).sum(1)
    crps = ((log_probability.exp().cumsum(1) - advice[0].cumsum(1)) ** 2).sum(1)
    return cross_entropy + crps_weight * crps + gender_weight * binary(gender, advice[1]) + 0.5 * binary(smile, advice[2])


def binary(logit, target):
    return F.binary_cross_entropy_with_logits(logit, target, reduction="none")


def probabilities(out):
    return F.softmax(out[0].float(), 1), torch.sigmoid(out[1].float()), torch.sigmoid(out[2].float())


# ---------------------------------------------------------------- validation

def predict(net, faces, ids, workers, autocast=True, **jitter):
    """Age logits (N, 101), and gender and smile logits (N, 2): means of a face and its mirror image, as the program serves them."""
    device, size = faces.device, 64 if faces.device == "cpu" else 512
    net.eval()

    def part(first):
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=autocast):
            x = standardised(faces.cut(torch.from_numpy(ids[first : first + size]).to(device), **jitter).round())
            return [((plain.float() + mirrored.float()) / 2).cpu().numpy() for plain, mirrored in zip(net(x), net(x.flip(3)))]

    age, gender, smile = (np.concatenate(parts) for parts in zip(*workers.map(part, range(0, len(ids), size))))
    return age, np.stack([gender, smile], 1)


def quantile(logits, share):
    """The age below which this share of the distribution is, interpolated within its year."""
    cumulative = np.exp(logits - logits.max(1, keepdims=True)).cumsum(1)
    cumulative /= cumulative[:, -1:]
    at, rows = (cumulative >= share).argmax(1), np.arange(len(logits))
    before = np.where(at > 0, cumulative[rows, np.maximum(at - 1, 0)], 0.0)
    return np.clip(at - 0.5 + (share - before) / np.maximum(cumulative[rows, at] - before, 1e-9), 0, 100)


def scores(faces, ids, logits, others):
    """Metrics of each set, by decade or bin [faces, MAE or accuracy, bias or mean age], and by race."""
    index = {name: values[ids] for name, values in faces.index.items()}
    age, lo, hi, race = quantile(logits, 0.5), index["lo"].astype(float), index["hi"].astype(float), index["race"]
    low, high = quantile(logits, 0.1), quantile(logits, 0.9)
    right = (others[:, 0] > 0) == (index["gender"] == 1)
    error, in_bin = np.abs(age - lo), (np.round(age) >= lo) & (np.round(age) <= hi)
    result = {}
    for number, name in enumerate(SETS):
        of_set = index["set"] == number
        mean = lambda mask, values: round(float(values[mask & of_set].mean()), 4) if (mask & of_set).any() else None
        by = lambda groups: {key: (int((mask & of_set).sum()), *(mean(mask, v) for v in values)) for key, mask, *values in groups}
        everyone, adult = np.ones(len(ids), bool), lo >= (20 if name == "fairface" else 13)
        if name == "smiles":
            result[name] = dict(smile=mean(everyone, (others[:, 1] > 0) == (index["smile"] == 1)))
            continue
        result[name] = dict(gender=mean(everyone, right), gender_grown=mean(adult, right))
        if name in ("fairface", "groups"):
            bins = sorted(set(zip(lo[of_set], hi[of_set])))
            result[name] |= dict(bin=mean(everyone, in_bin), bins=by((f"{a:.0f}-{b:.0f}", lo == a, in_bin, age) for a, b in bins))
        else:
            teen = (lo >= 13) & (lo <= 17)
            result[name] |= dict(
                mae=mean(everyone, error), mae_21_60=mean((lo >= 21) & (lo <= 60), error), teen_mae=mean(teen, error),
                teens_as_adults=mean(teen, age >= 17.5), adults_as_minors=mean(lo >= 25, age < 17.5),
                coverage=mean(everyone, (lo >= low - 0.5) & (lo <= high + 0.5)), width=mean(everyone, high - low),
                decades=by((str(d), lo // 10 == d // 10, error, age - lo) for d in range(0, 90, 10)),
            )
        if name in ("utkface", "fairface"):
            result[name]["races"] = by((RACES[r], adult & (race == r), right) for r in sorted(set(race[of_set])) if r >= 0)
    return result


def summary(metrics):
    shown = ("mae", "bin", "gender", "gender_grown", "teens_as_adults", "smile")
    return " | ".join(name + " " + " ".join(f"{key} {values[key]}" for key in shown if key in values) for name, values in metrics.items())


def framing(net, faces, ids, workers):
    """Standard deviation of the ages over shifted, scaled and rotated frames, and the share of genders that change."""
    frames = [dict(), *(dict(dx=d) for d in (0.04, -0.04)), *(dict(dy=d) for d in (0.04, -0.04)), *(dict(scale=s) for s in (1.07, 0.93)),
              *(dict(roll=r) for r in (0.09, -0.09))]
    predictions = [predict(net, faces, ids, workers, **frame) for frame in frames]
    ages = np.array([quantile(age, 0.5) for age, _ in predictions])
    female = np.array([others[:, 0] > 0 for _, others in predictions])
    return dict(deviation=float(ages.std(0).mean()), gender_changes=float((female[1:] != female[0]).mean()))


def finish(net, faces, workers, out):
    """Writes weights, metrics and predictions of the validation faces."""
    export(net, f"{out}/student.safetensors")
    logits, others = predict(net, faces, faces.val, workers, autocast=faces.device != "cpu")
    figures = scores(faces, faces.val, logits, others)
    figures["framing"] = framing(net, faces, faces.val[::5], workers)
    log(summary({name: figures[name] for name in SETS}))
    with open(f"{out}/figures.json", "w") as file:
        json.dump(figures, file, indent=1)
    predictions = dict(logits=logits.astype(np.float16), others=others.astype(np.float16), ids=faces.val.astype(np.int32))
    save_file(predictions, f"{out}/val_answers.safetensors")


# ---------------------------------------------------------------- training

def optimiser_of(net, decay):
    """AdamW; biases and batch norm do not decay."""
    groups = [
        dict(params=[p for p in net.parameters() if p.ndim > 1], weight_decay=decay),
        dict(params=[p for p in net.parameters() if p.ndim <= 1], weight_decay=0.0),
    ]
    return torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, 0.99), fused=True)


def set_rate(optimiser, peak, progress, warm_up):
    """One-cycle learning rate: linear warm-up, cosine to zero."""
    cosine = 0.5 * (1 + math.cos(math.pi * max(0.0, min(1.0, progress) - warm_up) / (1 - warm_up)))
    for group in optimiser.param_groups:
        group["lr"] = max(peak * min(1.0, progress / warm_up) * cosine, peak * 1e-4)


class Average:
    """A network with the exponential moving average of another's weights and batch-norm statistics."""

    def __init__(self, net):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        floats = lambda n: [tensor for tensor in n.state_dict().values() if tensor.dtype.is_floating_point]
        self.own, self.other, self.steps = floats(self.net), floats(net), 0

    def update(self):
        # The horizon grows with the steps so far, up to 667.
        self.steps += 1
        with torch.no_grad():
            torch._foreach_lerp_(self.own, self.other, max(0.0015, 1 / (1 + self.steps / 25)))


def train_from_scratch(net, faces, workers, batch, peak, decay, until, sizes, mixup, calmer, teacher=None):
    """Trains on the GPU until `until` seconds from the start; returns the averaged network. `sizes`: crop side and the progress at
    which it ends; augmentation becomes weaker by the share `calmer` in the last two fifths. Seven tenths of the loss are
    distillation from the teacher on the same augmented crops."""
    device, began = faces.device, time.time() - START
    net = net.to(device).to(memory_format=torch.channels_last)
    average, optimiser = Average(net), optimiser_of(net, decay)
    last_log, autocast = 0.0, lambda: torch.autocast(device, torch.bfloat16)
    while (now := time.time() - START) < until:
        progress = (now - began) / (until - began)
        set_rate(optimiser, peak, progress, 0.06)
        net.train()
        side = next(side for side, end in sizes if progress < end)
        ids = faces.draw(batch)
        with torch.no_grad():
            x = faces.augmented_batch(ids, 1 - calmer * max(0.0, (progress - 0.6) / 0.4), side)
            # Mixup: another face is blended in with a weight of up to a half.
            chosen = torch.rand(batch, device=device) < (mixup if progress < 0.9 else 0)
            share = torch.where(chosen, torch.rand(batch, device=device) * 0.5, 0.0)
            x = standardised(x + (x.flip(0) - x) * share[:, None, None, None])
            with autocast():
                advice = probabilities(teacher(x)) if teacher else None
        with autocast():
            out = tuple(logit.float() for logit in net(x))
        loss = (1 - share) * label_loss(out, faces, ids) + share * label_loss(out, faces, ids.flip(0))
        if teacher:
            loss = 0.3 * loss + 0.7 * advice_loss(out, advice)
        loss = loss.mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(net.parameters(), 3.0, foreach=True)
        # The optimiser skips a step whose gradients are not finite.
        optimiser.found_inf, optimiser.grad_scale = (~torch.isfinite(norm)).float(), None
        optimiser.step()
        average.update()
        if average.steps % 5 == 0 and time.time() - last_log > 30:
            log(f"{progress:.1%} step {average.steps} side {side} loss {loss.item():.4f} norm {norm.item():.2f}")
            log("   ", summary(scores(faces, faces.val[::3], *predict(average.net, faces, faces.val[::3], workers))))
            last_log = time.time()
    remeasure_statistics(average.net, faces)
    return average.net


def remeasure_statistics(net, faces):
    """Batch-norm statistics of the averaged weights, on weakly augmented crops."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad(), torch.autocast(faces.device, torch.bfloat16):
        for _ in range(24):
            net(standardised(faces.augmented_batch(faces.draw(1024), 0.35)))
    net.eval()


def distil(options, faces):
    """The teacher from random weights, then the student."""
    workers = ThreadPoolExecutor(1)
    shares = dict(zip(SETS, (0.29, 0.33, 0.16, 0.16, 0.06)))
    faces.set_chances(shares, dict.fromkeys(SETS, 0.5), dict.fromkeys(SETS, 1.5), 1.3)
    began = time.time() - START
    end = options.seconds - 22
    until = began + 0.42 * (end - began)
    teacher = train_from_scratch(Teacher(), faces, workers, 512, 2e-3, 0.05, until, [(96, 0.45), (SIDE, 1)], mixup=0.4, calmer=0.3)
    student = train_from_scratch(Student(), faces, workers, 768, 3e-3, 0.02, end, [(SIDE, 1)], mixup=0.3, calmer=0.5, teacher=teacher)
    finish(student, faces, workers, options.out)


def advice_for(faces, start, adviser, advice, workers):
    """Soft labels of all training faces: the mean of the predictions of the network that training starts from (for UTKFace's ages, four
    tenths the adviser's), which counts a third, and of `advise_by_embeddings.py` and `advise_by_finetuning.py`, whose smiles are not used."""
    sizes = (len(faces.set), AGES), (len(faces.set),), (len(faces.set),)
    ages, genders, smiles = (torch.zeros(size) for size in sizes)
    utkface = faces.train[faces.index["set"][faces.train] == SETS.index("utkface")]
    age, others = map(torch.from_numpy, predict(FoldedStudent(start), faces, faces.train, workers))
    ages[faces.train], (genders[faces.train], smiles[faces.train]) = F.softmax(age, 1), others.unbind(1)
    age, _ = predict(FoldedStudent(adviser), faces, utkface, workers)
    ages[utkface] = 0.6 * ages[utkface] + 0.4 * F.softmax(torch.from_numpy(age), 1)
    files = [{name: torch.from_numpy(values).float() for name, values in np.load(path).items()} for path in advice]
    told_age, told_gender = sum(F.softmax(file["age"], 1) for file in files) / len(files), sum(file["gender"] for file in files) / len(files)
    share = torch.where(faces.set == SETS.index("smiles"), 0.0, 0.64)
    ages = ages + share[:, None] * (told_age - ages)
    genders = torch.sigmoid(genders + share * (told_gender - genders))
    return ages.half(), genders.half(), torch.sigmoid(smiles).half()


class Norm(nn.Module):
    """Batch norm with the statistics of the batch in training, and otherwise with those last measured by `remeasured`."""

    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.seen = None

    def forward(self, x):
        if self.seen is not None:
            self.seen.append((x.float().mean((0, 2, 3)), x.float().var((0, 2, 3), correction=0)))
            means, variances = (torch.stack(values) for values in zip(*self.seen))
            self.mean.copy_(means.mean(0))
            self.variance.copy_(variances.mean(0) + means.var(0, correction=0))
        statistics = (None, None) if self.training else (self.mean, self.variance)
        return F.batch_norm(x, *statistics, self.weight, self.bias, self.training, 0.0, 1e-5)

    @property
    def scale(self):
        return self.weight / torch.sqrt(self.variance + 1e-5)


class UnfoldedStudent(FoldedStudent):
    """The shipped architecture with a batch norm after each convolution, from folded weights, whose outputs it keeps: they can be
    trained at ten times the rate. Threads use the statistics of their own part of a batch."""

    def __init__(self, path, dropout):
        super().__init__(path, dropout)
        units = [name.removesuffix("/weight") for name, weight in self.weights.items() if weight.ndim == 4]
        self.norms = nn.ModuleDict({name: Norm(self.weights[f"{name}/weight"].shape[0]) for name in units})
        for name, norm in self.norms.items():
            norm.weight.data.fill_(math.sqrt(1 + 1e-5))
            norm.bias.data.copy_(self.weights.pop(f"{name}/bias"))

    def normalise(self, faces, batches=4):
        """Moves the scale of each convolution's outputs into its norm. Until then the norms only add the folded bias."""
        self.eval()
        seen = {name: [] for name in self.norms}
        watch = lambda name: lambda _, inputs: seen[name].append(inputs[0].float())
        hooks = [norm.register_forward_pre_hook(watch(name)) for name, norm in self.norms.items()]
        with torch.no_grad():
            self.last_map(augmented_crops(faces, faces.draw(64 * batches), 0.5, np.random.default_rng(6)))
            for name, norm in self.norms.items():
                values = torch.cat(seen[name])
                norm.mean.copy_(values.mean((0, 2, 3)))
                deviation = (values.var((0, 2, 3), correction=0) + 1e-5).sqrt()
                norm.weight.copy_(deviation)
                norm.bias.add_(norm.mean)
                self.weights[f"{name}/weight"].div_(deviation[:, None, None, None])
                norm.mean.div_(deviation)
                norm.variance.fill_(1.0)
        [hook.remove() for hook in hooks]

    def convolve(self, x, name, stride):
        weight = self.weights[f"{name}/weight"]
        return self.norms[name](F.conv2d(x, weight, None, stride, weight.shape[2] // 2))

    def stem(self, patches):
        x = F.linear(patches, self.weights["stem/weight"].reshape(-1, 9)).permute(0, 3, 1, 2)
        return self.norms["stem"](x).relu_()

    def tensors(self):
        tensors = super().tensors()
        for name, norm in self.norms.items():
            tensors[f"{name}/weight".replace("/", ".")] = (self.weights[f"{name}/weight"] * norm.scale[:, None, None, None]).permute(2, 3, 1, 0)
            tensors[f"{name}/bias".replace("/", ".")] = norm.bias - norm.mean * norm.scale
        return tensors


def augmented_crops(faces, ids, strength, rng):
    return standardised(torch.from_numpy(np.stack([faces.augmented(i, strength, rng) for i in ids.tolist()]))[:, None].float())


def remeasured(net, faces, batches=10):
    """The network with statistics of its norms on weakly augmented crops."""
    rng = np.random.default_rng(5)
    net.train()
    for norm in net.norms.values():
        norm.seen = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(batches):
            net.last_map(augmented_crops(faces, faces.draw(256), 0.35, rng))
    for norm in net.norms.values():
        norm.seen = None
    return net.eval()


def finetune(options, faces):
    """From folded weights, on two CPU cores: without mixup, with soft labels, with ever weaker augmentation."""
    workers = ThreadPoolExecutor(2)
    shares = dict(zip(SETS, (0.30, 0.34, 0.16, 0.14, 0.06)))
    rarity = dict.fromkeys(SETS, 0.5) | {"utkface": 0.4}
    faces.set_chances(shares, rarity, dict.fromkeys(SETS, 1.5) | {"all-age-faces": 2.4, "groups": 2.0, "utkface": 1.8}, 1.6)
    advice = advice_for(faces, options.start, options.adviser, options.advice, workers)
    # The soft labels take teenagers for adults too often.
    teenagers = (faces.lo >= 13) & (faces.hi >= 13) & (faces.hi <= 19)
    advice_share = torch.where(teenagers, 0.35, torch.tensor([0.75, 0.75, 0.75, 0.65, 0.4])[faces.set])
    net, chunk, chunks = UnfoldedStudent(options.start, dropout=0.1), 128, 2
    net.normalise(faces)
    parameters, average, optimiser = list(net.parameters()), Average(net), optimiser_of(net, 0.05)
    end, began = options.seconds - 100, time.time() - START
    last_log = time.time()
    weights = dict(crps_weight=0.3, gender_weight=1.8)

    def gradients(job):
        ids, seed, strength = job
        x = augmented_crops(faces, ids, strength, np.random.default_rng(seed))
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x)
        told, share = [part[ids].float() for part in advice], advice_share[ids]
        loss = ((1 - share) * label_loss(out, faces, ids, **weights) + share * advice_loss(out, told, **weights)).mean()
        return loss.item(), torch.autograd.grad(loss, parameters)

    while (now := time.time() - START) < end:
        progress = (now - began) / (end - began)
        set_rate(optimiser, options.rate, progress, 0.05)
        net.train()
        parts = faces.draw(chunk * chunks).split(chunk)
        results = list(workers.map(gradients, [(ids, (average.steps, n), 0.85 - 0.5 * progress) for n, ids in enumerate(parts)]))
        for parameter, *partial in zip(parameters, *(gradient for _, gradient in results)):
            parameter.grad = sum(partial) / chunks
        norm = nn.utils.clip_grad_norm_(parameters, 3.0)
        if torch.isfinite(norm):
            optimiser.step()
        average.update()
        if time.time() - last_log > 420:
            log(f"{progress:.1%} step {average.steps} loss {np.mean([loss for loss, _ in results]):.4f} norm {norm.item():.2f}")
            remeasured(average.net, faces)
            log("   ", summary(scores(faces, faces.val[::3], *predict(average.net, faces, faces.val[::3], workers))))
            export(average.net, f"{options.out}/student.safetensors")
            last_log = time.time()
    finish(remeasured(average.net, faces, 24), faces, workers, options.out)


def main():
    parser = argparse.ArgumentParser(description="Trains the age, gender and smile network on all data sets.")
    stages = parser.add_subparsers(required=True)
    for stage in (distil, finetune):
        subparser = stages.add_parser(stage.__name__, help=stage.__doc__)
        subparser.set_defaults(stage=stage)
        subparser.add_argument("--data", required=True, help="folder with index.npz and the pictures")
        subparser.add_argument("--out", required=True, help="folder for weights, metrics and predictions")
        subparser.add_argument("--seconds", type=float, required=True, help="total time, including reading and the last validation")
        if stage is finetune:
            subparser.add_argument("--start", required=True, help="folded weights to go on from")
            subparser.add_argument("--adviser", required=True, help="folded weights that also advise on UTKFace's ages")
            subparser.add_argument("--advice", required=True, nargs="+", help="what advise_by_embeddings.py and advise_by_finetuning.py wrote")
            subparser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    index, pixels = read_data(options.data)
    torch.manual_seed(1)
    np.random.seed(1)
    device = "cpu"
    if options.stage is distil:
        device = "cuda"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    faces = Faces(index, pixels, device)
    log("train", len(faces.train), "val", len(faces.val))
    options.stage(options, faces)
    log("done")


if __name__ == "__main__":
    main()
