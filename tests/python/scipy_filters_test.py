"""filter_bank against scipy.signal.lfilter, which knows nothing of it. SciPy is not needed to build: without it the test is skipped."""

import sys
import unittest

from operators import ops, torch

try:
    import numpy
    from scipy.signal import lfilter
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def by_scipy(x, coefficients, order, delay, window, memory):
    """The definition in csrc/ops/filter_bank.h, section by section."""
    filters = []
    for a, b, p in coefficients:
        v = x
        numerator, denominator = numpy.zeros((2, delay + 1), dtype=complex)
        numerator[0] += a
        numerator[delay] += b
        denominator[0] = 1
        denominator[delay] -= p
        for _ in range(order):
            v = lfilter(numerator, denominator, v, axis=1)
        current = numpy.abs(v) ** 2
        windows = current.shape[1] // window
        if memory < 0:
            filters.append(current[:, :windows * window].reshape(len(x), windows, window).mean(2))
        else:
            filters.append(lfilter([1 - memory], [1, -memory], current, axis=1)[:, window - 1:windows * window:window])
    return numpy.stack(filters, 1)


class Filters(unittest.TestCase):
    def test_lfilter(self):
        torch.manual_seed(1)
        for order, delay, window, memory in ((1, 1, 16, .8), (2, 1, 5, -1.), (3, 4, 16, .5), (1, 7, 3, 0.), (16, 2, 9, .95)):
            x = torch.randn(3, 500, dtype=torch.complex128)
            poles = torch.polar(.2 + .7 * torch.rand(4, dtype=torch.float64), 7 * torch.rand(4, dtype=torch.float64))
            gains = torch.randn(4, 2, dtype=torch.complex128) / 2
            coefficients = torch.cat((gains, poles.unsqueeze(1)), 1)
            found = ops.filter_bank(x, coefficients, order, delay, window, memory).numpy()
            expected = by_scipy(x.numpy(), coefficients.numpy(), order, delay, window, memory)
            with self.subTest(order=order, delay=delay, window=window, memory=memory):
                self.assertEqual(found.shape, expected.shape)
                self.assertLess(abs(found - expected).max(), 1e-10 * abs(expected).max())


if __name__ == "__main__":
    unittest.main()
