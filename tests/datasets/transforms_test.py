"""Transforms equal torchvision's classes, on tensors, to the bit: every one with several options, and pipelines.

    transforms_test.py APPLY_TRANSFORM [--time]

Prints for each how many of 50 images are equal. torchvision is not needed to build: without it the test is skipped.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

try:
    import torch

    # The wheel's own operators want CUDA; without these two names it cannot be imported.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
    from torchvision import transforms as tv
except (ImportError, RuntimeError) as error:
    print(f"skipped: {sys.executable}: {error}")
    sys.exit(77)

if torchvision.__version__.split("+")[0] != "0.28.0":
    print(f"skipped: torchvision is {torchvision.__version__}, the arithmetic followed is that of 0.28.0")
    sys.exit(77)

IMAGES = 50
TYPES = {"U8": torch.uint8, "I16": torch.int16, "I32": torch.int32, "F32": torch.float32, "F64": torch.float64,
         "I8": torch.int8, "I64": torch.int64}
CODES = {value: key for key, value in TYPES.items()}


def save(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            piece = bytearray(raw[8 + length + begin:8 + length + end])
            values = torch.frombuffer(piece, dtype=TYPES[entry["dtype"]]) if piece else torch.empty(
                0, dtype=TYPES[entry["dtype"]])
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def make_images():
    """50 bytes images of many sizes: noise, smooth ones, flat ones, grey ones; small to larger than 65,793 pixels."""
    generator = torch.Generator().manual_seed(20)
    images = {}
    for i in range(IMAGES):
        height, width = torch.randint(20, 90, (2,), generator=generator).tolist()
        if i < 5:
            height, width = 32, 32
        if i == 7:
            height, width = 300, 340
        channels = 1 if i % 5 == 4 else 3
        kind = i % 4
        if kind == 0:
            image = torch.randint(0, 256, (channels, height, width), generator=generator)
        elif kind == 3 and i % 8 == 3:
            image = torch.randint(0, 4, (channels, height, width), generator=generator) * 60 + 30
        else:
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            phase = torch.rand(channels, 1, 1, generator=generator) * 6
            image = 128 + 60 * torch.sin(x / 9 + phase) + 50 * torch.cos(y / (5 + kind) - phase)
            image = image + torch.randint(-9, 10, image.shape, generator=generator)
        images[f"{i}"] = image.clamp(0, 255).to(torch.uint8)
    images["23"][1:] = images["23"][0] if images["23"].shape[0] == 3 else images["23"]
    images["46"].fill_(77)
    return images


MODES = {"nearest": tv.InterpolationMode.NEAREST, "nearest-exact": tv.InterpolationMode.NEAREST_EXACT,
         "bilinear": tv.InterpolationMode.BILINEAR, "bicubic": tv.InterpolationMode.BICUBIC}
DTYPES = {"uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16, "int32": torch.int32,
          "int64": torch.int64, "float32": torch.float32, "float64": torch.float64}


def oracle(described):
    """torchvision's transform of a description."""
    if isinstance(described, list):
        return tv.Compose([oracle(each) for each in described])
    options = dict(described)
    kind = options.pop("type")
    if "interpolation" in options:
        options["interpolation"] = MODES[options["interpolation"]]
    if kind == "ConvertImageDtype":
        options["dtype"] = DTYPES[options.get("dtype", "float32")]
    if kind == "AutoAugment":
        options["policy"] = tv.AutoAugmentPolicy(options.get("policy", "imagenet"))
    if kind == "RandomApply":
        options["transforms"] = [oracle(each) for each in options["transforms"]]
    if options.pop("random_value", False):
        options["value"] = "random"
    return getattr(tv, kind)(**options)


def t(kind, **options):
    return {"type": kind, **options}


FLOAT = t("ConvertImageDtype", dtype="float32")
DOUBLE = t("ConvertImageDtype", dtype="float64")
IMAGENET = t("Normalize", mean=[0.485], std=[0.229])

BYTES_AND_FLOATS = [
    t("Resize", size=24), t("Resize", size=[40, 33]), t("Resize", size=50, max_size=60),
    t("Resize", size=[17, 90], interpolation="nearest"), t("Resize", size=48, interpolation="bicubic"),
    t("Resize", size=[61, 30], interpolation="nearest-exact"),
    t("Resize", size=[30, 44], antialias=False), t("Resize", size=29, interpolation="bicubic", antialias=False),
    t("CenterCrop", size=20), t("CenterCrop", size=[21, 16]), t("CenterCrop", size=[70, 65]),
    t("CenterCrop", size=[15, 85]),
    t("RandomCrop", size=20), t("RandomCrop", size=[20, 17], padding=4),
    t("RandomCrop", size=[30, 25], padding=[3, 5], padding_mode="reflect"),
    t("RandomCrop", size=22, padding=[1, 2, 3, 4], padding_mode="edge"),
    t("RandomCrop", size=[64, 80], pad_if_needed=True, padding=2),
    t("RandomCrop", size=[31, 33], pad_if_needed=True, padding=6, padding_mode="symmetric"),
    t("RandomCrop", size=[34, 33], pad_if_needed=True, padding_mode="reflect", padding=[2, 3]),
    t("RandomResizedCrop", size=32), t("RandomResizedCrop", size=[24, 40], scale=[0.5, 1.0], ratio=[0.9, 1.1]),
    t("RandomResizedCrop", size=28, interpolation="bicubic"),
    t("RandomResizedCrop", size=28, interpolation="nearest", scale=[0.9, 1.5], ratio=[2.0, 3.0]),
    t("RandomResizedCrop", size=28, antialias=False, scale=[0.9, 1.5], ratio=[0.2, 0.3]),
    t("RandomHorizontalFlip"), t("RandomHorizontalFlip", p=0.9), t("RandomVerticalFlip"), t("RandomVerticalFlip", p=1.0),
    t("RandomRotation", degrees=30), t("RandomRotation", degrees=[-170, 175], expand=True),
    t("RandomRotation", degrees=60, interpolation="bilinear", expand=True),
    t("RandomRotation", degrees=45, interpolation="bilinear", center=[10, 5]),
    t("RandomAffine", degrees=15), t("RandomAffine", degrees=[-40, 70], translate=[0.1, 0.3], scale=[0.7, 1.4]),
    t("RandomAffine", degrees=0, shear=20, interpolation="bilinear"),
    t("RandomAffine", degrees=5, shear=[-10, 10, -25, 5], translate=[0.2, 0.0], scale=[0.5, 0.9],
      interpolation="bilinear", center=[3, 9]),
    t("RandomAffine", degrees=10, shear=[-30, 3]),
    t("RandomPerspective"), t("RandomPerspective", distortion_scale=0.9, p=1.0),
    t("RandomPerspective", distortion_scale=0.3, p=0.8, interpolation="nearest"),
    t("Pad", padding=3), t("Pad", padding=[5, 2], padding_mode="edge"),
    t("Pad", padding=[1, 2, 13, 4], padding_mode="reflect"), t("Pad", padding=[7, 0, 2, 19], padding_mode="symmetric"),
    t("Grayscale"), t("Grayscale", num_output_channels=3), t("RandomGrayscale"), t("RandomGrayscale", p=0.6),
    t("ColorJitter", brightness=0.4), t("ColorJitter", contrast=0.4), t("ColorJitter", saturation=0.7),
    t("ColorJitter", hue=0.5), t("ColorJitter", hue=[-0.1, 0.05]),
    t("ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    t("ColorJitter", brightness=[0.2, 2.5], contrast=[0.1, 3.0], saturation=[0.0, 4.0], hue=[0.2, 0.4]),
    t("GaussianBlur", kernel_size=3), t("GaussianBlur", kernel_size=[5, 9], sigma=[0.5, 3.0]),
    t("GaussianBlur", kernel_size=23, sigma=2.5),
    t("RandomInvert"), t("RandomInvert", p=0.2), t("RandomAutocontrast"), t("RandomAutocontrast", p=1.0),
    t("RandomAdjustSharpness", sharpness_factor=2), t("RandomAdjustSharpness", sharpness_factor=0.3, p=1.0),
    t("RandomErasing"), t("RandomErasing", p=1.0, value=0.5, scale=[0.1, 0.6]),
    t("RandomErasing", p=0.9, ratio=[0.1, 9.0], value=1),
    t("RandomApply", p=0.3, transforms=[t("ColorJitter", brightness=0.4), t("RandomHorizontalFlip")]),
    t("RandomApply", transforms=[t("GaussianBlur", kernel_size=3)]),
]
BYTES = [
    t("Pad", padding=[5, 2], fill=130), t("RandomCrop", size=30, padding=8, fill=200),
    t("RandomRotation", degrees=80, fill=99), t("RandomRotation", degrees=80, fill=99, interpolation="bilinear"),
    t("RandomAffine", degrees=80, scale=[0.3, 0.6], fill=31, interpolation="bilinear"),
    t("RandomPerspective", p=1.0, fill=17.5), t("RandomErasing", p=0.7, value=255),
    t("RandomPosterize", bits=2), t("RandomPosterize", bits=5, p=0.9), t("RandomPosterize", bits=8),
    t("RandomSolarize", threshold=128), t("RandomSolarize", threshold=192.5, p=0.8), t("RandomSolarize", threshold=0),
    t("RandomEqualize"), t("RandomEqualize", p=1.0),
    t("ConvertImageDtype"), t("ConvertImageDtype", dtype="float64"), t("ConvertImageDtype", dtype="int16"),
    t("ConvertImageDtype", dtype="int32"), t("ConvertImageDtype", dtype="int64"), t("ConvertImageDtype", dtype="uint8"),
    t("ConvertImageDtype", dtype="int8"),
    [t("ConvertImageDtype", dtype="int32"), t("ConvertImageDtype", dtype="uint8")],
    [t("ConvertImageDtype", dtype="int32"), t("ConvertImageDtype", dtype="float32")],
    [t("ConvertImageDtype", dtype="int64"), t("ConvertImageDtype", dtype="int16")],
    t("AutoAugment"), t("AutoAugment", policy="cifar10"), t("AutoAugment", policy="svhn"),
    t("AutoAugment", policy="svhn", interpolation="bilinear", fill=[128]),
    t("AutoAugment", policy="cifar10", interpolation="bilinear"), t("AutoAugment", fill=[40.0]),
    t("RandAugment"), t("RandAugment", num_ops=3, magnitude=14, interpolation="bilinear", fill=[90]),
    t("RandAugment", num_ops=5, magnitude=6, num_magnitude_bins=11), t("RandAugment", num_ops=1, magnitude=30),
    t("TrivialAugmentWide"), t("TrivialAugmentWide", interpolation="bilinear", fill=[200]),
    t("TrivialAugmentWide", num_magnitude_bins=8),
]
FLOATS = [
    t("Normalize", mean=[0.5], std=[0.25]), t("Normalize", mean=[0.4914], std=[0.2470]),
    t("RandomErasing", p=1.0, random_value=True), t("RandomErasing", p=0.6, random_value=True, scale=[0.3, 0.9]),
    t("RandomSolarize", threshold=0.4), t("RandomSolarize", threshold=0.75, p=1.0),
    t("ConvertImageDtype", dtype="uint8"), t("ConvertImageDtype", dtype="float64"),
    t("ConvertImageDtype", dtype="int16"),
    t("RandomRotation", degrees=80, fill=0.3, interpolation="bilinear"), t("Pad", padding=4, fill=-0.5),
]
PIPELINES = {
    "cifar": [t("RandomCrop", size=32, padding=4, pad_if_needed=True), t("RandomHorizontalFlip"), FLOAT,
              t("Normalize", mean=[0.4734], std=[0.2516])],
    "imagenet": [t("RandomResizedCrop", size=56), t("RandomHorizontalFlip"),
                 t("ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1), FLOAT, IMAGENET,
                 t("RandomErasing")],
    "evaluation": [t("Resize", size=36), t("CenterCrop", size=32), FLOAT, IMAGENET],
    "contrastive": [t("RandomResizedCrop", size=32, scale=[0.2, 1.0]), t("RandomHorizontalFlip"),
                    t("RandomApply", p=0.8, transforms=[t("ColorJitter", brightness=0.8, contrast=0.8, saturation=0.8,
                                                          hue=0.2)]),
                    t("RandomGrayscale", p=0.2), t("GaussianBlur", kernel_size=3), FLOAT],
    "automatic": [t("RandomCrop", size=[28, 30], padding=6, padding_mode="reflect"), t("RandomHorizontalFlip"),
                  t("AutoAugment", policy="cifar10"), FLOAT, IMAGENET, t("RandomErasing", random_value=True)],
    "trivial": [t("Resize", size=40, interpolation="bicubic"), t("TrivialAugmentWide", interpolation="bilinear"),
                t("RandomCrop", size=32), FLOAT, IMAGENET],
    "float first": [FLOAT, t("RandomCrop", size=20), t("ColorJitter", contrast=0.5, hue=0.1, brightness=0.2),
                    t("RandomAffine", degrees=10, translate=[0.1, 0.1]), t("RandomAutocontrast"), IMAGENET],
    "double": [DOUBLE, t("RandomResizedCrop", size=30), t("RandomPerspective"), t("ColorJitter", saturation=0.5,
               contrast=0.6), t("GaussianBlur", kernel_size=5), IMAGENET],
    "tones": [t("RandomPosterize", bits=4), t("RandomSolarize", threshold=100.0), t("RandomEqualize"),
              t("RandomInvert"), t("RandomAutocontrast"), t("RandomAdjustSharpness", sharpness_factor=3)],
}
RGB = [[FLOAT, t("Normalize", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])],
       t("RandomRotation", degrees=50, fill=[10, 20, 30]),
       t("RandomAffine", degrees=50, fill=[10, 200, 30], interpolation="bilinear"),
       t("RandomErasing", p=1.0, value=[1, 2, 3]), t("AutoAugment", fill=[1, 2, 3]), t("RandAugment", fill=[9, 8, 7])]


def cases():
    for described in BYTES_AND_FLOATS + BYTES:
        yield json.dumps(described), described, "all"
    for described in BYTES_AND_FLOATS + FLOATS:
        yield "float32: " + json.dumps(described), [FLOAT, described], "all"
    for described in BYTES_AND_FLOATS:
        yield "float64: " + json.dumps(described), [DOUBLE, described], "all"
    for described in RGB:
        yield json.dumps(described), described, "colour"
    for name, described in PIPELINES.items():
        yield "pipeline " + name, described, "all"


def difference(expected, got):
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return f"{expected.dtype} {list(expected.shape)} became {got.dtype} {list(got.shape)}"
    if expected.dtype.is_floating_point:
        bits = {torch.float32: torch.int32, torch.float64: torch.int64}[expected.dtype]
        same = expected.contiguous().view(bits) == got.view(bits)
    else:
        same = expected == got
    if bool(same.all()):
        return None
    largest = (expected.double() - got.double()).abs().max().item()
    return f"{int((~same).sum())} of {same.numel()} values, by up to {largest:.3g}"


def compare(program, folder):
    images = make_images()
    save(folder / "images", images)
    names = {"all": list(images), "colour": [name for name in images if images[name].shape[0] == 3]}
    jobs = list(cases())
    (folder / "jobs").write_text("".join(f"{seed}\t{' '.join(names[which])}\t{json.dumps(described)}\n"
                                         for seed, (_, described, which) in enumerate(jobs)))
    subprocess.run([program, folder / "images", folder / "jobs", folder / "results"], check=True)
    results = load(folder / "results")
    unequal = 0
    for seed, (title, described, which) in enumerate(jobs):
        transform = oracle(described)
        torch.manual_seed(seed)
        complaints = {}
        for name in names[which]:
            complaint = difference(transform(images[name]), results[f"{seed}/{name}"])
            if complaint:
                complaints[name] = complaint
        count = len(names[which])
        unequal += len(complaints)
        print(f"{count - len(complaints)}/{count} {title}")
        for name, complaint in list(complaints.items())[:3]:
            print(f"    image {name} {list(images[name].shape)}: {complaint}")
    print(f"{len(jobs)} transforms and pipelines, {unequal} images unequal")
    return unequal == 0


def measure(program, folder):
    images = make_images()
    save(folder / "images", images)
    (folder / "jobs").write_text("".join(f"time\t0\t{json.dumps(described)}\n" for described in PIPELINES.values()))
    ours = subprocess.run([program, folder / "images", folder / "jobs", folder / "results"], check=True,
                          capture_output=True, text=True).stdout.split()
    for (name, described), own in zip(PIPELINES.items(), ours):
        transform = oracle(described)
        for _ in range(2):
            begin = time.perf_counter()
            for _ in range(200):
                transform(images["0"])
            theirs = (time.perf_counter() - begin) / 200 * 1e6
        print(f"{name}: {own} us, torchvision {theirs:.1f} us, {theirs / float(own):.1f} times faster")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        if "--time" in sys.argv:
            measure(sys.argv[1], pathlib.Path(temporary))
        elif not compare(sys.argv[1], pathlib.Path(temporary)):
            sys.exit(1)
