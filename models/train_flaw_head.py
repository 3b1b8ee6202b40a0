"""Trains the head with which the estimator tells faces that are turned to the side, partly covered or blurred.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_flaw_head.py pictures --data DIR --out OUT
    cargo run --release -p faceguesser-vision --example candidates < OUT/list.txt > OUT/candidates.tsv
    python models/train_flaw_head.py fit --data DIR --out OUT --student student.safetensors --weights models/estimator.safetensors

DIR is that of train_estimator_all_sets.py, whose student's features the head reads; its tensors (`model::flaw_head`) are added
to the weights file. `pictures` writes turned faces, so that the detector can frame them; `fit` trains on crops with these frames.
Faces of the training parts of UTKFace, All-Age-Faces, Groups and GENKI-4K are turned by up to 70° as the surface of an ellipsoid with
a nose (as by `evaluate --degraded`). Some are covered by dark glasses, masks, hands, hair or other things, some are blurred, shaken or
enlarged, and all vary in light; ordinary glasses, light from one side and a little blur are no flaws. What such pictures do not teach
comes from the training faces in flaw_labels.tsv, whose flaws were seen by eye: of all sets, most of them such as earlier heads were
unsure about or wrong. The biases are set so that each logit is above 0 for the share SHARES of the untouched validation faces of
UTKFace and All-Age-Faces. `--sheet` draws validation faces
of all sets at the top and at the limit of each flaw, which are real and were not trained on.
"""
import argparse, functools, math, pathlib

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

import train_estimator_all_sets as estimator

FLAWS = ("turned", "covered", "blurred")
# Of untouched faces, by flaw.
SHARES = (0.015, 0.007, 0.015)
FACES, COPIES = 3000, 5
# Turned from the first angle on, not turned up to the second, in degrees; what lies between is not trained on.
TURNED, FRONTAL, MOST = 40, 18, 70
HIDDEN, EPOCHS, RATE = 96, 30, 2e-3
LABELS = pathlib.Path(__file__).with_name("flaw_labels.tsv")
# Of the real faces: crops of each, and the probability of a flaw that is arguable.
REAL_COPIES, ARGUABLE = 6, 0.4
TABLE, SIDE = 256, estimator.SIDE
# Where the eyes are in a crop.
EYES = (0.303, 0.325), (0.696, 0.325)


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
        # The nearest surface is written last.
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


# ---------------------------------------------------------------- crops with flaws

def pasted(crop, mask, values, rng):
    """The crop with values (128, 128) where the mask is 1, with a soft edge."""
    mask = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.5, 2))
    return np.clip(crop * (1 - mask) + values * mask, 0, 255).astype(np.uint8)


def texture(grey, rng):
    """A grey surface, perhaps with stains."""
    stains = rng.normal(0, rng.uniform(3, 40), (int(rng.integers(2, 30)),) * 2) if rng.random() < 0.6 else np.zeros((2, 2))
    return grey + cv2.resize(stains.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def pixels(*shares):
    return [int(share * SIDE) for share in shares]


def half_covered(crop, rng):
    mask = np.zeros_like(crop)
    np.rot90(mask, rng.integers(0, 4))[: int(rng.uniform(0.2, 0.55) * SIDE)] = 1
    return np.where(mask, texture(rng.uniform(20, 230), rng).clip(0, 255), crop).astype(np.uint8)


def lenses(rng, width, height, thickness):
    """Two lenses with a bridge, and perhaps temples; filled if the thickness is -1."""
    mask, tilt, is_round = np.zeros((SIDE, SIDE), np.uint8), rng.uniform(-3, 3), rng.random() < 0.5
    shift = rng.uniform(-0.02, 0.03)
    for x, y in EYES:
        x, y = pixels(x + rng.uniform(-0.015, 0.015), y + shift)
        if is_round:
            cv2.ellipse(mask, (x, y), (width, height), tilt, 0, 360, 1, thickness)
        else:
            cv2.rectangle(mask, (x - width, y - height), (x + width, y + height), 1, thickness)
    line, y = int(rng.integers(1, 5)), int((EYES[0][1] + shift) * SIDE - height * 0.4)
    cv2.line(mask, (int(0.41 * SIDE), y), (int(0.59 * SIDE), y), 1, line)
    if rng.random() < 0.6:
        for end, start in ((-2, 0.3 * SIDE - width), (SIDE + 2, 0.7 * SIDE + width)):
            cv2.line(mask, (int(start), y), (end, y + int(rng.integers(-3, 4))), 1, line)
    return mask


def with_dark_glasses(crop, rng):
    mask = lenses(rng, *pixels(rng.uniform(0.13, 0.19), rng.uniform(0.085, 0.15)), -1) * rng.choice((1.0, rng.uniform(0.8, 1)))
    reflection = np.linspace(rng.uniform(-20, 20), rng.uniform(0, 60), SIDE)[:, None] * rng.integers(0, 2)
    return pasted(crop, mask, texture(rng.uniform(5, 70) if rng.random() < 0.85 else rng.uniform(70, 200), rng) + reflection, rng)


def with_glasses(crop, rng):
    """Of which only the rims are seen; no flaw."""
    size = pixels(rng.uniform(0.11, 0.17), rng.uniform(0.07, 0.13))
    return pasted(crop, lenses(rng, *size, int(rng.integers(1, 6))), texture(rng.uniform(0, 120), rng), rng)


def with_mask(crop, rng):
    top, uniform = rng.uniform(0.44, 0.6), rng.uniform
    outline = [(uniform(0, 0.14), top + uniform(-0.05, 0.06)), (0.5, top - uniform(0.02, 0.08)), (uniform(0.86, 1), top + uniform(-0.05, 0.06)),
               (uniform(0.8, 0.95), uniform(0.85, 1.1)), (0.5, uniform(0.95, 1.2)), (uniform(0.05, 0.2), uniform(0.85, 1.1))]
    mask = cv2.fillPoly(np.zeros_like(crop), [np.array([pixels(*point) for point in outline], np.int32)], 1)
    return pasted(crop, mask, texture(uniform(15, 245), rng), rng)


def with_hand(crop, rng):
    """As light as the face, over mouth, cheek or eyes."""
    places = ((0.35, 0.65, 0.6, 0.85), (0.1, 0.35, 0.45, 0.85), (0.65, 0.9, 0.45, 0.85), (0.25, 0.75, 0.25, 0.4))
    left, right, top, bottom = places[rng.integers(len(places))]
    mask, centre = np.zeros_like(crop), pixels(rng.uniform(left, right), rng.uniform(top, bottom))
    cv2.ellipse(mask, centre, pixels(rng.uniform(0.16, 0.3), rng.uniform(0.16, 0.32)), rng.uniform(0, 180), 0, 360, 1, -1)
    for angle in rng.uniform(0, 2 * math.pi, rng.integers(0, 5)):
        length = rng.uniform(0.2, 0.45) * SIDE
        end = int(centre[0] + length * math.cos(angle)), int(centre[1] + length * math.sin(angle))
        cv2.line(mask, centre, end, 1, int(rng.uniform(8, 15)))
    between_fingers = (np.arange(SIDE)[:, None] + rng.integers(0, 20)) % rng.integers(9, 19) < 2
    values = texture(float(np.median(crop[50:85, 30:98])) * rng.uniform(0.7, 1.25), rng)
    return pasted(crop, mask, values - between_fingers * rng.uniform(0, 40), rng)


def with_hair(crop, rng):
    mask = np.zeros_like(crop)
    for _ in range(rng.integers(18, 50)):
        start = rng.uniform(-0.1, 0.5)
        cv2.line(mask, pixels(start, -0.05), pixels(start + rng.uniform(-0.25, 0.2), rng.uniform(0.5, 1.1)), 1, int(rng.integers(2, 8)))
    return pasted(crop, mask[:, ::-1] if rng.random() < 0.5 else mask, texture(rng.uniform(5, 130), rng), rng)


def with_thing(crop, rng):
    """With a part of the crop itself, turned and moved, in the middle."""
    corners, radius = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 8))), rng.uniform(0.22, 0.36)
    centre = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.75)
    outline = [pixels(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)) for angle in corners]
    mask = cv2.fillPoly(np.zeros_like(crop), [np.array(outline, np.int32)], 1)
    return pasted(crop, mask, np.roll(np.rot90(crop, rng.integers(1, 4)), rng.integers(0, SIDE, 2), (0, 1)).astype(np.float32), rng)


def with_spot(crop, rng):
    """Too small to hide anything; no flaw."""
    mask = cv2.ellipse(np.zeros_like(crop), pixels(*rng.uniform(0, 1, 2)), pixels(*rng.uniform(0.02, 0.1, 2)), rng.uniform(0, 180), 0, 360, 1, -1)
    return pasted(crop, mask, texture(rng.uniform(0, 255), rng), rng)


def lit_from_one_side(crop, rng):
    across = (np.arange(len(crop)) + 0.5) / len(crop) - 0.5
    light = 1 / (1 + np.exp(across * rng.choice((-1, 1)) / rng.uniform(0.03, 0.15)))
    darkest = rng.uniform(0.1, 0.6)
    return (crop * (darkest + (1 - darkest) * light)).astype(np.uint8)


def enlarged(crop, side, rng):
    little = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        little = cv2.imdecode(cv2.imencode(".jpg", little, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(40, 95))])[1], 0)
    return cv2.resize(little, (SIDE, SIDE), interpolation=int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC))))


def shaken(crop, length, rng):
    kernel, angle = np.zeros((31, 31), np.float32), rng.uniform(0, math.pi)
    half = length / 2 * math.cos(angle), length / 2 * math.sin(angle)
    cv2.line(kernel, (int(15 - half[0]), int(15 - half[1])), (int(15 + half[0]), int(15 + half[1])), 1, 1)
    return cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def blurred(crop, rng, strong):
    """`strong`: so that details are gone; otherwise as ordinary photos are."""
    match rng.integers(0, 4):
        case 0 | 1:
            return cv2.GaussianBlur(crop, (0, 0), SIDE * (rng.uniform(0.024, 0.06) if strong else rng.uniform(0.003, 0.011)))
        case 2:
            return enlarged(crop, int(rng.uniform(12, 27) if strong else rng.uniform(52, 110)), rng)
        case _:
            return shaken(crop, rng.uniform(11, 24) if strong else rng.uniform(2, 4), rng)


def in_another_light(crop, rng):
    tone = np.arange(256, dtype=np.float32)
    if rng.random() < 0.5:
        tone = (tone - 128) * math.exp(rng.uniform(-0.4, 0.4)) + 128 + rng.uniform(-35, 35)
    tone = 255 * (np.clip(tone, 0, 255) / 255 + 1e-4) ** math.exp(rng.uniform(-0.4, 0.4))
    tone = tone * (rng.uniform(0.15, 0.6) if rng.random() < 0.12 else 1)
    noise = rng.normal(0, rng.uniform(1, 9), crop.shape) if rng.random() < 0.25 else 0
    crop = np.clip(cv2.LUT(crop, np.clip(tone, 0, 255).astype(np.uint8)) + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(25, 90))])[1], 0)
    return crop


def altered(crop, is_turned, rng):
    """A crop, and which of FLAWS it has."""
    covers = (half_covered, with_dark_glasses, with_mask, with_hand, with_hair, with_thing)
    is_covered, is_blurred = rng.random() < (0.1 if is_turned else 0.4), rng.random() < 0.3
    if is_covered:
        crop = covers[rng.choice(len(covers), p=(0.25, 0.25, 0.15, 0.17, 0.06, 0.12))](crop, rng)
    elif rng.random() < 0.4:
        crop = (with_glasses, with_glasses, with_spot, lit_from_one_side)[rng.integers(0, 4)](crop, rng)
    if is_blurred or rng.random() < 0.5:
        crop = blurred(crop, rng, is_blurred)
    return in_another_light(crop, rng), (is_turned, is_covered, is_blurred)


# ---------------------------------------------------------------- pictures and fitting

def inputs(net, crops):
    """Means of the channels of the last map, how far those of its left and right half are apart, and by how much those of its upper half
    exceed those of its lower half (N, 576)."""
    result = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for batch in torch.from_numpy(np.stack(crops)).split(64):
            last = net.last_map(estimator.standardised(batch[:, None].float())).float()
            left, right, upper, lower = (half.mean((2, 3)) for half in (last[..., :2], last[..., 2:], last[:, :, :2], last[:, :, 2:]))
            result.append(torch.cat([(left + right) / 2, (left - right).abs(), upper - lower], 1))
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
        for number in range(6):
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


def framed(picture, frame, rng):
    """A crop (128, 128) with the errors of framing that the detector makes, perhaps mirrored."""
    cx, cy, side, roll = frame
    error = 0.6 * (0.5 if rng.random() < 0.6 else 1.0)
    cx, cy = cx + rng.uniform(-0.09, 0.09) * error * side, cy + rng.uniform(-0.09, 0.09) * error * side
    step, roll = side / SIDE * math.exp(rng.uniform(-0.17, 0.17) * error), roll + rng.uniform(-15, 15) * error * math.pi / 180
    across = step * rng.choice((-1, 1))
    rotation = np.array([[across * math.cos(roll), -step * math.sin(roll)], [across * math.sin(roll), step * math.cos(roll)]])
    shift = np.array([cx, cy]) - 0.5 - rotation.sum(1) * (SIDE - 1) / 2
    return cv2.warpAffine(picture, np.column_stack([rotation, shift]), (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def examples(net, out):
    """Inputs and flaws (N, 3), of altered crops as the detector frames them."""
    rng, crops, labels = np.random.default_rng(1), [], []
    for path, frame in found_faces(out):
        degrees, picture = int(pathlib.Path(path).stem.split("_")[1]), cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        for _ in range(1 if degrees else COPIES):
            crop, flaws = altered(framed(picture, frame, rng), abs(degrees) >= TURNED, rng)
            crops.append(crop)
            labels.append(flaws)
    cv2.imwrite(str(out / "examples.png"), np.vstack([np.hstack(crops[row * 24 : row * 24 + 24]) for row in range(12)]))
    return inputs(net, crops), torch.tensor(labels).float()


def real_examples(net, faces):
    """Inputs and probabilities of flaws (N, 3), of the faces whose flaws were seen by eye."""
    rng, crops, labels = np.random.default_rng(2), [], []
    numbers = {name.decode(): number for number, name in enumerate(faces.index["name"])}
    for line in LABELS.read_text().splitlines()[1:]:
        name, letters = line.split("\t")
        index = numbers[name]
        picture, frame = picture_of(faces, index), tuple(map(float, faces.index["frame"][index]))
        flaws = [1.0 if flaw[0].upper() in letters else ARGUABLE if flaw[0] in letters else 0.0 for flaw in FLAWS]
        crops += [framed(picture, frame, rng) for _ in range(REAL_COPIES)]
        labels += [flaws] * REAL_COPIES
    return inputs(net, crops), torch.tensor(labels)


def untouched(faces, sets=estimator.SETS):
    """Crops of validation faces as they are."""
    ids = faces.val[np.isin(faces.index["set"][faces.val], [estimator.SETS.index(name) for name in sets]) & (faces.index["found"][faces.val] == 1)]
    return faces.cut(torch.from_numpy(ids)).round().to(torch.uint8)[:, 0].numpy()


def read_faces(options):
    return estimator.Faces(*estimator.read_data(options.data), "cpu")


def fit(options):
    """The head, from the detector's frames of those pictures and from real faces with flaws."""
    torch.manual_seed(0)
    faces = read_faces(options)
    net = estimator.FoldedStudent(options.student).eval()
    made, real = examples(net, pathlib.Path(options.out)), real_examples(net, faces)
    x, y = (torch.cat(both) for both in zip(made, real))
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    standardised = (x - mean) / deviation
    hidden, output = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, len(FLAWS))
    head = nn.Sequential(nn.Dropout(0.1), hidden, nn.ReLU(), nn.Dropout(0.2), output)
    optimiser = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.05)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - epoch / EPOCHS) + 1e-5
        for batch in torch.randperm(len(x)).split(256):
            loss = nn.functional.binary_cross_entropy_with_logits(head(standardised[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}", flush=True)
    head.eval().requires_grad_(False)
    logits = lambda crops: head((inputs(net, crops) - mean) / deviation).numpy()
    plain = logits(untouched(faces, ("utkface", "all-age-faces")))
    thresholds = np.array([np.quantile(plain[:, flaw], 1 - share) for flaw, share in enumerate(SHARES)], np.float32)
    seen, y = head(standardised[: len(made[0])]).numpy() > thresholds, made[1]
    for flaw, name in enumerate(FLAWS):
        shares = {share: round(float(np.quantile(plain[:, flaw], share) - thresholds[flaw]), 2) for share in (0.5, 0.8, 0.9, 0.95, 0.98)}
        has = y[:, flaw].numpy() == 1
        print(f"{name} {seen[has, flaw].mean():.1%}, others altered {seen[~has, flaw].mean():.1%}; untouched, shares {shares}")
    if options.sheet:
        draw_sheet(faces, lambda crops: logits(crops) - thresholds, options.sheet)
    first = hidden.weight.detach().numpy()
    with safe_open(options.weights, "np") as file:
        metadata = file.metadata()
    tensors = load_file(options.weights)
    # The standardisation of the inputs is folded into the first layer.
    tensors["flaws.hidden.weight"] = np.ascontiguousarray((first / deviation.numpy()).T)
    tensors["flaws.hidden.bias"] = hidden.bias.detach().numpy() - first @ (mean / deviation).numpy()
    tensors["flaws.output.weight"] = np.ascontiguousarray(output.weight.detach().numpy().T)
    tensors["flaws.output.bias"] = output.bias.detach().numpy() - thresholds
    save_file(tensors, options.weights, metadata)


def draw_sheet(faces, logits, path):
    """For each flaw and set a row with the highest logits and one around 0."""
    rows = []
    for name in estimator.SETS:
        crops = untouched(faces, (name,))
        of_set = logits(crops)
        for flaw, title in enumerate(FLAWS):
            order, count = np.argsort(-of_set[:, flaw]), int((of_set[:, flaw] > 0).sum())
            print(f"{name}: {title} {count / len(crops):.1%}")
            rows += [np.hstack([crops[face] for face in order[first : first + 20]]) for first in (0, max(0, count - 20))]
    cv2.imwrite(path, np.vstack(rows))


def main():
    parser = argparse.ArgumentParser(description="Trains the head that tells turned, covered and blurred faces.")
    stages = parser.add_subparsers(required=True)
    for stage in (pictures, fit):
        subparser = stages.add_parser(stage.__name__, help=stage.__doc__)
        subparser.set_defaults(run=stage)
        subparser.add_argument("--data", required=True, help="folder with index.npz and the pictures")
        subparser.add_argument("--out", required=True, help="folder for turned pictures and candidates")
        if stage is fit:
            subparser.add_argument("--student", required=True, help="folded weights whose features the head reads")
            subparser.add_argument("--weights", required=True, help="estimator to which the head is added")
            subparser.add_argument("--sheet", help="picture of validation faces that are said to have a flaw")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.run(options)


if __name__ == "__main__":
    main()
