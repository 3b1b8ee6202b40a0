"""Predicts ages and genders of all faces from another network's features, as soft labels for `train_estimator_all_sets.py finetune`.

    pip install torch numpy opencv-python-headless safetensors
    python models/advise_by_embeddings.py --data DIR --pictures DATA --model package/models/faceres-deep --out OUT/embeddings.npz

The network is HSE-FaceRes (`faceres.py` says where it comes from). A perceptron over its 1,024 features and the
index of the data set is trained on three quarters of the training faces and labels the fourth; on validation faces, the mean of all four
perceptrons is only measured. DIR is that of train_estimator_all_sets.py, DATA holds the pictures that its index names. The perceptrons
do not ship.
"""
import argparse
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import train_estimator_all_sets as estimator
from faceres import FEATURES, FaceRes, cut, pixels_of

# Pixels of a crop's side, and the crop relative to the estimator's frame.
SIDE, SCALE = 224, 1.6
FOLDS, HIDDEN, EPOCHS, RATE = 4, 512, 10, 2e-3


def features_of(index, pictures, net):
    """(N, 1024)"""
    features = torch.zeros(len(index["set"]), FEATURES)

    def part(ids):
        pictures_of = (cv2.imread(f"{pictures}/{index['name'][i].decode()}") for i in ids)
        crops = [cut(picture, index["w"][i], index["frame"][i], SIDE, SCALE) for i, picture in zip(ids, pictures_of)]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features[ids] = net(pixels_of(crops))

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
