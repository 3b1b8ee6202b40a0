"""Trains the head with which the estimator tells faces from things that only resemble one.

    pip install torch numpy opencv-python-headless safetensors
    python models/train_face_head.py faces --data data --out OUT
    cargo run --release -p faceguesser-vision --example candidates models/estimator.safetensors < OUT/faces.txt > OUT/faces.tsv
    python models/train_face_head.py pictures --data data --out OUT [--without-people LIST]
    cargo run --release -p faceguesser-vision --example candidates models/estimator.safetensors < OUT/list.txt > OUT/candidates.tsv
    python models/train_face_head.py fit --out OUT --weights models/estimator.safetensors

`faces` lists the training parts of `data` with one face in each picture (utkface, fairface, aaf, groups, smiles). `pictures` writes altered
copies of some of them, of all in which the detector is not certain of the face, most of them profiles, of the scenes (every third is held
out, as by `evaluate --held-out`) and of further pictures without people, one path per line of LIST, and labels.json with their faces. `fit`
adds the tensors of `model::face_head` to the weights file; the candidates' features must come from the same weights.
"""
import argparse, csv, json, math, pathlib, random
from multiprocessing import Pool

import cv2
import numpy as np

cv2.setNumThreads(1)
# Copies per picture and the weight of their candidates, by what it shows; a scene's first copy is unaltered and counts more.
SCENES, ANIMALS, THINGS = (4, 0.4), (6, 1.0), (2, 0.5)
UNALTERED_SCENE = 1.2
# Folders of pictures with one face each: how many of them are pasted into other pictures, and how much larger they are than the face.
FACES = {"utkface/train": (1400, 1), "fairface/train": (1600, 1.6), "aaf/train": (700, 1.6), "groups": (700, 1), "smiles": (700, 1.6)}
# The weight of a face's candidates, and the score of both stages below which a training face is learnt from three times.
FACE, CERTAIN = 0.4, 0.72
HIDDEN, EPOCHS, DROPOUT, RATE = 32, 40, 0.2, 3e-3


# ---------------------------------------------------------------- pictures

def in_another_light(picture, rng):
    x = (picture / 255.0) ** math.exp(rng.normal(0, 0.35)) * rng.uniform(0.5, 1.15) + rng.uniform(-0.05, 0.1)
    if rng.random() < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:
        x = x + rng.normal(0, rng.uniform(0.01, 0.05), x.shape)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def overexposed(picture, rng):
    return np.clip(picture * rng.uniform(1.4, 3.5), 0, 255).astype(np.uint8)


def read_grey(path, rng):
    """Grey pixels, on a random background where the picture is transparent; None if it cannot be read."""
    picture = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if picture is None or picture.size == 0:
        return None
    if picture.dtype != np.uint8:
        picture = (picture / 257).astype(np.uint8)
    if picture.ndim == 2:
        return picture
    grey = cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2GRAY)
    if picture.shape[2] == 3:
        return grey
    alpha = picture[..., 3] / 255.0
    return (grey * alpha + rng.uniform(0, 255) * (1 - alpha)).astype(np.uint8)


def resized_to(picture, longer_side):
    factor = longer_side / max(picture.shape)
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def scene(path, copy, rng, boxes):
    picture = cv2.imread(path, 0)
    if copy == 0:
        return picture, boxes
    width = picture.shape[1]
    if copy % 2:
        picture, boxes = picture[:, ::-1], [[width - x - w, y, w, h] for x, y, w, h in boxes]
    return in_another_light(picture, rng), boxes


def without_people(path, copy, rng, _):
    picture = read_grey(path, rng)
    if picture is None or min(picture.shape) < 24:
        return None
    if copy == 0:
        return resized_to(picture, min(768, max(picture.shape))), []
    height, width = picture.shape
    share = rng.uniform(0.4, 1)
    h, w = max(24, int(height * share)), max(24, int(width * share))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    picture = picture[top : top + h, left : left + w]
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.25:
        picture = np.rot90(picture, rng.integers(0, 4))
    return in_another_light(resized_to(np.ascontiguousarray(picture), rng.uniform(160, 600)), rng), []


def single_face(path, _, rng, background):
    """A face of 16 to 200 pixels, perhaps dark, washed out, blurred, half covered or rolled, somewhere on another picture."""
    face, (background, margin) = cv2.imread(path, 0), background
    size = int(rng.integers(200, 513))
    ground = cv2.resize(cv2.imread(background, 0), (size, size), interpolation=cv2.INTER_AREA)
    longer = math.exp(rng.uniform(math.log(16), math.log(200))) * margin
    face = resized_to(face, min(longer, size * 0.95))
    height, width = face.shape
    roll = 0.0
    match rng.integers(0, 10):
        case 0:
            face, ground = (face * rng.uniform(0.12, 0.4)).astype(np.uint8), (ground * 0.3).astype(np.uint8)
        case 1:
            face = cv2.GaussianBlur(face, (0, 0), max(0.5, height * rng.uniform(0.01, 0.05)))
        case 2 if rng.random() < 0.5:
            face[int(height * rng.uniform(0.5, 0.65)) :] = rng.integers(0, 255)
        case 2:
            face[:, : int(width * rng.uniform(0.3, 0.5))] = rng.integers(0, 255)
        case 3 | 4:
            roll = float(rng.choice([90, 180, 270, rng.uniform(-180, 180)]))
        case 5 | 6:
            face = overexposed(face, rng)
    if rng.random() < 0.5:
        face = np.ascontiguousarray(face[:, ::-1])
    left, top = rng.integers(0, size - width + 1), rng.integers(0, size - height + 1)
    transform = cv2.getRotationMatrix2D((width / 2, height / 2), roll, 1)
    transform[:, 2] += left, top
    mask = cv2.GaussianBlur(cv2.warpAffine(np.full(face.shape, 255, np.uint8), transform, (size, size)), (0, 0), 1) / 255.0
    picture = ground * (1 - mask) + cv2.warpAffine(face, transform, (size, size)) * mask
    return in_another_light(picture, rng), [[float(left), float(top), float(width), float(height)]]


def face_as_it_is(path, copy, rng, _):
    """A face that nearly fills its picture; the first copy is only mirrored, perhaps."""
    picture = cv2.imread(path, 0)
    if copy and rng.random() < 0.4:
        picture = overexposed(picture, rng)
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    height, width = picture.shape
    box = [0.2 * width, 0.2 * height, 0.6 * width, 0.6 * height]
    return (in_another_light(picture, rng) if copy else picture), [box]


def render(job):
    (function, weight), path, copy, more, seed, name = job
    rng = np.random.default_rng(seed)
    result = function(path, copy, rng, more)
    if result is None:
        return None
    picture, faces = result
    cv2.imwrite(name, picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
    return name, dict(kind=function.__name__, faces=faces, weight=weight)


def faces_of(data, folder):
    """The faces of a folder, without the validation part of FairFace."""
    paths = sorted(path for path in (data / folder).rglob("*.*") if path.suffix != ".csv")
    return [path for path in paths if folder != "fairface/train" or not path.stem.endswith("7")]


def faces(options):
    data, out = pathlib.Path(options.data), pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "faces.txt").write_text("".join(f"{path}\n" for folder in FACES for path in faces_of(data, folder)))


def uncertain_faces(out):
    """The pictures of `faces` in which no candidate has a score of CERTAIN."""
    scores = {}
    for line in open(out / "faces.tsv"):
        kind, *fields = line.rstrip("\n").split("\t")
        if kind == "P":
            path = fields[0]
            scores[path] = 0
        else:
            scores[path] = max(scores[path], math.sqrt(float(fields[5]) * float(fields[6])))
    return sorted(path for path, score in scores.items() if score < CERTAIN)


def pictures(options):
    data, out, shuffled = pathlib.Path(options.data), pathlib.Path(options.out), random.Random(1)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    boxes = {}
    for row in csv.DictReader(open(data / "scenes/boxes.csv")):
        boxes.setdefault(row["file"], []).append([float(row[side]) for side in "xywh"])
    training = lambda folder: [path for index, path in enumerate(sorted((data / folder).iterdir())) if index % 3]
    empty = [str(path) for path in training("scenes/nobody")]
    more = open(options.without_people).read().split("\n") if options.without_people else []
    animals = [path for path in empty if "animal" in path]
    things = [path for path in empty if "animal" not in path] + [path for path in more if path]
    jobs = [((scene, SCENES[1] if copy else UNALTERED_SCENE), str(path), copy, boxes.get(f"photos/{path.name}", []))
            for path in training("scenes/photos") for copy in range(SCENES[0])]
    for paths, (copies, weight) in ((animals, ANIMALS), (things, THINGS)):
        jobs += [((without_people, weight), path, copy, None) for path in paths for copy in range(copies)]
    uncertain = uncertain_faces(out)
    for folder, (count, margin) in FACES.items():
        paths = faces_of(data, folder)
        chosen = shuffled.sample(paths, min(count, len(paths))) + [path for path in uncertain if f"/{folder}/" in path]
        jobs += [((single_face, FACE), str(path), 0, (shuffled.choice(empty), margin)) for path in chosen]
    jobs += [((face_as_it_is, FACE), path, copy, None) for path in uncertain for copy in range(2)]
    jobs = [(*job, index, str(out / f"pictures/{index}.jpg")) for index, job in enumerate(jobs)]
    with Pool() as pool:
        labels = dict(result for result in pool.imap_unordered(render, jobs, chunksize=32) if result)
    json.dump(labels, open(out / "labels.json", "w"))
    (out / "list.txt").write_text("".join(f"{name}\n" for name in sorted(labels)))
    print(f"{len(labels)} pictures")


# ---------------------------------------------------------------- fitting

def iou(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def labelled(candidates, label):
    """Whether each candidate (best first) is a face, and its weight; 0 where that is not known."""
    faces, open_faces = label["faces"], list(label["faces"])
    for box, score in candidates:
        if label["kind"] in ("single_face", "face_as_it_is"):
            [[left, top, width, height]] = faces
            offset = math.hypot(box[0] + box[2] / 2 - left - width / 2, box[1] + box[3] / 2 - top - height / 2)
            is_face = bool(open_faces) and offset < 0.3 * max(width, height)
            open_faces = [] if is_face else open_faces
            yield (1, 1) if is_face else (0, 0)
            continue
        overlap, face = max(((iou(box, face), face) for face in faces), default=(0, None))
        if overlap >= 0.3:
            yield 1, face in open_faces
            open_faces = [other for other in open_faces if other != face]
        elif overlap > 0.1:
            yield 0, 0.3
        else:
            # Some faces of bystanders have no label.
            yield 0, 0 if faces and score > 0.8 else 1


def read_candidates(out):
    labels = json.load(open(out / "labels.json"))
    inputs, targets, weights = [], [], []
    logit = lambda score: np.log(np.clip(score, 0.02, 0.98) / (1 - np.clip(score, 0.02, 0.98)))
    label, rows = None, []

    def finish():
        if not rows:
            return
        table = np.array(rows)
        scores = np.sqrt(table[:, 5] * table[:, 6])
        evidence = [logit(table[:, 5]), logit(table[:, 6]), np.log(np.clip(table[:, 4], 8, 400))]
        inputs.append(np.concatenate([table[:, 11:], np.stack(evidence, 1)], 1).astype(np.float32))
        target, weight = zip(*labelled(list(zip(table[:, :4].tolist(), scores)), label))
        targets.extend(target)
        weights.extend(np.array(weight) * label["weight"])

    for line in open(out / "candidates.tsv"):
        kind, *fields = line.rstrip("\n").split("\t")
        if kind == "P":
            finish()
            label, rows = labels[fields[0]], []
        else:
            rows.append([float(field) for field in fields])
    finish()
    return np.concatenate(inputs), np.array(targets, np.float32), np.array(weights, np.float32)


def fit(options):
    import torch
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
    from torch import nn

    x, y, weight = read_candidates(pathlib.Path(options.out))
    x, y, weight = x[weight > 0], torch.tensor(y[weight > 0]), torch.tensor(weight[weight > 0])
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    x = torch.tensor((x - mean) / deviation)
    torch.manual_seed(0)
    hidden, output = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, 1)
    net = nn.Sequential(nn.Dropout(0.1), hidden, nn.ReLU(), nn.Dropout(DROPOUT), output)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - epoch / EPOCHS) + 1e-5
        for batch in torch.randperm(len(x)).split(256):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[batch])[:, 0], y[batch], reduction="none")
            optimiser.zero_grad()
            (loss * weight[batch]).mean().backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {(loss * weight[batch]).mean().item():.4f}", flush=True)
    # The standardisation of the inputs is folded into the first layer.
    first = hidden.weight.detach().numpy()
    with safe_open(options.weights, "np") as file:
        metadata = file.metadata()
    tensors = load_file(options.weights)
    tensors["face.hidden.weight"] = np.ascontiguousarray((first / deviation).T)
    tensors["face.hidden.bias"] = hidden.bias.detach().numpy() - first @ (mean / deviation)
    tensors["face.output.weight"] = np.ascontiguousarray(output.weight.detach().numpy().T)
    tensors["face.output.bias"] = output.bias.detach().numpy()
    save_file(tensors, options.weights, metadata)


def main():
    parser = argparse.ArgumentParser(description="Trains the head that tells faces from what only resembles one.")
    stages = parser.add_subparsers(required=True)
    for stage in (faces, pictures, fit):
        subparser = stages.add_parser(stage.__name__)
        subparser.set_defaults(run=stage)
        subparser.add_argument("--out", required=True, help="folder for pictures, labels and candidates")
        if stage is not fit:
            subparser.add_argument("--data", required=True, help="folder with the unpacked data sets")
        if stage is pictures:
            subparser.add_argument("--without-people", help="file that lists further pictures without people")
        if stage is fit:
            subparser.add_argument("--weights", required=True, help="estimator to which the head is added")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
