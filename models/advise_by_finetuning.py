"""Fine-tunes HSE-FaceRes on all training parts and predicts all faces with it, as soft labels for `train_estimator_all_sets.py finetune`.

    pip install torch numpy opencv-python-headless safetensors
    python models/advise_by_finetuning.py --data DIR --pictures DATA --model package/models/faceres-deep --out OUT --seconds 1700

`faceres.py` says where the network comes from. All but its first layers are trained, on 160×160 pixels, in two threads of a CPU (bfloat16,
fast with AMX only); UTKFace's pictures are seen in colour and in grey, the others in grey. DIR is that of train_estimator_all_sets.py,
DATA holds the pictures that its index names. OUT gets the crops, finetuned.pt, written every five minutes, and finetuned.npz with the
logits. Unlike `advise_by_embeddings.py`, it labels faces that it was trained on; it has seen each of them once or twice.
"""
import argparse, math, os, time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import train_estimator_all_sets as estimator
from faceres import FEATURES, FaceRes, cut, pixels_of

# Pixels of a crop's side, and the crop relative to the estimator's frame; crops are stored with a margin for augmentation.
SIDE, SCALE, STORED = 160, 1.21, 216
FIRST_TRAINED, CHUNK, SETS = 9, 64, len(estimator.SETS)
RATE, HEAD_RATE, DECAY = 4e-4, 2e-3, 0.02


class Adviser(nn.Module):
    """Pictures and their sets → age logits (B, 101), gender logits, smile logits."""

    def __init__(self, path):
        super().__init__()
        self.body = FaceRes(path, FIRST_TRAINED)
        self.heads = nn.Linear(FEATURES + SETS, estimator.AGES + 2)
        self.heads.weight.data.mul_(0.1)

    def forward(self, x, sets):
        features = F.dropout(self.body(x), 0.2, self.training)
        with torch.autocast("cpu", enabled=False):
            out = self.heads(torch.cat([features, 2.0 * F.one_hot(sets, SETS)], 1))
        return out[:, : estimator.AGES], out[:, estimator.AGES], out[:, estimator.AGES + 1]


class Crops:
    """All faces in grey (N, 216, 216), UTKFace's, which are the first, also in colour."""

    def __init__(self, index, pictures, out):
        names, is_utkface = index["name"], index["set"] == estimator.SETS.index("utkface")
        count = int(is_utkface.sum())
        assert is_utkface[:count].all(), "the index begins with UTKFace"
        paths = f"{out}/colour.npy", f"{out}/grey.npy"
        if not os.path.exists(paths[1]):
            colour = np.lib.format.open_memmap(paths[0], "w+", np.uint8, (count, STORED, STORED, 3))
            grey = np.lib.format.open_memmap(paths[1] + ".partial", "w+", np.uint8, (len(names), STORED, STORED))

            def store(i):
                picture = cv2.imread(f"{pictures}/{names[i].decode()}", cv2.IMREAD_COLOR if i < count else cv2.IMREAD_GRAYSCALE)
                crop = cut(picture, index["w"][i], index["frame"][i], STORED, SCALE * STORED / SIDE)
                if i < count:
                    colour[i], crop = crop, cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
                grey[i] = crop

            with ThreadPoolExecutor(2) as workers:
                list(workers.map(store, range(len(names))))
            os.replace(paths[1] + ".partial", paths[1])
        self.colour, self.grey = (np.load(path, mmap_mode="r") for path in paths)

    def read(self, i, in_colour):
        return self.colour[i] if in_colour and i < len(self.colour) else cv2.cvtColor(self.grey[i], cv2.COLOR_GRAY2BGR)

    def plain(self, i):
        margin = (STORED - SIDE) // 2
        return self.read(i, True)[margin : margin + SIDE, margin : margin + SIDE]

    def augmented(self, i, rng):
        picture, uniform, chance = self.read(i, rng.random() < 0.6), rng.uniform, lambda probability: rng.random() < probability
        scale, stretch, mirror = math.exp(uniform(-0.14, 0.14)), math.exp(uniform(-0.07, 0.07)), rng.choice((-1, 1))
        roll = uniform(-12, 12) * math.pi / 180 * (0.5 if chance(0.6) else 1)
        across, sin, cos = scale * stretch * mirror, math.sin(roll), math.cos(roll)
        rotation = np.array([[across * cos, -scale * sin], [across * sin, scale * cos]])
        centre = np.array([STORED / 2 + uniform(-10, 10) - 0.5, STORED / 2 + uniform(-10, 10) - 0.5])
        transform = np.column_stack([rotation, centre - rotation.sum(1) * (SIDE - 1) / 2])
        x = cv2.warpAffine(picture, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
        tone = np.arange(256, dtype=np.float32)
        if chance(0.6):
            tone = (tone - 128) * math.exp(uniform(-0.4, 0.4)) + 128 + uniform(-35, 35)
        tone = 255 * (np.clip(tone, 0, 255) / 255 + 1e-4) ** math.exp(uniform(-0.4, 0.4))
        x = cv2.LUT(x, np.clip(tone, 0, 255).astype(np.uint8))
        if chance(0.15):
            x = cv2.GaussianBlur(x, (0, 0), uniform(0.5, 2.5))
        if chance(0.2):
            few = int(rng.choice([40, 56, 72, 96, 128]))
            x = cv2.resize(cv2.resize(x, (few, few), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
        if chance(0.3):
            half, at = (int(uniform(10, 50)), int(uniform(10, 50))), (int(uniform(0, SIDE)), int(uniform(0, SIDE)))
            corners = [(at[0] + sign * half[0], at[1] + sign * half[1]) for sign in (-1, 1)]
            cv2.rectangle(x, *corners, (int(uniform(0, 255)),) * 3, -1)
        return x


def predict(net, faces, crops, ids, workers):
    """Log-probabilities of the ages (N, 101), and gender and smile logits (N, 2): the mean over crop and mirror image."""
    ages, others = torch.zeros(len(ids), estimator.AGES), torch.zeros(len(ids), 2)

    def part(span):
        x, sets = pixels_of([crops.plain(i) for i in ids[span]]), faces.set[ids[span]]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for view in (x, x.flip(3)):
                age, gender, smile = net(view, sets)
                ages[span] += F.log_softmax(age.float(), 1) / 2
                others[span] += torch.stack([gender, smile], 1).float() / 2

    list(workers.map(part, np.array_split(np.arange(len(ids)), len(ids) // CHUNK + 1)))
    return ages, others


def remeasure(net, faces, crops, batches=16):
    """Batch-norm statistics of averaged weights."""
    norms, rng = [layer.norm for layer in net.body.trained], np.random.default_rng(9)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(batches):
            net.body(pixels_of([crops.augmented(i, rng) for i in faces.draw(128).tolist()]))
    net.eval()


def train(net, faces, crops, workers, seconds, path):
    """Trains for that long; returns the averaged network."""
    shares = dict(zip(estimator.SETS, (0.30, 0.36, 0.15, 0.15, 0.04)))
    faces.set_chances(shares, dict.fromkeys(estimator.SETS, 0.4), dict.fromkeys(estimator.SETS, 1.6), 1.5)
    rng = np.random.default_rng(0)
    net.body.normalise(pixels_of([crops.augmented(i, rng) for i in faces.draw(3 * CHUNK).tolist()]))
    body, heads = list(net.body.trained.parameters()), list(net.heads.parameters())
    groups = [([one for one in body if one.ndim > 1], DECAY, RATE), ([one for one in body if one.ndim == 1], 0, RATE), (heads, DECAY, HEAD_RATE)]
    groups = [dict(params=params, weight_decay=decay, peak=peak) for params, decay, peak in groups]
    optimiser, average = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99), fused=True), estimator.Average(net)
    parameters, began, step = body + heads, time.time(), 0
    last_log = began

    def gradients(job):
        ids, seed = job
        rng = np.random.default_rng(seed)
        x = pixels_of([crops.augmented(i, rng) for i in ids.tolist()])
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x, faces.set[ids])
        loss = estimator.label_loss(tuple(logits.float() for logits in out), faces, ids, crps_weight=0.3, gender_weight=1.8).mean()
        return loss.item(), torch.autograd.grad(loss, parameters)

    while (progress := (time.time() - began) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * max(1e-3, min(1, progress / 0.05) * 0.5 * (1 + math.cos(math.pi * max(0, progress - 0.05) / 0.95)))
        net.train()
        results = list(workers.map(gradients, [(ids, (step, n)) for n, ids in enumerate(faces.draw(2 * CHUNK).split(CHUNK))]))
        for parameter, *partial in zip(parameters, *(gradient for _, gradient in results)):
            parameter.grad = sum(partial) / len(partial)
        if torch.isfinite(nn.utils.clip_grad_norm_(parameters, 3.0)):
            optimiser.step()
        average.update()
        step += 1
        if time.time() - last_log > 300:
            estimator.log(f"{progress:.1%} step {step} loss {np.mean([loss for loss, _ in results]):.3f}")
            remeasure(average.net, faces, crops, 8)
            torch.save(average.net.state_dict(), path)
            last_log = time.time()
    remeasure(average.net, faces, crops)
    torch.save(average.net.state_dict(), path)
    return average.net


def main():
    parser = argparse.ArgumentParser(description="Advises on all faces by HSE-FaceRes, fine-tuned.")
    parser.add_argument("--data", required=True, help="folder with index.npz")
    parser.add_argument("--pictures", required=True, help="folder of the data sets")
    parser.add_argument("--model", required=True, help="the network's files, without .json and .bin")
    parser.add_argument("--out", required=True, help="folder for crops, weights and logits")
    parser.add_argument("--seconds", type=float, required=True, help="time of the training itself")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    index, workers = dict(np.load(f"{options.data}/index.npz")), ThreadPoolExecutor(2)
    # Faces' own crops are not used.
    faces = estimator.Faces(index, np.zeros((len(index["set"]), 1, 1), np.uint8), "cpu")
    crops = Crops(index, options.pictures, options.out)
    net = Adviser(options.model).to(memory_format=torch.channels_last)
    net = train(net, faces, crops, workers, options.seconds, f"{options.out}/finetuned.pt")
    ages, others = predict(net, faces, crops, np.arange(len(faces.set)), workers)
    for name, ids in (("training", faces.train), ("validation", faces.val)):
        estimator.log(name, estimator.summary(estimator.scores(faces, ids, ages[ids].numpy(), others[ids].numpy())))
    np.savez(f"{options.out}/finetuned.npz", age=ages.half().numpy(), gender=others[:, 0].half().numpy())


if __name__ == "__main__":
    main()
