"""Measures the fastest pipelines that a user could assemble from packages, on one thread.

    python assembled.py --graph estimator.onnx [--yunet yunet.onnx] PICTURE... > assembled.json

OpenCV decodes (libjpeg-turbo) and resizes the picture to a side of 640, YuNet finds the faces, their
landmarks give the rolled squares, and ONNX Runtime runs this program's own network: on all crops
together with their mirror images, as this program does (`network`, `whole`), and on the crops alone
(`network_single`, `whole_single`). Three pipelines:

    opencv       YuNet through OpenCV's own `FaceDetectorYN`
    onnxruntime  YuNet through ONNX Runtime, in about half the time
    reduced      the same, and libjpeg downscales by 2, 4 or 8 while decoding, to a side of at least
                 640: the fastest for one large face, but small faces lose pixels, which the other
                 pipelines and this program preserve
"""

import argparse
import json
import platform
import statistics
import sys
import time

import cv2
import numpy as np
import onnxruntime

from export_onnx import guess_of, standardised

SIDE = 128
DETECTOR_SIDE = 640
STRIDES = (8, 16, 32)
THRESHOLD = 0.6
BATCHES = (1, 2, 4, 16)
WARM_UP = 3
REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
           8: cv2.IMREAD_REDUCED_COLOR_8}
# Eyes, nose and corners of the mouth in a training crop, in fractions of its side: the counterpart of
# `TEMPLATE` in `vision/src/face/align.rs`, as complex numbers.
TEMPLATE = np.array([0.303 + 0.327j, 0.696 + 0.322j, 0.496 + 0.511j, 0.337 + 0.688j, 0.662 + 0.683j])


class OpenCvDetector:
    def __init__(self, yunet):
        self.detector = cv2.FaceDetectorYN.create(yunet, "", (DETECTOR_SIDE, DETECTOR_SIDE), THRESHOLD)

    def faces(self, picture):
        """Rows of x, y, width, height, then x and y of five landmarks."""
        self.detector.setInputSize(picture.shape[1::-1])
        faces = self.detector.detect(picture)[1]
        return [] if faces is None else faces[:, :14]


class RuntimeDetector:
    """The pre- and postprocessing of `FaceDetectorYN` in numpy."""

    def __init__(self, yunet):
        self.session = session(yunet)
        self.input = self.session.get_inputs()[0].name
        self.outputs = [f"{name}_{stride}" for stride in STRIDES for name in ("cls", "obj", "bbox", "kps")]

    def faces(self, picture):
        height, width = (-(-side // 32) * 32 for side in picture.shape[:2])
        below, right = height - picture.shape[0], width - picture.shape[1]
        padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT) if below or right else picture
        answers = self.session.run(self.outputs, {self.input: cv2.dnn.blobFromImage(padded)})
        scores, faces = [], []
        for stride, at in zip(STRIDES, range(0, len(answers), 4)):
            cls, obj, box, points = (answer[0] for answer in answers[at : at + 4])
            score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
            found = np.flatnonzero(score >= THRESHOLD)
            cell = np.stack([found % (width // stride), found // (width // stride)], axis=1)
            size = np.exp(box[found, 2:]) * stride
            corner = (cell + box[found, :2]) * stride - size / 2
            scores.append(score[found])
            faces.append(np.hstack([corner, size, (points[found] + np.tile(cell, 5)) * stride]))
        scores, faces = np.concatenate(scores), np.concatenate(faces)
        return faces[np.asarray(cv2.dnn.NMSBoxes(faces[:, :4], scores, THRESHOLD, 0.3), dtype=int)]


def session(graph):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def detect(detector, picture):
    """Five landmarks of each face as complex numbers, in pixels of the picture, the largest face first."""
    scale = min(1.0, DETECTOR_SIDE / max(picture.shape[:2]))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    # Bilinear, OpenCV's default: INTER_AREA takes another 37 ms for twelve megapixels, and YuNet finds
    # the faces without it.
    faces = detector.faces(picture if scale == 1.0 else cv2.resize(picture, size))
    faces = sorted(faces, key=lambda face: -face[2] * face[3])
    return [(face[4::2] + 1j * face[5::2]) * (picture.shape[1] / size[0]) for face in faces]


def cut(picture, landmarks):
    """The level grey crop (128, 128) around the landmarks, by the least-squares similarity."""
    template, centred = TEMPLATE - TEMPLATE.mean(), landmarks - landmarks.mean()
    similarity = np.vdot(template, centred) / np.vdot(template, template)  # side and roll in one complex number
    origin = landmarks.mean() - similarity * TEMPLATE.mean()
    # If a pixel of the crop spans two or more of the photo, first downscale the needed part by an integer
    # factor: bilinear samples alone would alias.
    corners = origin + similarity * np.array([0, 1, 1j, 1 + 1j])
    left, top = max(0, int(corners.real.min())), max(0, int(corners.imag.min()))
    right, bottom = int(corners.real.max()) + 2, int(corners.imag.max()) + 2
    part = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    factor = max(1, int(abs(similarity) / SIDE))
    if factor > 1:
        size = (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor))
        part = cv2.resize(part[: size[1] * factor, : size[0] * factor], size, interpolation=cv2.INTER_AREA)
    # Pixels of the crop → pixels of the part, both with centres at half-integers.
    similarity, origin = similarity / factor, (origin - left - 1j * top) / factor
    step = similarity / SIDE
    start = origin + step * (0.5 + 0.5j) - (0.5 + 0.5j)
    matrix = np.array([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]])
    return cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)


def median(values):
    return round(statistics.median(values) * 1e3, 4)


class Clock:
    """Seconds of each lap, by name."""

    def __init__(self):
        self.seconds = {}

    def start(self):
        self.last = time.perf_counter()

    def lap(self, name):
        now = time.perf_counter()
        self.seconds.setdefault(name, []).append(now - self.last)
        self.last = time.perf_counter()


def measure_picture(data, flags, detector, network, times, warm_up):
    clock = Clock()
    for run in range(warm_up + times):
        if run == warm_up:
            clock = Clock()
        clock.start()
        picture = cv2.imdecode(data, flags)
        clock.lap("decode")
        faces = detect(detector, picture)
        clock.lap("detect")
        crops = [standardised(cut(picture, landmarks)) for landmarks in faces]
        clock.lap("warp")
        if crops:
            both = network(np.stack([view for crop in crops for view in (crop, crop[:, ::-1])])[:, None])
        clock.lap("network")
        if crops:
            network(np.stack(crops)[:, None])
        clock.lap("network_single")
    parts = clock.seconds
    for whole, last in (("whole", "network"), ("whole_single", "network_single")):
        parts[whole] = [sum(steps) for steps in zip(parts["decode"], parts["detect"], parts["warp"], parts[last])]
    measured = {"faces": len(faces), "milliseconds": {name: median(values) for name, values in parts.items()}}
    if crops:
        years, female = guess_of(*(output[:2] for output in both))
        measured |= {"age": round(years, 1), "female": round(female, 3)}
    return measured


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True)
    parser.add_argument("--yunet", help="without it only the network is measured")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=3, help="runs that do not count")
    parser.add_argument("pictures", nargs="*")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    estimator = session(arguments.graph)

    def network(crops):
        return estimator.run(["age", "gender"], {"crops": crops})

    photos = []
    for path in arguments.pictures if arguments.yunet else []:
        opencv, runtime = OpenCvDetector(arguments.yunet), RuntimeDetector(arguments.yunet)
        data = np.fromfile(path, np.uint8)
        height, width = cv2.imdecode(data, cv2.IMREAD_COLOR).shape[:2]
        shrink = max(factor for factor in REDUCED if factor == 1 or max(width, height) >= factor * DETECTOR_SIDE)
        pipelines = {"opencv": (1, opencv), "onnxruntime": (1, runtime), "reduced": (shrink, runtime)}
        photos.append({"file": path, "width": width, "height": height, "reduced_by": shrink, "ways": {
            name: measure_picture(data, REDUCED[factor], detector, network, arguments.times, arguments.warm_up)
            for name, (factor, detector) in pipelines.items()}})

    forward = []
    for batch in BATCHES:
        crops = np.random.default_rng(1).standard_normal((batch, 1, SIDE, SIDE), dtype=np.float32)
        clock = Clock()
        for run in range(WARM_UP + arguments.times):
            if run == WARM_UP:
                clock = Clock()
            clock.start()
            network(crops)
            clock.lap("network")
        forward.append({"batch": batch, "milliseconds": {"median": median(clock.seconds["network"])}})
    versions = {"python": platform.python_version(), "opencv": cv2.__version__,
                "onnxruntime": onnxruntime.__version__, "numpy": np.__version__}
    json.dump({"versions": versions, "photos": photos, "forward": forward}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
