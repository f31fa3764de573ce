import gzip, sys
import torch

model = torch.jit.load(sys.argv[1])
with gzip.open(sys.argv[2]) as file:
    pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8)
images = pixels.reshape(-1, 1, 28, 28)[:20] / 255
print(*model(images).argmax(1).tolist())
