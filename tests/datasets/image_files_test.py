"""read_image_file against Pillow's convert("RGB") and convert("L"), pixel by pixel. Usage: DUMP_IMAGE_FILE"""

import io
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

try:
    from PIL import Image
except ImportError:
    print("skipped: no Pillow")
    sys.exit(77)

DUMP = sys.argv[1]


def dump(mode, files):
    """Of each file the pixels [H][W][C] as bytes with their size, or what the error says."""
    stream = io.BytesIO(subprocess.run([DUMP, mode, *map(str, files)], check=True, capture_output=True).stdout)
    results = []
    for _ in files:
        line = stream.readline().decode().rstrip("\n")
        if line.startswith("error "):
            results.append(line)
            continue
        channels, height, width = map(int, line.split())
        planes = [stream.read(height * width) for _ in range(channels)]
        results.append(((width, height), bytes(v for pixel in zip(*planes) for v in pixel)))
    assert not stream.read()
    return results


def picture(mode, size=(37, 23), seed=0):
    """Smooth colours with noise, so that no channel equals another."""
    source = random.Random(seed)
    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = bytes((x * (5 + c) + y * (9 - c) + 40 * c + source.randrange(30)) % 256
                   for y in range(height) for x in range(width) for c in range(bands))
    return Image.frombytes(mode, size, values)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(bits, colour, size, channels, interlaced=0, extra=b""):
    """A PNG of random rows, by hand: Pillow writes few kinds with 16 bits."""
    width, height = size
    source = random.Random(bits * 10 + colour)
    row = (width * channels * bits + 7) // 8
    rows = b"".join(b"\0" + source.randbytes(row) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


class ImageFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        probe = cls.folder / "probe.png"
        picture("L").save(probe)
        if "without TorchVision" in str(dump("grey", [probe])[0]):
            raise unittest.SkipTest("built without TorchVision")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def save(self, name, image, **options):
        path = self.folder / name
        image.save(path, **options)
        return path

    def compare(self, files, at_least):
        self.assertGreaterEqual(len(files), at_least)
        for mode, pillow_mode in (("rgb", "RGB"), ("grey", "L")):
            for path, result in zip(files, dump(mode, files)):
                with self.subTest(file=path.name, mode=mode):
                    with Image.open(path) as opened:
                        wanted = opened.convert(pillow_mode)
                    self.assertEqual(result[0] if isinstance(result, tuple) else result, wanted.size)
                    self.assertEqual(result[1], wanted.tobytes())

    def test_jpeg(self):
        rotated = Image.Exif()
        rotated[0x0112] = 6
        files = [self.save(f"{mode}.{i}.jpg", picture(mode, size), quality=quality, **options)
                 for mode in ("RGB", "L", "CMYK")
                 for i, (size, quality, options) in enumerate((
                     ((37, 23), 90, {}), ((64, 64), 30, {"subsampling": 0} if mode == "RGB" else {}),
                     ((1, 1), 75, {}), ((16, 300), 100, {"progressive": True}),
                     ((33, 9), 50, {"exif": rotated}), ((20, 20), 75, {"optimize": True})))]
        files.append(self.save("kept.jpg", picture("RGB"), keep_rgb=True))
        files.append(self.save("restarts.jpg", picture("RGB", (90, 90)), restart_marker_blocks=2))
        # Bytes behind the end and between segments, as cameras leave them.
        sound = files[0].read_bytes()
        files.append(self.write("behind.jpg", sound + b"more"))
        files.append(self.write("filled.jpg", sound[:2] + b"\xff\xff\xff" + sound[2:]))
        # A damaged scan: libjpeg warns, Pillow and torchvision go on.
        middle = len(sound) * 3 // 4
        files.append(self.write("damaged.jpg", sound[:middle] + b"\x55" * 3 + sound[middle + 3:]))
        self.compare(files, 22)

    def test_png(self):
        palette = picture("RGB").quantize(17)
        clear = palette.copy()
        clear.info["transparency"] = 3
        files = [self.save(f"{mode}.png", picture(mode)) for mode in ("RGB", "RGBA", "L", "LA")]
        files += [self.save("palette.png", palette), self.save("clear.png", clear),
                  self.save("bits.png", picture("L").convert("1")),
                  self.save("key.png", picture("RGB"), transparency=(1, 2, 3)),
                  self.save("black.png", Image.new("L", (40, 30)))]
        files += [self.save(f"palette{bits}.png", picture("RGB").quantize(2 ** bits), bits=bits)
                  for bits in (1, 2, 4)]
        for bits, colour, channels in ((1, 0, 1), (2, 0, 1), (4, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3),
                                       (8, 4, 2), (16, 4, 2), (8, 6, 4), (16, 6, 4)):
            files.append(self.write(f"{bits}-{colour}.png", png(bits, colour, (13, 11), channels)))
        files.append(self.write("gamma.png", png(8, 2, (9, 9), 3, extra=chunk(b"gAMA", struct.pack(">I", 100000)))))
        # One pixel: the seven passes are one row of one pixel.
        files.append(self.write("interlaced.png", png(8, 2, (1, 1), 3, interlaced=1)))
        self.compare(files, 25)

    def test_pnm(self):
        files = [self.save("a.ppm", picture("RGB")), self.save("a.pgm", picture("L"))]
        for kind, channels in ((5, 1), (6, 3)):
            for most in (1, 7, 100, 200, 254, 255):
                source = random.Random(most)
                values = bytes(source.randrange(most + 1) for _ in range(6 * 5 * channels))
                head = f"P{kind} # note\n6\t5 # more\n#\n{most}\n".encode()
                files.append(self.write(f"{kind}-{most}.pnm", head + values))
                text = "".join(f"{v}\n" if i % 9 else f"{v} # {i} 7\n" for i, v in enumerate(values))
                files.append(self.write(f"{kind - 3}-{most}.pnm", f"P{kind - 3}\n6 5\n{most}\n{text}".encode()))
        self.compare(files, 26)

    def test_bmp(self):
        files = [self.save(f"{mode}{w}.bmp", picture(mode, (w, 5))) for mode in ("RGB", "L") for w in (5, 6, 7, 8)]
        files.append(self.save("palette.bmp", picture("RGB").quantize(256)))
        body = files[0].read_bytes()
        top = bytearray(body)
        top[22:26] = struct.pack("<i", -5)
        files.append(self.write("top.bmp", bytes(top)))
        head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + 24, 0, 0, 54, 40, 3, 2, 1, 32, 0, 24, 0, 0, 0, 0)
        files.append(self.write("32.bmp", head + bytes(range(24))))
        self.compare(files, 11)

    def test_what_is_not_supported_says_so(self):
        cases = {"interlaced16.png": (png(16, 2, (1, 1), 3, interlaced=1), "interlaced"),
                 "16.pgm": (b"P5 1 1 65535\n\0\0", "at most 255"),
                 "bits.pbm": (b"P4 8 1\n\0", "bits (P4)"),
                 "a.gif": (b"GIF89a" + bytes(20), "a GIF"),
                 "a.tif": (b"II*\0" + bytes(20), "a TIFF"),
                 "a.webp": (b"RIFF" + bytes(20), "WebP")}
        files = [self.write(name, content) for name, (content, _) in cases.items()]
        for path, result in zip(files, dump("rgb", files)):
            self.assertIn(cases[path.name][1], result)
            self.assertIn(str(path), result)

    def test_every_truncation_is_an_error(self):
        progressive = self.save("whole.jpg", picture("RGB", (20, 20)), progressive=True).read_bytes()
        pieces = [self.write(f"{i}.piece", progressive[:i]) for i in range(len(progressive))]
        for path, result in zip(pieces, dump("rgb", pieces)):
            self.assertIn("error", str(result)[:5], path.name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
