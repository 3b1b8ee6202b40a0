"""Trains the head with which the estimator tells faces that are turned to the side.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_turned_head.py pictures --data DIR --out OUT
    cargo run --release -p faceguesser-vision --example candidates < OUT/list.txt > OUT/candidates.tsv
    python models/train_turned_head.py fit --data DIR --out OUT --student student.safetensors --weights models/estimator.safetensors

DIR is that of train_estimator_all_sets.py, whose student's features the head reads; its tensors (`model::turned_head`) are added
to the weights file. `pictures` writes turned faces, so that the detector can frame them; `fit` trains on crops with these frames. Faces of the training parts of UTKFace, All-Age-Faces, Groups and GENKI-4K are turned by up to 70° as the surface of an
ellipsoid with a nose (as by `evaluate --degraded`), others half covered or lit from one side, and all are augmented. At the logit 0
are SHARE of the faces of UTKFace's and All-Age-Faces' validation parts as they are. `--sheet` draws FairFace's validation faces with
the highest logits, which are real and were not trained on, for a look.
"""
import argparse, functools, math, pathlib

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

import train_estimator_all_sets as estimator

FACES, COPIES, SHARE = 3000, 3, 0.015
# Turned from this angle on, not turned up to that one, in degrees; what is between is not trained on.
TURNED, FRONTAL, MOST = 40, 18, 70
HIDDEN, EPOCHS, RATE = 32, 30, 2e-3
TABLE = 256


@functools.cache
def surface(degrees):
    """For a head turned by so much: by row and column of its picture, which column was there before; NaN: none."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    table = np.full((TABLE, TABLE), np.nan, np.float32)
    for row in range(TABLE):
        v = 1.44 * ((row + 0.5) / TABLE - 0.5)
        u = math.sqrt(max(0, 1 - (v / 0.72) ** 2)) * ((np.arange(8 * TABLE) + 0.5) / (8 * TABLE) - 0.5)
        ellipsoid = 0.42 * np.sqrt(np.maximum(0, 1 - (u / 0.5) ** 2 - (v / 0.72) ** 2))
        z = ellipsoid + 0.1 * np.exp(-((u / 0.07) ** 2) - (v / 0.12) ** 2)
        column = ((u * cosine + z * sine + 0.7) / 1.4 * TABLE).astype(int)
        # What is nearest is written last.
        order = np.argsort(z * cosine - u * sine)
        order = order[(column[order] >= 0) & (column[order] < TABLE)]
        table[row, column[order]] = u[order]
    return table


def turned(picture, frame, degrees):
    height, width = picture.shape
    cx, cy, side, roll = frame
    y, x = np.mgrid[0:height, 0:width] + 0.5
    dx, dy = (x - cx) / side, (y - cy) / side
    u, v = dx * math.cos(roll) + dy * math.sin(roll), dy * math.cos(roll) - dx * math.sin(roll)
    column = np.floor((u + 0.21 * math.sin(math.radians(degrees)) + 0.7) / 1.4 * TABLE).astype(int)
    row = np.floor((v / 1.44 + 0.5) * TABLE).astype(int)
    inside = (column >= 0) & (row >= 0) & (column < TABLE) & (row < TABLE)
    before = np.full(u.shape, np.nan, np.float32)
    before[inside] = surface(degrees)[row[inside], column[inside]]
    of_face = ~np.isnan(before)
    from_x = np.where(of_face, cx + side * (before * math.cos(roll) - v * math.sin(roll)), x) - 0.5
    from_y = np.where(of_face, cy + side * (before * math.sin(roll) + v * math.cos(roll)), y) - 0.5
    return cv2.remap(picture, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def half_covered(crop, rng):
    crop, share, grey = crop.copy(), int(rng.uniform(0.2, 0.55) * len(crop)), int(rng.integers(20, 230))
    view = np.rot90(crop, rng.integers(0, 4))
    view[:share] = grey
    return crop


def lit_from_one_side(crop, rng):
    across = (np.arange(len(crop)) + 0.5) / len(crop) - 0.5
    light = 1 / (1 + np.exp(across * rng.choice((-1, 1)) / rng.uniform(0.03, 0.15)))
    darkest = rng.uniform(0.1, 0.6)
    return (crop * (darkest + (1 - darkest) * light)).astype(np.uint8)


def inputs(net, crops):
    """Means of the channels of the last map, and how far those of its left and right half are apart (N, 384)."""
    result = []
    with torch.no_grad():
        for batch in torch.from_numpy(np.stack(crops)).split(64):
            last = net.last_map(estimator.standardised(batch[:, None].float()))
            left, right = last[..., :2].mean((2, 3)), last[..., 2:].mean((2, 3))
            result.append(torch.cat([(left + right) / 2, (left - right).abs()], 1))
    return torch.cat(result)


def pictures(options):
    """Training faces, each turned in several ways."""
    faces, rng = read_faces(options), np.random.default_rng(0)
    sets = [estimator.SETS.index(name) for name in ("utkface", "all-age-faces", "groups", "smiles")]
    usable = faces.train[np.isin(faces.index["set"][faces.train], sets) & (faces.index["found"][faces.train] == 1)]
    out, names = pathlib.Path(options.out), []
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for index in rng.choice(usable, min(FACES, len(usable)), replace=False):
        picture, frame = picture_of(faces, index), tuple(map(float, faces.index["frame"][index]))
        for number in range(2 * COPIES):
            # A face that is not turned is framed by the detector as well: once is enough.
            degrees = int(rng.choice((-1, 1)) * rng.integers(8, MOST)) if number else 0
            if FRONTAL < abs(degrees) < TURNED:
                continue
            names.append(str(out / f"pictures/{index}_{degrees}.png"))
            cv2.imwrite(names[-1], turned(picture, frame, degrees) if degrees else picture)
    (out / "list.txt").write_text("".join(f"{name}\n" for name in names))
    print(f"{len(names)} pictures")


def picture_of(faces, index):
    return faces.canvases[index, : faces.index["h"][index], : faces.index["w"][index]]


def found_faces(out):
    """Path and frame of the best candidate of each picture that has one."""
    path = None
    for line in open(out / "candidates.tsv"):
        kind, *fields = line.rstrip("\n").split("\t")
        if kind == "P":
            path = fields[0]
        elif path:
            _, _, _, _, _, first, second, *frame = map(float, fields[:11])
            if first * second > 0.3:
                yield path, frame
            path = None


def examples(faces, net, out):
    """Inputs and whether they are turned, of altered crops as the detector frames them."""
    rng, crops, labels = np.random.default_rng(1), [], []
    for path, frame in found_faces(out):
        index, degrees = map(int, pathlib.Path(path).stem.split("_"))
        faces.index["frame"][index] = frame
        picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        for _ in range(1 if degrees else COPIES):
            # Half of the augmentation's framing is the detector's error already.
            crop = faces.augmented(index, 0.6, rng, picture)
            if rng.random() < 0.25:
                crop = half_covered(crop, rng) if rng.random() < 0.5 else lit_from_one_side(crop, rng)
            crops.append(crop)
            labels.append(float(abs(degrees) >= TURNED))
    return inputs(net, crops), torch.tensor(labels)


def untouched(faces, sets):
    """Crops of validation faces as they are."""
    ids = faces.val[np.isin(faces.index["set"][faces.val], [estimator.SETS.index(name) for name in sets]) & (faces.index["found"][faces.val] == 1)]
    return faces.cut(torch.from_numpy(ids)).round().to(torch.uint8)[:, 0].numpy()


def read_faces(options):
    return estimator.Faces(*estimator.read_data(options.data), "cpu")


def fit(options):
    """The head, from the detector's frames of those pictures."""
    torch.manual_seed(0)
    faces = read_faces(options)
    net = estimator.FoldedStudent(options.student).eval()
    x, y = examples(faces, net, pathlib.Path(options.out))
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    standardised = (x - mean) / deviation
    hidden, output = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, 1)
    head = nn.Sequential(nn.Dropout(0.1), hidden, nn.ReLU(), nn.Dropout(0.2), output)
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.05)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - epoch / EPOCHS) + 1e-5
        for batch in torch.randperm(len(x)).split(256):
            loss = nn.functional.binary_cross_entropy_with_logits(head(standardised[batch])[:, 0], y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}", flush=True)
    head.eval().requires_grad_(False)
    logits = lambda crops: head((inputs(net, crops) - mean) / deviation)[:, 0].numpy()
    plain = logits(untouched(faces, ("utkface", "all-age-faces")))
    threshold = float(np.quantile(plain, 1 - SHARE))
    print("faces as they are, shares", {share: round(float(np.quantile(plain, share)) - threshold, 2) for share in (0.5, 0.8, 0.9, 0.95, 0.98)})
    seen = head(standardised)[:, 0].numpy() > threshold
    print(f"turned {seen[y == 1].mean():.1%}, others altered {seen[y == 0].mean():.1%}")
    if options.sheet:
        crops = untouched(faces, ("fairface",))
        of_fairface = logits(crops) - threshold
        print(f"FairFace {np.mean(of_fairface > 0):.1%}")
        order = np.argsort(-of_fairface)
        last = int(np.sum(of_fairface > 0))
        rows = [order[first : first + 16] for first in (0, 16, 32, last // 2, last // 2 + 16, last - 32, last - 16, last, last + 16)]
        cv2.imwrite(options.sheet, np.vstack([np.hstack(list(crops[row])) for row in rows]))
    first = hidden.weight.detach().numpy()
    with safe_open(options.weights, "np") as file:
        metadata = file.metadata()
    tensors = load_file(options.weights)
    # The standardisation of the inputs is folded into the first layer.
    tensors["turned.hidden.weight"] = np.ascontiguousarray((first / deviation.numpy()).T)
    tensors["turned.hidden.bias"] = hidden.bias.detach().numpy() - first @ (mean / deviation).numpy()
    tensors["turned.output.weight"] = np.ascontiguousarray(output.weight.detach().numpy().T)
    tensors["turned.output.bias"] = output.bias.detach().numpy() - np.float32(threshold)
    save_file(tensors, options.weights, metadata)


def main():
    parser = argparse.ArgumentParser(description="Trains the head that tells faces that are turned to the side.")
    stages = parser.add_subparsers(required=True)
    for stage in (pictures, fit):
        subparser = stages.add_parser(stage.__name__, help=stage.__doc__)
        subparser.set_defaults(run=stage)
        subparser.add_argument("--data", required=True, help="folder with index.npz and the pictures")
        subparser.add_argument("--out", required=True, help="folder for turned pictures and candidates")
        if stage is fit:
            subparser.add_argument("--student", required=True, help="folded weights whose features the head reads")
            subparser.add_argument("--weights", required=True, help="estimator to which the head is added")
            subparser.add_argument("--sheet", help="picture of FairFace's validation faces with the highest logits")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.run(options)


if __name__ == "__main__":
    main()
