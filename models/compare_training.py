"""Times one training epoch in PyTorch and in `faceguesser train`, one after the other.

    pip install torch pillow
    python models/compare_training.py target/release/faceguesser data/utkface/train --threads 2

Both train the recipe's network on the same full-size crops with the recipe's batch size and the same
losses, with random framing, mirroring and exposure; `faceguesser train` additionally applies the
recipe's other augmentations. PyTorch runs channels-last in f32 and, on AVX-512 processors, in bf16.
The first epoch is a warm-up; the second is timed, without validation. Prints seconds per epoch and
their ratio. A benchmark only: neither the program nor its build uses this file.
"""

import argparse
import csv
import pathlib
import re
import subprocess
import tempfile
import time
import tomllib

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for _ in range(3))
        self.shortcut = nn.Conv2d(channels, out, 1, stride, bias=False) if stride != 1 or channels != out else None

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        skip = x if self.shortcut is None else self.norms[2](self.shortcut(x))
        return F.relu(self.norms[1](self.second(y)) + skip)


class Net(nn.Module):
    def __init__(self, architecture):
        super().__init__()
        stem, stages = architecture.split(":")
        channels = int(stem)
        layers = [nn.Conv2d(1, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        for out, count in (map(int, stage.split("x")) for stage in stages.split(",")):
            for index in range(count):
                layers.append(Block(channels, out, 2 if index == 0 else 1))
                channels = out
        self.body, self.age, self.gender = nn.Sequential(*layers), nn.Linear(channels, 101), nn.Linear(channels, 1)

    def forward(self, x):
        features = F.dropout(self.body(x).mean((2, 3)), 0.3, self.training)
        return self.age(features), self.gender(features)


def load(folder, count):
    files = sorted(pathlib.Path(folder).iterdir())[:: max(1, len(list(pathlib.Path(folder).iterdir())) // count)][:count]
    pictures, ages, genders = [], [], []
    for file in files:
        picture = Image.open(file).convert("L").resize((200, 200))
        pictures.append(torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, 200, 200))
        age, gender = file.name.split("_")[:2]
        ages.append(min(float(age), 100.0))
        genders.append(float(gender))
    return files, torch.stack(pictures), torch.tensor(ages), torch.tensor(genders)


def augment(pictures):
    """(batch, 1, 200, 200) uint8 -> (batch, 1, 128, 128), standardised."""
    count = len(pictures)
    uniform = lambda reach: (torch.rand(count) * 2 - 1) * reach
    angle, scale = uniform(15 * torch.pi / 180), 1 + uniform(0.15)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    rows = [torch.stack([mirror * scale * angle.cos(), -scale * angle.sin(), uniform(0.16)], 1)]
    rows.append(torch.stack([mirror * scale * angle.sin(), scale * angle.cos(), uniform(0.16)], 1))
    grid = F.affine_grid(torch.stack(rows, 1), (count, 1, 128, 128), align_corners=False)
    x = F.grid_sample(pictures.float() / 255, grid, padding_mode="border", align_corners=False)
    x = x.pow((1.6 ** uniform(1.0)).view(-1, 1, 1, 1))
    return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True).clamp_min(4 / 255)


def torch_epoch(data, kind, recipe):
    _, pictures, ages, genders = data
    net = Net(recipe["architecture"]).to(memory_format=torch.channels_last)
    ema = [p.detach().clone() for p in net.parameters()]
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.02, foreach=True)
    years = torch.arange(101.0)
    for _ in range(2):
        started, order = time.time(), torch.randperm(len(pictures))
        for at in order.split(recipe["batch_size"]):
            x = augment(pictures[at]).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"):
                age, gender = net(x)
            age, gender = age.float(), gender.float().squeeze(1)
            spread = (0.8 + 0.04 * ages[at]).unsqueeze(1)
            soft = F.softmax(-0.5 * ((years - ages[at].unsqueeze(1)) / spread) ** 2, 1)
            loss = -(soft * F.log_softmax(age, 1)).sum(1).mean()
            loss = loss + 0.1 * (F.softmax(age, 1) @ years - ages[at]).abs().mean()
            loss = loss + F.binary_cross_entropy_with_logits(gender, genders[at])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            torch._foreach_lerp_(ema, [p.detach() for p in net.parameters()], 0.002)
        seconds = time.time() - started
    return seconds


def faceguesser_epoch(program, files, threads, recipe):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, chosen in [("train", files), ("val", files[:16])]:
            (folder / name).mkdir()
            for file in chosen:
                (folder / name / file.name).symlink_to(file.resolve())
        # All epochs at full size.
        recipe = re.sub(r"(?m)^progressive_resizing = .*$", "progressive_resizing = []", recipe)
        (folder / "recipe.toml").write_text(recipe)
        command = [program, "train", "--recipe", folder / "recipe.toml"]
        command += ["--train", folder / "train", "--val", folder / "val", "--out", folder / "out"]
        command += ["--epochs", "3", "--validate-every", "3"]
        subprocess.run(command, check=True, capture_output=True, env={"RAYON_NUM_THREADS": str(threads)})
        with open(folder / "out/curve.csv") as rows:
            return float(list(csv.DictReader(rows))[1]["seconds"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--recipe", default="config/training/estimator-7.toml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=2048)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = load(options.folder, options.pictures)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{len(data[0])} pictures, {options.threads} threads, torch {torch.__version__}, {capability}")
    kinds = ["f32", "bf16"] if "AVX512" in capability else ["f32"]
    recipe = pathlib.Path(options.recipe).read_text()
    torch_seconds = {kind: torch_epoch(data, kind, tomllib.loads(recipe)) for kind in kinds}
    own_seconds = faceguesser_epoch(options.program, data[0], options.threads, recipe)
    print(f"faceguesser train: {own_seconds:.1f} s per epoch")
    for kind, seconds in torch_seconds.items():
        print(f"PyTorch {kind}: {seconds:.1f} s per epoch; faceguesser takes {own_seconds / seconds:.2f} times as long")


if __name__ == "__main__":
    main()
