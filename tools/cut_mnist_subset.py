#!/usr/bin/env python3
"""Cuts a small class-balanced subset out of MNIST, in the folder layout of torchvision.

    python3 tools/cut_mnist_subset.py ROOT [--into data] [--train 600] [--test 100]

reads ROOT/MNIST/raw (plain or .gz) and writes INTO/MNIST/raw/*.gz: the first 600 training and 100 test images of
every class in file order, the order of the file kept. The output depends on nothing but the input (and on the
version of zlib, whose compression may change while what it unpacks to does not).
"""

import argparse
import gzip
import pathlib
import struct


def read_idx(folder, name):
    """The sizes and the bytes of a uint8 idx file."""
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / (name + ".gz")).read_bytes())
    zeros, type_code, dimensions = struct.unpack(">HBB", data[:4])
    if zeros != 0 or type_code != 8:
        raise SystemExit(f"{plain}: not an idx file of uint8")
    header = 4 + 4 * dimensions
    sizes = struct.unpack(f">{dimensions}I", data[4:header])
    return sizes, data[header:]


def write_idx(folder, name, sizes, data):
    """Like gzip -9 -n: neither the name nor the time goes into the file."""
    header = struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes)
    with open(folder / (name + ".gz"), "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
            packed.write(header + data)


def cut(source, target, part, per_class):
    images_name, labels_name = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    (count, height, width), pixels = read_idx(source, images_name)
    (labelled,), labels = read_idx(source, labels_name)
    image_bytes = height * width
    if count != labelled or len(pixels) != count * image_bytes or len(labels) != count:
        raise SystemExit(f"{source}: {part}: images and labels do not fit together")
    kept, taken = [], [0] * 10
    for index, label in enumerate(labels):
        if taken[label] < per_class:
            taken[label] += 1
            kept.append(index)
    if taken != [per_class] * 10:
        raise SystemExit(f"{source}: {part}: {per_class} images of each class wanted, {taken} found")
    chosen = b"".join(pixels[i * image_bytes : (i + 1) * image_bytes] for i in kept)
    write_idx(target, images_name, (len(kept), height, width), chosen)
    write_idx(target, labels_name, (len(kept),), bytes(labels[i] for i in kept))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path, help="folder that holds MNIST/raw")
    parser.add_argument("--into", type=pathlib.Path, default=pathlib.Path("data"), help="folder to write MNIST/raw to")
    parser.add_argument("--train", type=int, default=600, help="training images of each class")
    parser.add_argument("--test", type=int, default=100, help="test images of each class")
    arguments = parser.parse_args()
    source, target = arguments.root / "MNIST" / "raw", arguments.into / "MNIST" / "raw"
    if target.resolve() == source.resolve():
        raise SystemExit("the subset would overwrite the set it is cut from; choose another --into")
    target.mkdir(parents=True, exist_ok=True)
    cut(source, target, "train", arguments.train)
    cut(source, target, "t10k", arguments.test)


if __name__ == "__main__":
    main()
