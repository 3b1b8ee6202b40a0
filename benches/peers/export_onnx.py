"""Exports models/estimator.safetensors as an ONNX graph in f32, and checks that it gives the same answers.

    python export_onnx.py models/estimator.safetensors estimator.onnx
    faceguesser guess --json --aligned face.png > answer.json
    python export_onnx.py models/estimator.safetensors estimator.onnx --check face.png answer.json

Input: `crops` (batch, 1, 128, 128), standardised. Outputs: `age` (batch, 101) and `gender` (batch, 1),
both logits. The architecture is that of `vision/src/model/network.rs`; ONNX Runtime fuses convolution, sum and
ReLU itself, and chooses its own channel layout.
"""

import argparse
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open


def graph(weights, architecture):
    nodes, values = [], []

    def constant(name, value):
        values.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def convolution(name, x, stride):
        weight = weights[name + ".weight"]  # (kernel, kernel, in, out)
        pad = weight.shape[0] // 2
        # Half the kernel on all sides. At stride two the last row and column of the padding are never
        # read, so that the first tap is where it is in `vision/src/model/im2col.rs`.
        inputs = [x, constant(name + ".weight", weight.transpose(3, 2, 0, 1)),
                  constant(name + ".bias", weights[name + ".bias"])]
        nodes.append(helper.make_node("Conv", inputs, [name], strides=[stride] * 2, pads=[pad] * 4))
        return name

    def node(operation, inputs, output, **attributes):
        nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    x = node("Relu", [convolution("stem", "crops", 2)], "stem.relu")
    for stage, text in enumerate(architecture.split(":")[1].split(","), 1):
        for index in range(int(text.split("x")[1])):
            block = f"stage{stage}.block{index}"
            stride = 2 if index == 0 else 1
            inner = node("Relu", [convolution(block + ".first", x, stride)], block + ".relu")
            inner = convolution(block + ".second", inner, 1)
            if block + ".shortcut.weight" in weights:
                x = convolution(block + ".shortcut", x, stride)
            x = node("Relu", [node("Add", [inner, x], block + ".sum")], block)
    x = node("Flatten", [node("GlobalAveragePool", [x], "pooled")], "features")
    for head in ("age", "gender"):
        node("Gemm", [x, constant(head + ".weight", weights[head + ".weight"]),
                      constant(head + ".bias", weights[head + ".bias"])], head)
    crops = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["batch", 1, 128, 128])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", weights[name + ".bias"].shape[0]])
               for name in ("age", "gender")]
    return helper.make_graph(nodes, "estimator", [crops], outputs, values)


def standardised(crop):
    """(128, 128) bytes → f32 of mean 0 and standard deviation 1, as `standardised` in `vision/src/model/network.rs`."""
    crop = crop.astype(np.float32)
    return (crop - crop.mean()) / np.sqrt(max(crop.var(), 16.0))


def guess_of(age, gender, calibration=None):
    """Logits of a crop and its mirror image → the median age and the probability of female."""
    age, gender = age.mean(axis=0), gender.mean()
    shares = np.exp(age - age.max())
    below = np.concatenate([[0], np.cumsum(shares / shares.sum())])
    # Each year's share is spread evenly over the year around it.
    years = float(np.interp(0.5, below, np.arange(len(below)) - 0.5))
    if calibration:
        # The guessed ages that have a gender temperature each: `GENDER_AGES` in `vision/src/model/calibration.rs`.
        gender /= np.interp(years, [0, 5, 12, 20, 60], calibration["gender_temperatures"])
    return years, float(1 / (1 + np.exp(-gender)))


def dequantised(name, stored):
    """A tensor in f32: an 8-bit one as `vision/src/model/weights.rs` reads it."""
    values = stored[name].astype(np.float32)
    return (values - 128) * stored[name + ".scale"] if stored[name].dtype == np.uint8 else values


def check(target, calibration, picture, answer):
    import cv2
    import onnxruntime

    crop = standardised(cv2.imread(picture, cv2.IMREAD_GRAYSCALE))
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    logits = session.run(["age", "gender"], {"crops": np.stack([crop, crop[:, ::-1]])[:, None]})
    years, female = guess_of(*logits, calibration)
    with open(answer, encoding="utf-8") as file:
        face = json.load(file)["faces"][0]
    theirs = face["gender_probability"] if face["gender"] == "female" else 1 - face["gender_probability"]
    answers = f"{years:.2f} years, female {female:.3f}; the program {face['age']:.2f} and {theirs:.3f}"
    # The program rounds to a tenth of a year and a thousandth.
    if not (abs(years - face["age"]) <= 0.06 and abs(female - theirs) <= 0.002):
        raise SystemExit(f"the exported graph gives another answer: {answers}")
    print(f"the exported graph gives the same answer: {answers}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("target")
    parser.add_argument("--check", nargs=2, metavar=("PICTURE", "ANSWER"))
    arguments = parser.parse_args()
    with safe_open(arguments.weights, "numpy") as file:
        metadata = file.metadata()
        stored = {name: file.get_tensor(name) for name in file.keys()}
    weights = {name: dequantised(name, stored) for name in stored}
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph(weights, metadata["architecture"]), opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, arguments.target)
    if arguments.check:
        check(arguments.target, json.loads(metadata["calibration"]), *arguments.check)


if __name__ == "__main__":
    main()
